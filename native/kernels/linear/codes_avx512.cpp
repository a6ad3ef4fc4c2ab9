// codes_avx512.cpp: kernels of codes.h for AVX-512 with BF16.
//
// Counted on Zen 4, where each of the four 256-bit pipes takes half of an instruction: a step of 32 nibbles is 3/4 shift,
// one permutation and one vdpbf16ps, about 20 weights a cycle; a step of 32 int8 is 8 instructions, about 8 weights a
// cycle. A core's share of the memory's bandwidth is 8 bytes a cycle: 14 nibbles, 8 int8. One row of x is thus bound by
// memory.
#include <immintrin.h>

// GCC 12 takes _mm512_undefined_epi32 for a use of an uninitialised variable (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <cstring>

#include "kernels/linear/codes.h"

namespace ct::linear {
namespace {

constexpr int kMaxRows = 6;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMaxFusedRows =
    1;  // with a sanitizer's checks the unrolled steps of larger tiles take minutes to compile
constexpr int kFusedPanels = 1;
#else
constexpr int kMaxFusedRows = 4;
constexpr int kFusedPanels = kGroupPanels;
#endif

[[gnu::always_inline]] inline __m512i load_line(const unsigned char* at) { return _mm512_load_si512(at); }

// The codes of step I (0 to 15) of a unit as 32 bf16. `unit` is the panel's first line of it.
template <int PLANES>
struct Codes;

// Word shift to the right, to the left where negative.
template <int BY>
[[gnu::always_inline]] inline __m512i shift_words(__m512i words) {
    if constexpr (BY > 0) return _mm512_srli_epi16(words, BY);
    if constexpr (BY < 0) return _mm512_slli_epi16(words, -BY);
    return words;
}

// BITS bits a code in the first lines of the unit, HIGH more in the lines after them.
template <int BITS, int HIGH>
struct Planar {
    __m512i table;
    __m512i table_high;  // codes from 32 up

    explicit Planar(const CodeFormat& format)
        : table(_mm512_loadu_si512(format.values)), table_high(_mm512_loadu_si512(format.values + 32)) {}

    template <int I>
    [[gnu::always_inline]] __m512i step(const unsigned char* unit, int64_t line_step) const {
        constexpr int kPerWord = 16 / BITS;
        const __m512i low = shift_words<I % kPerWord * BITS>(load_line(unit + I / kPerWord * line_step));
        if constexpr (HIGH == 0) {
            return _mm512_permutexvar_epi16(low, table);
        } else {
            constexpr int kHighPerWord = 16 / HIGH;
            constexpr int kLowLines = kUnitSteps / kPerWord;
            const __m512i high = shift_words<I % kHighPerWord * HIGH - BITS>(
                load_line(unit + (kLowLines + I / kHighPerWord) * line_step));
            // mask ? low : high, bit by bit.
            const __m512i code = _mm512_ternarylogic_epi32(_mm512_set1_epi16((1 << BITS) - 1), low, high, 0xca);
            if constexpr (BITS + HIGH <= 5) {
                return _mm512_permutexvar_epi16(code, table);
            } else {
                return _mm512_permutex2var_epi16(table, code, table_high);
            }
        }
    }
};

template <>
struct Codes<kNibbles> : Planar<4, 0> {
    using Planar::Planar;
};
template <>
struct Codes<kFive> : Planar<4, 1> {
    using Planar::Planar;
};
template <>
struct Codes<kSix> : Planar<4, 2> {
    using Planar::Planar;
};
template <>
struct Codes<kPairs> : Planar<2, 0> {
    using Planar::Planar;
};
template <>
struct Codes<kThree> : Planar<2, 1> {
    using Planar::Planar;
};

// Four bytes, code + 128, in each row's 32 bits. A byte under the exponent of a float whose last place is worth 1 is 2^23 +
// byte (2^15 + byte for the second byte of a word). The difference to 2^23 + 128 is exact, and its upper half is the bf16.
template <>
struct Codes<kBytes> {
    __m512i places;  // of a float's upper half in the lower one

    explicit Codes(const CodeFormat&) : places(_mm512_set4_epi32(0x0f0e0f0e, 0x0b0a0b0a, 0x07060706, 0x03020302)) {}

    template <int I>
    [[gnu::always_inline]] __m512i step(const unsigned char* unit, int64_t line_step) const {
        const __m512i line = load_line(unit + I / 2 * line_step);
        const __m512i bytes = I % 2 == 1 ? _mm512_srli_epi32(line, 16) : line;
        const auto whole = [&](int mask, int exponent, float offset) {
            // bytes & mask | exponent
            const __m512i bits =
                _mm512_ternarylogic_epi32(bytes, _mm512_set1_epi32(mask), _mm512_set1_epi32(exponent), 0xea);
            return _mm512_castps_si512(_mm512_sub_ps(_mm512_castsi512_ps(bits), _mm512_set1_ps(offset)));
        };
        const __m512i even = whole(0xff, 0x4b000000, 0x1p23f + 128);
        const __m512i odd = whole(0xff00, 0x47000000, 0x1p15f + 128);
        return _mm512_mask_shuffle_epi8(odd, 0x3333333333333333ull, even, places);
    }
};

// Two e4m3 in each word. 128 magnitudes are four tables; the sign goes on top.
template <>
struct Codes<kE4m3> {
    __m512i table[4];

    explicit Codes(const CodeFormat& format) {
        for (int i = 0; i < 4; ++i) table[i] = _mm512_loadu_si512(format.values + 32 * i);
    }

    template <int I>
    [[gnu::always_inline]] __m512i step(const unsigned char* unit, int64_t line_step) const {
        const __m512i line = load_line(unit + I / 2 * line_step);
        const __m512i code = shift_words<I % 2 * 8>(line);
        const __m512i low = _mm512_permutex2var_epi16(table[0], code, table[1]);
        const __mmask32 is_high = _mm512_test_epi16_mask(code, _mm512_set1_epi16(0x40));
        const __m512i value = _mm512_mask_mov_epi16(low, is_high, _mm512_permutex2var_epi16(table[2], code, table[3]));
        // value | (line with the code on top) & sign
        const __m512i top = shift_words<I % 2 == 0 ? -8 : 0>(line);
        return _mm512_ternarylogic_epi32(value, top, _mm512_set1_epi16(static_cast<int16_t>(0x8000)), 0xf8);
    }
};

[[gnu::always_inline]] inline __m512 multiply_add(__m512 sum, __m512i weights, __m512i x) {
    return _mm512_dpbf16_ps(sum, (__m512bh)weights, (__m512bh)x);
}

[[gnu::always_inline]] inline __m512i broadcast_pair(const uint16_t* x) {
    int32_t pair;
    std::memcpy(&pair, x, sizeof pair);
    return _mm512_set1_epi32(pair);
}

template <bool HAS_MIN, int ROWS, int PANELS>
[[gnu::always_inline]] inline void fold_as(const CodeTile& tile, const __m512 (&sum)[ROWS][PANELS], int sub) {
    const bool from_zero = tile.first && sub == 0;
    const float* scales = tile.scales + sub * kGroupRows;
    const float* mins = tile.mins + sub * kGroupRows;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
        float* c = tile.c + r * kGroupRows;
        __m512 x_sum = _mm512_setzero_ps();
        if constexpr (HAS_MIN) x_sum = _mm512_set1_ps(tile.x_sums[r * tile.x_sums_stride + sub]);
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) {
            __m512 total = from_zero ? _mm512_setzero_ps() : _mm512_load_ps(c + p * kPanelRows);
            total = _mm512_fmadd_ps(_mm512_load_ps(scales + p * kPanelRows), sum[r][p], total);
            if constexpr (HAS_MIN) total = _mm512_fnmadd_ps(_mm512_load_ps(mins + p * kPanelRows), x_sum, total);
            _mm512_store_ps(c + p * kPanelRows, total);
        }
    }
}

// c += scale * sum - min * x_sum for sub-block `sub`: the one place where a sub-block's sums leave their registers.
template <int ROWS, int PANELS>
[[gnu::always_inline]] inline void fold(const CodeTile& tile, const __m512 (&sum)[ROWS][PANELS], int sub) {
    if (tile.x_sums) {
        fold_as<true>(tile, sum, sub);
    } else {
        fold_as<false>(tile, sum, sub);
    }
}

template <int ROWS, int PANELS>
[[gnu::always_inline]] inline void clear(__m512 (&sum)[ROWS][PANELS]) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) sum[r][p] = _mm512_setzero_ps();
    }
}

template <int PLANES>
constexpr int kLines = PLANES == kNibbles ? 4
                       : PLANES == kFive  ? 5
                       : PLANES == kSix   ? 6
                       : PLANES == kPairs ? 2
                       : PLANES == kThree ? 3
                                          : 8;

// The I'th sixteenth of as many lines as a unit of PANELS panels has: fetches that come all at once stall the loads.
template <int I, int PLANES, int PANELS>
[[gnu::always_inline]] inline void prefetch_share(const char* at) {
    constexpr int kTotal = kLines<PLANES> * PANELS;
#pragma GCC unroll 8
    for (int line = I * kTotal / kUnitSteps; line < (I + 1) * kTotal / kUnitSteps; ++line) {
        _mm_prefetch(at + line * kLineBytes, _MM_HINT_T1);
    }
}

// Steps I to END of a unit.
template <int I, int END, int PLANES, int ROWS, int PANELS>
[[gnu::always_inline]] inline void packed_steps(__m512 (&sum)[ROWS][PANELS], const Codes<PLANES>& codes,
                                                const unsigned char* unit, int64_t line_step, const uint16_t* x,
                                                int64_t x_stride, const char* prefetch) {
    if constexpr (I < END) {
        prefetch_share<I, PLANES, PANELS>(prefetch);
        __m512i weights[PANELS];
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) weights[p] = codes.template step<I>(unit + p * kLineBytes, line_step);
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r) {
            const __m512i pair = broadcast_pair(x + r * x_stride + 2 * I);
#pragma GCC unroll 8
            for (int p = 0; p < PANELS; ++p) sum[r][p] = multiply_add(sum[r][p], weights[p], pair);
        }
        packed_steps<I + 1, END>(sum, codes, unit, line_step, x, x_stride, prefetch);
    }
}

template <int PLANES, int ROWS, int PANELS>
void fused(const CodeTile& tile) {
    const Codes<PLANES> codes(*tile.format);
    const auto* x = static_cast<const uint16_t*>(tile.x);
    const unsigned char* unit = tile.units;
    const int64_t unit_bytes = kLines<PLANES> * tile.line_step;
    const int units = tile.subs * tile.sub_steps / kUnitSteps;
    const int units_per_sub = tile.sub_steps / kUnitSteps;
    const auto* prefetch = reinterpret_cast<const char*>(tile.prefetch);
    __m512 sum[ROWS][PANELS];
    for (int u = 0; u < units; ++u) {
        if (units_per_sub == 0) {  // two sub-blocks of 16 columns
            clear(sum);
            packed_steps<0, kUnitSteps / 2>(sum, codes, unit, tile.line_step, x, tile.x_stride, prefetch);
            fold(tile, sum, 2 * u);
            clear(sum);
            packed_steps<kUnitSteps / 2, kUnitSteps>(sum, codes, unit, tile.line_step, x, tile.x_stride, prefetch);
            fold(tile, sum, 2 * u + 1);
        } else {
            if (u % units_per_sub == 0) clear(sum);
            packed_steps<0, kUnitSteps>(sum, codes, unit, tile.line_step, x, tile.x_stride, prefetch);
            if ((u + 1) % units_per_sub == 0) fold(tile, sum, u / units_per_sub);
        }
        prefetch += kLines<PLANES> * PANELS * kLineBytes;
        for (int line = 0; line < tile.prefetch_more; ++line) {  // the scales are as long as so many lines in each unit
            _mm_prefetch(prefetch, _MM_HINT_T1);
            prefetch += kLineBytes;
        }
        unit += unit_bytes;
        x += kUnitCols;
    }
}

template <int I, int PLANES>
[[gnu::always_inline]] inline void unpack_steps(uint16_t* out, const Codes<PLANES>& codes, const unsigned char* unit,
                                                int64_t line_step, int panels) {
    if constexpr (I < kUnitSteps) {
        for (int p = 0; p < panels; ++p) {
            _mm512_store_si512(out + (I * kGroupPanels + p) * kPanelRows * 2,
                               codes.template step<I>(unit + p * kLineBytes, line_step));
        }
        unpack_steps<I + 1>(out, codes, unit, line_step, panels);
    }
}

template <int PLANES>
void unpack(uint16_t* out, const CodeTile& tile) {
    const Codes<PLANES> codes(*tile.format);
    const unsigned char* unit = tile.units;
    for (int u = 0; u < tile.subs * tile.sub_steps / kUnitSteps; ++u) {
        unpack_steps<0>(out, codes, unit, tile.line_step, tile.panels);
        unit += kLines<PLANES> * tile.line_step;
        out += kUnitSteps * kGroupPanels * kPanelRows * 2;
    }
}

template <int ROWS, int PANELS>
void times_bf16(const CodeTile& tile) {
    const auto* x = static_cast<const uint16_t*>(tile.x);
    const uint16_t* codes = tile.codes;
    for (int sub = 0; sub < tile.subs; ++sub) {
        __m512 sum[ROWS][PANELS];
        clear(sum);
        for (int step = 0; step < tile.sub_steps; ++step) {
            __m512i weights[PANELS];
#pragma GCC unroll 8
            for (int p = 0; p < PANELS; ++p) weights[p] = _mm512_load_si512(codes + p * kPanelRows * 2);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; ++r) {
                const __m512i pair = broadcast_pair(x + r * tile.x_stride);
#pragma GCC unroll 8
                for (int p = 0; p < PANELS; ++p) sum[r][p] = multiply_add(sum[r][p], weights[p], pair);
            }
            x += 2;
            codes += kGroupPanels * kPanelRows * 2;
        }
        fold(tile, sum, sub);
    }
}

template <int ROWS, int PANELS>
void times_f32(const CodeTile& tile) {
    const auto* x = static_cast<const float*>(tile.x);
    const uint16_t* codes = tile.codes;
    for (int sub = 0; sub < tile.subs; ++sub) {
        __m512 sum[ROWS][PANELS];
        clear(sum);
        for (int step = 0; step < tile.sub_steps; ++step) {
            // The even k are the low halves of the lanes, the odd ones the high halves; either is a float once it is on top.
            const auto half = [&](int odd) {
                __m512 weights[PANELS];
#pragma GCC unroll 8
                for (int p = 0; p < PANELS; ++p) {
                    const __m512i line = _mm512_load_si512(codes + p * kPanelRows * 2);
                    weights[p] = _mm512_castsi512_ps(
                        odd ? _mm512_and_si512(line, _mm512_set1_epi32(static_cast<int32_t>(0xffff0000u)))
                            : _mm512_slli_epi32(line, 16));
                }
#pragma GCC unroll 8
                for (int r = 0; r < ROWS; ++r) {
                    const __m512 value = _mm512_set1_ps(x[r * tile.x_stride + odd]);
#pragma GCC unroll 8
                    for (int p = 0; p < PANELS; ++p) sum[r][p] = _mm512_fmadd_ps(weights[p], value, sum[r][p]);
                }
            };
            half(0);
            half(1);
            x += 2;
            codes += kGroupPanels * kPanelRows * 2;
        }
        fold(tile, sum, sub);
    }
}

// clang-format off
#define CT_OF_ROWS(kernel, rows) {kernel<rows, 1>, kernel<rows, 2>, kernel<rows, 3>, kernel<rows, 4>}
#define CT_TILES(kernel)                                                                          \
    void kernel##_any(const CodeTile& tile) {                                                     \
        static constexpr CodeKernel kTiles[kMaxRows][kGroupPanels] = {                            \
            CT_OF_ROWS(kernel, 1), CT_OF_ROWS(kernel, 2), CT_OF_ROWS(kernel, 3),                  \
            CT_OF_ROWS(kernel, 4), CT_OF_ROWS(kernel, 5), CT_OF_ROWS(kernel, 6)};                 \
        kTiles[tile.rows - 1][tile.panels - 1](tile);                                             \
    }
CT_TILES(times_bf16)
CT_TILES(times_f32)

// clang-format on

template <int PLANES, int PANELS, int ROWS = kMaxFusedRows>
void fused_rows(const CodeTile& tile) {
    if constexpr (ROWS > 1) {
        if (tile.rows < ROWS) {
            fused_rows<PLANES, PANELS, ROWS - 1>(tile);
            return;
        }
    }
    fused<PLANES, ROWS, PANELS>(tile);
}

// A whole group, or panel after panel: a lane's bits do not depend on its neighbours, and the rest of a matrix is small.
template <int PLANES>
void fused_any(const CodeTile& tile) {
    if (tile.panels == kFusedPanels) {
        fused_rows<PLANES, kFusedPanels>(tile);
        return;
    }
    CodeTile one = tile;
    for (int p = 0; p < tile.panels; ++p) {
        fused_rows<PLANES, 1>(one);
        one.c += kPanelRows;
        one.units += kLineBytes;
        one.scales += kPanelRows;
        one.mins += kPanelRows;
    }
}

[[gnu::always_inline]] inline __m512 halves(const unsigned char* at) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}
[[gnu::always_inline]] inline __m128i bytes16(const unsigned char* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
[[gnu::always_inline]] inline __m512 unsigned_bytes(__m128i bytes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}

// Of one sub-block of one panel.
struct ScaleAndMin {
    __m512 scale;
    __m512 min;
};

template <ScaleKind KIND>
[[gnu::always_inline]] inline ScaleAndMin scale_of(const unsigned char* from, int subs, int s) {
    const __m512 zero = _mm512_setzero_ps();
    if constexpr (KIND == kHalf) return {halves(from + s * 32), zero};
    if constexpr (KIND == kHalfMin) return {halves(from + s * 32), _mm512_sub_ps(zero, halves(from + (subs + s) * 32))};
    if constexpr (KIND == kPower) {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + s * 32));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16)), zero};
    }
    if constexpr (KIND == kFloat) return {_mm512_loadu_ps(from + s * 64), zero};
    if constexpr (KIND == kFloatZero) {
        const __m512 scale = _mm512_loadu_ps(from + s * 64);
        return {scale, _mm512_mul_ps(scale, unsigned_bytes(bytes16(from + subs * 64 + s * 16)))};
    }
    if constexpr (KIND == kSuper) {
        const __m512 sub = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes16(from + 32 + s * 16)));
        return {_mm512_mul_ps(halves(from), sub), zero};
    }
    if constexpr (KIND == kSuperMin) {
        return {_mm512_mul_ps(halves(from), unsigned_bytes(bytes16(from + 64 + s * 16))),
                _mm512_mul_ps(halves(from + 32), unsigned_bytes(bytes16(from + 64 + (subs + s) * 16)))};
    }
    const __m128i both = bytes16(from + 64 + s * 16);
    const __m128i low = _mm_set1_epi8(0xf);
    return {_mm512_mul_ps(halves(from), unsigned_bytes(_mm_and_si128(both, low))),
            _mm512_mul_ps(halves(from + 32), unsigned_bytes(_mm_and_si128(_mm_srli_epi16(both, 4), low)))};
}

template <ScaleKind KIND>
void expand_kind(float* scales, float* mins, const unsigned char* from, int64_t panel_bytes, int subs, int panels) {
    constexpr bool kHasMin = KIND == kHalfMin || KIND == kFloatZero || KIND == kSuperMin || KIND == kSuperNibbles;
    for (int p = 0; p < panels; ++p) {
        for (int s = 0; s < subs; ++s) {
            const ScaleAndMin both = scale_of<KIND>(from + p * panel_bytes, subs, s);
            _mm512_store_ps(scales + (s * kGroupPanels + p) * kPanelRows, both.scale);
            if constexpr (kHasMin) _mm512_store_ps(mins + (s * kGroupPanels + p) * kPanelRows, both.min);
        }
    }
}

void expand_scales(float* scales, float* mins, const unsigned char* from, int64_t panel_bytes, ScaleKind kind, int subs,
                   int panels) {
    static constexpr decltype(&expand_kind<kHalf>) kKinds[] = {
        expand_kind<kHalf>,      expand_kind<kHalfMin>, expand_kind<kPower>,    expand_kind<kFloat>,
        expand_kind<kFloatZero>, expand_kind<kSuper>,   expand_kind<kSuperMin>, expand_kind<kSuperNibbles>};
    kKinds[kind](scales, mins, from, panel_bytes, subs, panels);
}

template <typename Load>
[[gnu::always_inline]] inline void sum_runs(float* sums, int64_t cols, int64_t sub, Load load) {
    for (int64_t begin = 0; begin < cols; begin += sub) {
        __m512 sum = load(begin);
        for (int64_t i = 16; i < sub; i += 16) sum = _mm512_add_ps(sum, load(begin + i));
        *sums++ = _mm512_reduce_add_ps(sum);
    }
}

void sum_bf16(float* sums, const void* x, int64_t cols, int64_t sub) {
    const auto* in = static_cast<const uint16_t*>(x);
    sum_runs(sums, cols, sub, [&](int64_t i) {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i));
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(words), 16));
    });
}

void sum_f32(float* sums, const void* x, int64_t cols, int64_t sub) {
    sum_runs(sums, cols, sub, [&](int64_t i) { return _mm512_loadu_ps(static_cast<const float*>(x) + i); });
}

}  // namespace

const CodeKernels kAvx512CodeKernels = {
    kMaxRows,
    kMaxFusedRows,
    {fused_any<kNibbles>, fused_any<kFive>, fused_any<kSix>, fused_any<kPairs>, fused_any<kThree>, fused_any<kBytes>,
     fused_any<kE4m3>},
    times_bf16_any,
    times_f32_any,
    {unpack<kNibbles>, unpack<kFive>, unpack<kSix>, unpack<kPairs>, unpack<kThree>, unpack<kBytes>, unpack<kE4m3>},
    expand_scales,
    sum_bf16,
    sum_f32,
};

}  // namespace ct::linear
