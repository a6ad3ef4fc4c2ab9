// numbers_test.cpp: every stored number, and what lies between each two, against doubles.
#include "core/numbers.h"

#include <cmath>
#include <limits>

#include "tests/testing.h"

namespace {

using ct::bf16;
using ct::e4m3;
using ct::f16;

// The definition: sign, a field of exponent bits, a field of fraction bits, a bias.
template <int EXPONENT, int FRACTION>
double plain_value(uint32_t bits) {
    const int bias = (1 << (EXPONENT - 1)) - 1;
    const double sign = (bits >> (EXPONENT + FRACTION)) & 1u ? -1 : 1;
    const int exponent = static_cast<int>((bits >> FRACTION) & ((1u << EXPONENT) - 1));
    const double fraction = std::ldexp(bits & ((1u << FRACTION) - 1), -FRACTION);
    return exponent == 0 ? sign * std::ldexp(fraction, 1 - bias) : sign * std::ldexp(1 + fraction, exponent - bias);
}

bool same(float a, double b) { return std::isnan(b) ? std::isnan(a) : a == b && std::signbit(a) == std::signbit(b); }

// Between two neighbours the middle goes to the even one, and what is off the middle to the nearer.
template <typename T>
void rounds_to_nearest_even(uint32_t last) {
    for (uint32_t bits = 0; bits < last; ++bits) {
        const float low = ct::to_float(T{static_cast<decltype(T::bits)>(bits)});
        const float high = ct::to_float(T{static_cast<decltype(T::bits)>(bits + 1)});
        const float middle = static_cast<float>((static_cast<double>(low) + high) / 2);
        CHECK(ct::from_float<T>(low).bits == bits);
        CHECK(ct::from_float<T>(middle).bits == bits + (bits & 1u));
        CHECK(ct::from_float<T>(std::nextafter(middle, 0.0f)).bits == bits);
        CHECK(ct::from_float<T>(std::nextafter(middle, INFINITY)).bits == bits + 1);
        const uint32_t sign = 1u << (8 * sizeof(T) - 1);
        CHECK(ct::from_float<T>(-std::nextafter(middle, INFINITY)).bits == ((bits + 1) | sign));
    }
}

void readsAndRoundsHalf() {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const bool special = (bits & 0x7c00u) == 0x7c00u;
        const double infinity = bits & 0x8000u ? -INFINITY : INFINITY;
        const double expected = !special ? plain_value<5, 10>(bits) : bits & 0x3ffu ? testing::kNan : infinity;
        CHECK(same(ct::to_float(f16{static_cast<uint16_t>(bits)}), expected));
    }
    rounds_to_nearest_even<f16>(0x7bff);
    CHECK(ct::to_f16(65519.996f).bits == 0x7bff);
    CHECK(ct::to_f16(65520.0f).bits == 0x7c00);
    CHECK(ct::to_f16(-1e30f).bits == 0xfc00);
    CHECK(ct::to_f16(INFINITY).bits == 0x7c00);
    CHECK(ct::to_f16(-0.0f).bits == 0x8000);
    CHECK(ct::to_f16(1e-45f).bits == 0);
    for (uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu}) {
        CHECK(std::isnan(ct::to_float(ct::to_f16(ct::bits_float(nan)))));
    }
}

void readsAndRoundsE4m3() {
    for (uint32_t bits = 0; bits < 0x100; ++bits) {
        const double expected = (bits & 0x7fu) == 0x7fu ? testing::kNan : plain_value<4, 3>(bits);
        CHECK(same(ct::to_float(e4m3{static_cast<uint8_t>(bits)}), expected));
    }
    rounds_to_nearest_even<e4m3>(0x7e);
    CHECK(ct::to_e4m3(449.0f).bits == 0x7e);
    CHECK(ct::to_e4m3(-1e30f).bits == 0xfe);
    CHECK(ct::to_e4m3(INFINITY).bits == 0x7e);
    CHECK(ct::to_e4m3(-0.0f).bits == 0x80);
    CHECK(ct::to_e4m3(1e-45f).bits == 0);
    for (uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu}) CHECK(ct::to_e4m3(ct::bits_float(nan)).bits == 0x7f);
}

void readsAndRoundsBf16() {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const bool special = (bits & 0x7f80u) == 0x7f80u;
        const double infinity = bits & 0x8000u ? -INFINITY : INFINITY;
        const double expected = !special ? plain_value<8, 7>(bits) : bits & 0x7fu ? testing::kNan : infinity;
        CHECK(same(ct::to_float(bf16{static_cast<uint16_t>(bits)}), expected));
    }
    rounds_to_nearest_even<bf16>(0x7f7f);
    CHECK(ct::to_bf16(std::numeric_limits<float>::max()).bits == 0x7f80);
    for (uint32_t nan : {0x7f800001u, 0xff800001u, 0x7fffffffu}) {
        CHECK(std::isnan(ct::to_float(ct::to_bf16(ct::bits_float(nan)))));
    }
}

}  // namespace

int main() {
    readsAndRoundsBf16();
    readsAndRoundsHalf();
    readsAndRoundsE4m3();
    return testing::finish("numbers");
}
