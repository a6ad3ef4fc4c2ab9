// matrix.cpp: mma. The last lane gathers the fragments of all, multiplies, and writes every lane's part of the result.
//
// Products of 8- and 16-bit floats are exact in float (bf16: within its exponent range), so that a product and a sum
// are one fused multiply-add; the sums are taken in the order of k. Tensor cores add in another, unpublished order.
#include <cstring>

#include "gpu/gpu.h"
#include "simt/collective.h"

namespace simt {

namespace {

constexpr int M = 16;
constexpr int N = 8;

// The element of row `row` and column `k` of A, or of column `row` and row `k` of B, in a lane's registers: lane
// 4 * (row % 8) + k / PerWord % 4, word row / 8 + 2 * (k / (4 * PerWord)), as the PTX ISA's figures have it.
template <typename T>
T element(const uint32_t* words, int word, int index) {
    T value;
    std::memcpy(&value, reinterpret_cast<const unsigned char*>(words + word) + index * static_cast<int>(sizeof(T)),
                sizeof value);
    return value;
}

float number(ct::bf16 value) { return ct::to_float(value); }
float number(gpu::f16 value) { return gpu::to_float(value); }
float number(gpu::e4m3 value) { return gpu::to_float(value); }
int32_t number(int8_t value) { return value; }

template <typename T, typename Accumulator>
SIMT_NO_ASAN void multiply(const Operands (&lanes)[kLanes]) {
    constexpr int kPerWord = 4 / static_cast<int>(sizeof(T));
    constexpr int K = 8 * kPerWord;
    Accumulator a[M][K];
    Accumulator b[K][N];
    Accumulator d[M][N];
    for (int lane = 0; lane < kLanes; ++lane) {
        int group = lane / 4;
        for (int i = 0; i < kPerWord; ++i) {
            int k = lane % 4 * kPerWord + i;
            for (int word = 0; word < 4; ++word) {
                a[group + word % 2 * 8][k + word / 2 * (K / 2)] = number(element<T>(lanes[lane].a, word, i));
            }
            for (int word = 0; word < 2; ++word) {
                b[k + word * (K / 2)][group] = number(element<T>(lanes[lane].b, word, i));
            }
        }
        for (int i = 0; i < 4; ++i) {
            d[group + i / 2 * 8][lane % 4 * 2 + i % 2] = static_cast<const Accumulator*>(lanes[lane].d)[i];
        }
    }
    for (int m = 0; m < M; ++m) {
        for (int k = 0; k < K; ++k) {
            for (int n = 0; n < N; ++n) d[m][n] += a[m][k] * b[k][n];
        }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
        for (int i = 0; i < 4; ++i) {
            static_cast<Accumulator*>(lanes[lane].d)[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
        }
    }
}

void multiply(MmaType type, const Operands (&lanes)[kLanes]) {
    switch (type) {
        case MmaType::kBf16:
            return multiply<ct::bf16, float>(lanes);
        case MmaType::kF16:
            return multiply<gpu::f16, float>(lanes);
        case MmaType::kE4m3:
            return multiply<gpu::e4m3, float>(lanes);
        case MmaType::kS8:
            return multiply<int8_t, int32_t>(lanes);
    }
}

}  // namespace

void mma(MmaType type, void* d, const uint32_t* a, const uint32_t* b, Site site) {
    Fiber& self = *current;
    Exchange& exchange = join(self, Collective::kMma, site);
    exchange.operands[self.lane] = {d, a, b};
    meet(self, site, [type](Exchange& e) { multiply(type, e.operands); });
}

}  // namespace simt
