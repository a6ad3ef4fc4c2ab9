// layout_text_test.cpp: a dump's text names every place where the instruction has it, and no other. The dumps are made
// from plain formulas here; the tables of the PTX ISA are layout.cpp's.
#include <memory>
#include <utility>

#include "tests/layout.h"
#include "tests/testing.h"

namespace {

using layout::Dump;
using layout::kLanes;
using layout::Products;

// The number of the element that a lane's 16 bits hold after ldmatrix.
uint32_t loaded(int lane, int r, int part, bool transposed) {
    const int row = transposed ? 2 * (lane % 4) + part : lane / 4;
    const int column = transposed ? lane / 4 : 2 * (lane % 4) + part;
    return static_cast<uint32_t>(64 * r + 8 * row + column);
}

template <int N>
void fill(uint32_t (&registers)[kLanes][N], bool transposed) {
    for (int lane = 0; lane < kLanes; ++lane) {
        for (int r = 0; r < N; ++r) {
            registers[lane][r] = loaded(lane, r, 0, transposed) | loaded(lane, r, 1, transposed) << 16;
        }
    }
}

// Multiplies as mma does: each place of A with each of B that has its k.
template <int PARTS>
void fill(Products<PARTS>& products) {
    for (int a = 0; a < Products<PARTS>::kPlacesOfA; ++a) {
        const int a_lane = a / PARTS / 4;
        const int a_register = a / PARTS % 4;
        const int row = a_lane / 4 + (a_register & 1 ? 8 : 0);
        const int a_k = a_lane % 4 * PARTS + a % PARTS + (a_register >= 2 ? 4 * PARTS : 0);
        for (auto& met : products.met[a]) met = 0;
        for (int b = 0; b < Products<PARTS>::kPlacesOfB; ++b) {
            const int b_lane = b / PARTS / 2;
            const int b_k = b_lane % 4 * PARTS + b % PARTS + (b / PARTS % 2 ? 4 * PARTS : 0);
            if (b_k != a_k) continue;
            const int column = b_lane / 4;
            const int d_lane = row % 8 * 4 + column / 2;
            const int d_register = column % 2 + (row >= 8 ? 2 : 0);
            products.met[a][d_lane * 4 + d_register] = static_cast<uint16_t>(b + 1);
        }
    }
}

std::unique_ptr<Dump> right_dump() {
    auto dump = std::make_unique<Dump>();
    fill(dump->x4, false);
    fill(dump->x2, false);
    fill(dump->x4_transposed, true);
    fill(dump->x2_transposed, true);
    fill(dump->bf16);
    fill(dump->f16);
    fill(dump->e4m3);
    fill(dump->s8);
    dump->has_e4m3 = 1;
    return dump;
}

void readsARightDumpAsDocumented() {
    const auto dump = right_dump();
    CHECK(layout::text(*dump) == layout::documented_text(true));
    dump->has_e4m3 = 0;
    CHECK(layout::text(*dump) == layout::documented_text(false));
    CHECK(layout::documented_text(false) != layout::documented_text(true));
}

void seesEveryWrongPlace() {
    const std::string right = layout::documented_text(true);
    for (int lane = 0; lane < kLanes; ++lane) {
        const auto loads = right_dump();
        std::swap(loads->x4[lane][1], loads->x4[lane][2]);
        CHECK(layout::text(*loads) != right);
    }
    for (int place = 0; place < Products<2>::kPlacesOfA; ++place) {
        // Another place's products, a column that met nothing, two columns exchanged.
        const auto moved = right_dump();
        std::swap(moved->bf16.met[place], moved->bf16.met[place ^ 1]);
        CHECK(layout::text(*moved) != right);
        const auto lost = right_dump();
        for (auto& met : lost->f16.met[place]) {
            if (met != 0) met = 0;
        }
        CHECK(layout::text(*lost) != right);
    }
    for (int place = 0; place < Products<4>::kPlacesOfA; place += 7) {
        const auto exchanged = right_dump();
        auto& met = exchanged->s8.met[place];
        int first = 0;
        while (met[first] == 0) ++first;
        std::swap(met[first], met[first + 1]);
        CHECK(layout::text(*exchanged) != right);
        const auto wild = right_dump();
        wild->e4m3.met[place][first] = 0xffff;
        CHECK(layout::text(*wild) != right);
    }
}

}  // namespace

int main() {
    readsARightDumpAsDocumented();
    seesEveryWrongPlace();
    return testing::finish("layout_text");
}
