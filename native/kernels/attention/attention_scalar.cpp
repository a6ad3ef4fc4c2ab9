// attention_scalar.cpp: paged attention one float at a time, for machines without AVX2.
#include <cmath>
#include <cstring>

#include "kernels/attention/attention_piece.h"

namespace ct::attention {
namespace {

struct Scalar {
    using Reg = float;
    static constexpr int kLanes = 1;
    static constexpr int kScoreVectors = 4, kScoreRows = 2;
    static constexpr int kValueVectors = 4, kValueRows = 2;
    static constexpr bool kHasPairs = false;
    template <typename Q>
    static constexpr bool is_pair() {
        return false;
    }

    static uint32_t bits(float x) {
        uint32_t result;
        std::memcpy(&result, &x, 4);
        return result;
    }
    static float from_bits(uint32_t x) {
        float result;
        std::memcpy(&result, &x, 4);
        return result;
    }
    static Reg set1(float x) { return x; }
    static Reg load(const float* p) { return *p; }
    static Reg load(const Bits* p) { return from_bits(static_cast<uint32_t>(*p) << 16); }
    template <typename T>
    static constexpr int widened() {
        return 1;
    }
    static void widen(Bits* to, const e4m3* from) { *to = static_cast<Bits>(bits(to_float(*from)) >> 16); }
    // Four e4m3: the first two as a pair of bf16, and the last two.
    static void widen_quads(Reg* low, Reg* high, Reg quad) {
        *low = from_bits(pair(bits(quad)));
        *high = from_bits(pair(bits(quad) >> 16));
    }
    static void widen(float* to, const f16* from) { *to = to_float(*from); }
    static Reg broadcast(const float* p) { return *p; }
    static void store(float* p, Reg x) { *p = x; }
    static Reg add(Reg a, Reg b) { return a + b; }
    static Reg sub(Reg a, Reg b) { return a - b; }
    static Reg mul(Reg a, Reg b) { return a * b; }
    static Reg div(Reg a, Reg b) { return a / b; }
    static Reg fma(Reg a, Reg b, Reg c) { return a * b + c; }
    static Reg max(Reg a, Reg b) { return a > b ? a : b; }  // b if either is NaN
    static Reg select_less(Reg a, Reg b, Reg yes, Reg no) { return a < b ? yes : no; }
    // 2^n from the sum n + 1.5 * 2^23.
    static Reg power_of_two(Reg shifted) { return from_bits((bits(shifted) << 23) + 0x3f800000u); }
    static Reg low_half(Reg pair) { return from_bits(bits(pair) << 16); }
    static Reg high_half(Reg pair) { return from_bits(bits(pair) & 0xffff0000u); }
    static float first_lane(Reg x) { return x; }
    static float max_of_lanes(Reg x) { return x; }
    static float sum_of_lanes(Reg x) { return x; }
    static void columns4(Reg* column, const uint32_t* rows, int) { std::memcpy(column, rows, 4 * sizeof(float)); }

private:
    static uint32_t pair(uint32_t bytes) {
        const e4m3 first{static_cast<uint8_t>(bytes)}, second{static_cast<uint8_t>(bytes >> 8)};
        return bits(to_float(first)) >> 16 | (bits(to_float(second)) & 0xffff0000u);
    }
};

}  // namespace

Kernel kernel_scalar(int32_t dtype, int32_t kv_dtype) { return kernel_of<Scalar>(dtype, kv_dtype); }

}  // namespace ct::attention
