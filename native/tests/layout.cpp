// layout.cpp: the text of a dump, and the text that the PTX ISA promises.
#include "tests/layout.h"

namespace layout {

namespace {

struct Element {
    int row = -1;
    int column = -1;
    bool operator==(const Element&) const = default;
};

std::string operator+(const std::string& text, const Element& e) {
    if (e.row < 0 || e.column < 0) return text + "?";
    return text + std::to_string(e.row) + "," + std::to_string(e.column);
}

std::string line_start(const char* name, int lane) { return std::string(name) + " lane " + std::to_string(lane) + ":"; }

// ---- the documented tables -----------------------------------------------------------------------------------------

Element documented_a(int lane, int r, int part, int parts) {
    return {lane / 4 + 8 * (r % 2), lane % 4 * parts + part + 4 * parts * (r / 2)};
}
Element documented_b(int lane, int r, int part, int parts) {  // (k, column)
    return {lane % 4 * parts + part + 4 * parts * r, lane / 4};
}
Element documented_d(int lane, int r) { return {lane / 4 + 8 * (r / 2), lane % 4 * 2 + r % 2}; }

// ---- load_matrix ---------------------------------------------------------------------------------------------------

template <typename ValueOf>
std::string load_text(const char* name, int registers, const ValueOf& value_of) {
    std::string all;
    for (int lane = 0; lane < kLanes; ++lane) {
        all += line_start(name, lane);
        for (int place = 0; place < 2 * registers; ++place) {
            const int value = value_of(lane, place / 2, place % 2);
            all += " " + std::to_string(value / 64) + ":" + Element{value / 8 % 8, value % 8};
        }
        all += "\n";
    }
    return all;
}

template <int REGISTERS>
std::string load_text(const char* name, const uint32_t (&registers)[kLanes][REGISTERS]) {
    return load_text(name, REGISTERS, [&](int lane, int r, int part) {
        return static_cast<int>((registers[lane][r] >> (16 * part)) & 0xffffu);
    });
}

std::string documented_load(const char* name, int registers, bool transposed) {
    return load_text(name, registers, [&](int lane, int r, int part) {
        const int slow = lane / 4;
        const int fast = lane % 4 * 2 + part;
        return 64 * r + (transposed ? 8 * fast + slow : 8 * slow + fast);
    });
}

// ---- mma -----------------------------------------------------------------------------------------------------------

// What the places of A and B must be for the products that were seen. The names of rows and columns are D's, the names
// of the sum's terms are those of A's first row: other names would describe the same instruction.
template <int PARTS>
struct Fragments {
    using P = Products<PARTS>;
    Element a[P::kPlacesOfA];
    Element b[P::kPlacesOfB];

    explicit Fragments(const P& products) {
        for (int place = 0; place < P::kPlacesOfA; ++place) name_row(place, products.met[place]);
        for (int place = 0; place < P::kPlacesOfA; ++place) {
            if (a[place].row == 0) {
                a[place].column = documented_a(place / PARTS / 4, place / PARTS % 4, place % PARTS, PARTS).column;
                name_terms(a[place].column, products.met[place]);
            }
        }
        for (int place = 0; place < P::kPlacesOfA; ++place) a[place].column = term(products.met[place]);
    }

private:
    static Element of_d(int place) { return documented_d(place / 4, place % 4); }
    static bool is_place(uint16_t met) { return met >= 1 && met <= P::kPlacesOfB; }

    // A row of A meets all 8 columns, each once, in one row of D.
    void name_row(int place, const uint16_t (&met)[kPlacesOfD]) {
        unsigned columns = 0;
        int row = -1;
        for (int d = 0; d < kPlacesOfD; ++d) {
            if (met[d] == 0) continue;
            if (!is_place(met[d]) || (row >= 0 && row != of_d(d).row)) return;
            row = of_d(d).row;
            columns |= 1u << of_d(d).column;
            Element& other = b[met[d] - 1];
            other.column = other.column == -1 || other.column == of_d(d).column ? of_d(d).column : -2;
        }
        if (columns == 0xffu) a[place].row = row;
    }

    void name_terms(int k, const uint16_t (&met)[kPlacesOfD]) {
        for (uint16_t m : met) {
            if (is_place(m)) b[m - 1].row = b[m - 1].row == -1 || b[m - 1].row == k ? k : -2;
        }
    }

    // The term that all the places it met belong to.
    int term(const uint16_t (&met)[kPlacesOfD]) const {
        int k = -1;
        for (uint16_t m : met) {
            if (!is_place(m)) continue;
            if (b[m - 1].row < 0 || (k >= 0 && k != b[m - 1].row)) return -1;
            k = b[m - 1].row;
        }
        return k;
    }
};

template <typename ElementOf>
std::string mma_text(const std::string& name, const char* operand, int registers, int parts,
                     const ElementOf& element_of) {
    std::string all;
    for (int lane = 0; lane < kLanes; ++lane) {
        all += line_start((name + " " + operand).c_str(), lane);
        for (int place = 0; place < registers * parts; ++place) {
            all += " " + element_of(lane, place / parts, place % parts);
        }
        all += "\n";
    }
    return all;
}

template <int PARTS>
std::string mma_text(const std::string& name, const Products<PARTS>& products) {
    const Fragments<PARTS> fragments(products);
    return mma_text(name, "a", 4, PARTS,
                    [&](int lane, int r, int part) { return fragments.a[(lane * 4 + r) * PARTS + part]; }) +
           mma_text(name, "b", 2, PARTS,
                    [&](int lane, int r, int part) { return fragments.b[(lane * 2 + r) * PARTS + part]; });
}

std::string documented_mma(const std::string& name, int parts) {
    return mma_text(name, "a", 4, parts,
                    [&](int lane, int r, int part) { return documented_a(lane, r, part, parts); }) +
           mma_text(name, "b", 2, parts, [&](int lane, int r, int part) { return documented_b(lane, r, part, parts); });
}

}  // namespace

std::string text(const Dump& dump) {
    std::string all = load_text("load_matrix_x4", dump.x4) + load_text("load_matrix_x2", dump.x2) +
                      load_text("load_matrix_x4_transposed", dump.x4_transposed) +
                      load_text("load_matrix_x2_transposed", dump.x2_transposed) + mma_text("mma_bf16", dump.bf16) +
                      mma_text("mma_f16", dump.f16) + mma_text("mma_s8", dump.s8);
    if (dump.has_e4m3) all += mma_text("mma_e4m3", dump.e4m3);
    return all;
}

std::string documented_text(bool has_e4m3) {
    std::string all = documented_load("load_matrix_x4", 4, false) + documented_load("load_matrix_x2", 2, false) +
                      documented_load("load_matrix_x4_transposed", 4, true) +
                      documented_load("load_matrix_x2_transposed", 2, true) + documented_mma("mma_bf16", 2) +
                      documented_mma("mma_f16", 2) + documented_mma("mma_s8", 4);
    if (has_e4m3) all += documented_mma("mma_e4m3", 4);
    return all;
}

}  // namespace layout
