// attention_avx2.cpp: paged attention in vectors of 8 floats.
#include <immintrin.h>

#include "kernels/attention/attention_piece.h"

namespace ct::attention {
namespace {

struct Avx2 {
    using Reg = __m256;
    static constexpr int kLanes = 8;
    static constexpr int kScoreVectors = 2, kScoreRows = 6;  // 12 sums, 2 keys and a query in 16 registers
    static constexpr int kValueVectors = 2, kValueRows = 6;
    static constexpr bool kHasPairs = false;
    template <typename Q>
    static constexpr bool is_pair() {
        return false;
    }

    static Reg set1(float x) { return _mm256_set1_ps(x); }
    static Reg load(const float* p) { return _mm256_loadu_ps(p); }
    static Reg load(const Bits* p) {
        const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
        return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
    }
    template <typename T>
    static constexpr int widened() {  // elements of a call of widen
        return __is_same(T, e4m3) ? 32 : kLanes;
    }
    static void widen(Bits* to, const e4m3* from) {
        // Unpacking takes every second group of 8: it puts them in order again.
        const Halves of =
            halves(_mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)), 0b11'01'10'00));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_unpacklo_epi8(of.lower, of.upper));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 16), _mm256_unpackhi_epi8(of.lower, of.upper));
    }
    // Lanes of four e4m3: their first two as bf16 pairs, and their last two.
    static void widen_quads(Reg* low, Reg* high, Reg quads) {
        const __m256i order =
            _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
        const Halves of = halves(_mm256_shuffle_epi8(_mm256_castps_si256(quads), order));
        *low = _mm256_castsi256_ps(_mm256_unpacklo_epi8(of.lower, of.upper));
        *high = _mm256_castsi256_ps(_mm256_unpackhi_epi8(of.lower, of.upper));
    }
    static void widen(float* to, const f16* from) {
        _mm256_storeu_ps(to, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
    }
    static Reg broadcast(const float* p) { return _mm256_broadcast_ss(p); }
    static void store(float* p, Reg x) { _mm256_storeu_ps(p, x); }
    static Reg add(Reg a, Reg b) { return _mm256_add_ps(a, b); }
    static Reg sub(Reg a, Reg b) { return _mm256_sub_ps(a, b); }
    static Reg mul(Reg a, Reg b) { return _mm256_mul_ps(a, b); }
    static Reg div(Reg a, Reg b) { return _mm256_div_ps(a, b); }
    static Reg fma(Reg a, Reg b, Reg c) { return _mm256_fmadd_ps(a, b, c); }
    static Reg max(Reg a, Reg b) { return _mm256_max_ps(a, b); }  // b if either is NaN
    static Reg select_less(Reg a, Reg b, Reg yes, Reg no) {
        return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
    }
    // 2^n from the sum n + 1.5 * 2^23.
    static Reg power_of_two(Reg shifted) {
        const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(shifted), 23);
        return _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(0x3f800000)));
    }
    static Reg low_half(Reg pairs) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(pairs), 16)); }
    static Reg high_half(Reg pairs) {
        return _mm256_castsi256_ps(
            _mm256_and_si256(_mm256_castps_si256(pairs), _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
    }
    static float first_lane(Reg x) { return _mm256_cvtss_f32(x); }
    static float max_of_lanes(Reg x) {
        __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        half = _mm_max_ps(half, _mm_movehl_ps(half, half));
        return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
    }
    static float sum_of_lanes(Reg x) {
        __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
        half = _mm_add_ps(half, _mm_movehl_ps(half, half));
        return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
    }

    // column[i] lane t = rows[t * stride + i].
    static void columns4(Reg* column, const uint32_t* rows, int stride) {
        const __m256 a = two_rows(rows, stride), b = two_rows(rows + stride, stride);
        const __m256 c = two_rows(rows + 2 * stride, stride), d = two_rows(rows + 3 * stride, stride);
        const __m256d ab_low = _mm256_castps_pd(_mm256_unpacklo_ps(a, b));
        const __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(a, b));
        const __m256d cd_low = _mm256_castps_pd(_mm256_unpacklo_ps(c, d));
        const __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(c, d));
        column[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_low, cd_low));
        column[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_low, cd_low));
        column[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
        column[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
    }

private:
    // The bytes of 32 bf16.
    struct Halves {
        __m256i lower, upper;
    };
    // As the AVX-512 one.
    static Halves halves(__m256i x) {
        const __m256i sign = _mm256_and_si256(x, _mm256_set1_epi8(-128));
        const __m256i exponent = _mm256_and_si256(_mm256_srli_epi16(x, 3), _mm256_set1_epi8(0x0f));
        const __m256i index = _mm256_and_si256(x, _mm256_set1_epi8(0x0f));
        const __m256i small = _mm256_cmpeq_epi8(exponent, _mm256_setzero_si256());
        const __m256i nan = _mm256_cmpeq_epi8(_mm256_or_si256(x, _mm256_set1_epi8(-128)), _mm256_set1_epi8(-1));
        const __m256i lower = _mm256_blendv_epi8(_mm256_and_si256(_mm256_slli_epi16(x, 4), _mm256_set1_epi8(-16)),
                                                 _mm256_shuffle_epi8(table(kE4m3SmallLower), index), small);
        const __m256i upper = _mm256_blendv_epi8(_mm256_shuffle_epi8(table(kE4m3Upper), exponent),
                                                 _mm256_shuffle_epi8(table(kE4m3SmallUpper), index), small);
        return {lower, _mm256_or_si256(_mm256_blendv_epi8(upper, _mm256_set1_epi8(0x7f), nan), sign)};
    }
    static __m256i table(const uint8_t* bytes) {
        return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    static __m128 quad(const uint32_t* p) {
        return _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static __m256 two_rows(const uint32_t* p, int stride) {
        return _mm256_insertf128_ps(_mm256_castps128_ps256(quad(p)), quad(p + 4 * stride), 1);
    }
};

}  // namespace

Kernel kernel_avx2(int32_t dtype, int32_t kv_dtype) { return kernel_of<Avx2>(dtype, kv_dtype); }

}  // namespace ct::attention
