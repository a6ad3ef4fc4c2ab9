// attention_avx512.cpp: paged attention in vectors of 16 floats; bf16 queries meet bf16 keys in vdpbf16ps, whose
// products are exact and whose sums are float32, or where that is slow (ct_device::halves_bf16) both are widened.
#include <immintrin.h>

#include "kernels/attention/attention_piece.h"

namespace ct::attention {
namespace {

struct Avx512 {
    using Reg = __m512;
    static constexpr int kLanes = 16;
    static constexpr int kScoreVectors = 4, kScoreRows = 6;  // 24 sums, 4 keys and a query in 32 registers
    static constexpr int kValueVectors = 4, kValueRows = 6;
    static constexpr bool kHasPairs = true;
    template <typename Q>
    static constexpr bool is_pair() {
        return __is_same(Q, uint32_t);
    }

    static Reg set1(float x) { return _mm512_set1_ps(x); }
    static Reg load(const float* p) { return _mm512_loadu_ps(p); }
    static Reg load(const Bits* p) {
        const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
    }
    template <typename T>
    static constexpr int widened() {  // elements of a call of widen
        return __is_same(T, e4m3) ? 64 : kLanes;
    }
    static void widen(Bits* to, const e4m3* from) {
        // Unpacking takes every second group of 8: it puts them in order again.
        const __m512i order = _mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7);
        const Halves of = halves(_mm512_permutexvar_epi64(order, _mm512_loadu_si512(from)));
        _mm512_storeu_si512(to, _mm512_unpacklo_epi8(of.lower, of.upper));
        _mm512_storeu_si512(to + 32, _mm512_unpackhi_epi8(of.lower, of.upper));
    }
    // Lanes of four e4m3: their first two as bf16 pairs, and their last two.
    static void widen_quads(Reg* low, Reg* high, Reg quads) {
        const __m512i order =
            _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
        const Halves of = halves(_mm512_shuffle_epi8(_mm512_castps_si512(quads), order));
        *low = _mm512_castsi512_ps(_mm512_unpacklo_epi8(of.lower, of.upper));
        *high = _mm512_castsi512_ps(_mm512_unpackhi_epi8(of.lower, of.upper));
    }
    static void widen(float* to, const f16* from) {
        _mm512_storeu_ps(to, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
    }
    static Reg broadcast(const float* p) { return _mm512_set1_ps(*p); }
    static Reg broadcast(const uint32_t* p) { return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(*p))); }
    static void store(float* p, Reg x) { _mm512_storeu_ps(p, x); }
    static Reg add(Reg a, Reg b) { return _mm512_add_ps(a, b); }
    static Reg sub(Reg a, Reg b) { return _mm512_sub_ps(a, b); }
    static Reg mul(Reg a, Reg b) { return _mm512_mul_ps(a, b); }
    static Reg div(Reg a, Reg b) { return _mm512_div_ps(a, b); }
    static Reg fma(Reg a, Reg b, Reg c) { return _mm512_fmadd_ps(a, b, c); }
    static Reg max(Reg a, Reg b) { return _mm512_max_ps(a, b); }  // b if either is NaN
    static Reg dot_pairs(Reg a, Reg b, Reg c) {
        return _mm512_dpbf16_ps(c, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
    }
    static Reg select_less(Reg a, Reg b, Reg yes, Reg no) {
        return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
    }
    // 2^n from the sum n + 1.5 * 2^23.
    static Reg power_of_two(Reg shifted) {
        const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
        return _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(0x3f800000)));
    }
    static Reg low_half(Reg pairs) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(pairs), 16)); }
    static Reg high_half(Reg pairs) {
        return _mm512_castsi512_ps(
            _mm512_and_si512(_mm512_castps_si512(pairs), _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
    }
    static float first_lane(Reg x) { return _mm512_cvtss_f32(x); }
    static float max_of_lanes(Reg x) { return _mm512_reduce_max_ps(x); }
    static float sum_of_lanes(Reg x) { return _mm512_reduce_add_ps(x); }

    // column[i] lane t = rows[t * stride + i]. Four rows that end up in four lanes of 128 bits come by load ports alone
    // (masked broadcasts), which leaves two shuffles a column.
    static void columns4(Reg* column, const uint32_t* rows, int stride) {
        const __m512 a = four_rows(rows, stride), b = four_rows(rows + stride, stride);
        const __m512 c = four_rows(rows + 2 * stride, stride), d = four_rows(rows + 3 * stride, stride);
        const __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(a, b));
        const __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(a, b));
        const __m512d cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(c, d));
        const __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(c, d));
        column[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_low, cd_low));
        column[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_low, cd_low));
        column[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
        column[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
    }

private:
    // The bytes of 64 bf16.
    struct Halves {
        __m512i lower, upper;
    };
    // From the bits of e4m3: exponents 1 to 15 with 120 added, whose parity is the upper bit of the lower byte; numbers
    // below 2^-6 from tables; 0x7f and 0xff become NaN.
    static Halves halves(__m512i x) {
        const __m512i exponent = _mm512_and_si512(_mm512_srli_epi16(x, 3), _mm512_set1_epi8(0x0f));
        const __m512i index = _mm512_and_si512(x, _mm512_set1_epi8(0x0f));
        const __mmask64 small = _mm512_testn_epi8_mask(x, _mm512_set1_epi8(0x78));
        const __mmask64 nan = _mm512_cmpeq_epi8_mask(_mm512_or_si512(x, _mm512_set1_epi8(-128)), _mm512_set1_epi8(-1));
        __m512i lower = _mm512_and_si512(_mm512_slli_epi16(x, 4), _mm512_set1_epi8(-16));
        __m512i upper = _mm512_shuffle_epi8(table(kE4m3Upper), exponent);
        lower = _mm512_mask_shuffle_epi8(lower, small, table(kE4m3SmallLower), index);
        upper = _mm512_mask_shuffle_epi8(upper, small, table(kE4m3SmallUpper), index);
        upper = _mm512_mask_blend_epi8(nan, upper, _mm512_set1_epi8(0x7f));
        return {lower, _mm512_or_si512(upper, _mm512_and_si512(x, _mm512_set1_epi8(-128)))};
    }
    static __m512i table(const uint8_t* bytes) {
        return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes)));
    }
    static __m128 quad(const uint32_t* p) {
        return _mm_castsi128_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static __m512 four_rows(const uint32_t* p, int stride) {
        __m512 x = _mm512_castps128_ps512(quad(p));
        x = _mm512_mask_broadcast_f32x4(x, 0x00f0, quad(p + 4 * stride));
        x = _mm512_mask_broadcast_f32x4(x, 0x0f00, quad(p + 8 * stride));
        return _mm512_mask_broadcast_f32x4(x, 0xf000, quad(p + 12 * stride));
    }
};

// Where vdpbf16ps is slow, keys are float32 once they are transposed.
struct Avx512Float : Avx512 {
    static constexpr bool kHasPairs = false;
    template <typename Q>
    static constexpr bool is_pair() {
        return false;
    }
};

}  // namespace

Kernel kernel_avx512(int32_t dtype, int32_t kv_dtype) { return kernel_of<Avx512>(dtype, kv_dtype); }
Kernel kernel_avx512_float(int32_t dtype, int32_t kv_dtype) { return kernel_of<Avx512Float>(dtype, kv_dtype); }

}  // namespace ct::attention
