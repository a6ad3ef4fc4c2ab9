// codes_avx2.cpp: kernels of codes.h for AVX2 with FMA. Everything is summed in float32.
#include <immintrin.h>

#include <cstring>

#include "kernels/linear/codes.h"

namespace ct::linear {
namespace {

// As in linear_avx2.cpp: at most 10 sums, and more panels at once with few rows.
constexpr int kMaxRows = 5;
constexpr int kLanes = 8;
constexpr int kHalves = kPanelRows / kLanes;

constexpr int panels_at_once(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

[[gnu::always_inline]] inline __m256i load_half(const void* line, int half) {
    return _mm256_load_si256(static_cast<const __m256i*>(line) + half);
}

// c += scale * sum - min * x_sum
template <int ROWS, int HALVES>
[[gnu::always_inline]] inline void fold(const CodeTile& tile, const __m256 (&sum)[ROWS][HALVES], int panel, int sub) {
    const bool from_zero = tile.first && sub == 0;
    const int64_t at = sub * kGroupRows + panel * kPanelRows;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int h = 0; h < HALVES; ++h) {
            float* c = tile.c + r * kGroupRows + panel * kPanelRows + h * kLanes;
            __m256 total = from_zero ? _mm256_setzero_ps() : _mm256_load_ps(c);
            total = _mm256_fmadd_ps(_mm256_load_ps(tile.scales + at + h * kLanes), sum[r][h], total);
            if (tile.x_sums) {
                const __m256 x_sum = _mm256_broadcast_ss(tile.x_sums + r * tile.x_sums_stride + sub);
                total = _mm256_fnmadd_ps(_mm256_load_ps(tile.mins + at + h * kLanes), x_sum, total);
            }
            _mm256_store_ps(c, total);
        }
    }
}

template <int ROWS, int PANELS>
void times_panels(const CodeTile& tile, int panel) {
    constexpr int kSums = PANELS * kHalves;
    const auto* x = static_cast<const float*>(tile.x);
    const uint16_t* codes = tile.codes + panel * kPanelRows * 2;
    for (int sub = 0; sub < tile.subs; ++sub) {
        __m256 sum[ROWS][kSums];
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
            for (int h = 0; h < kSums; ++h) sum[r][h] = _mm256_setzero_ps();
        }
        for (int step = 0; step < tile.sub_steps; ++step) {
            // The even k are the low halves of the lanes, the odd ones the high halves.
            const auto half_step = [&](int odd) {
                __m256 value[ROWS];
#pragma GCC unroll 8
                for (int r = 0; r < ROWS; ++r) value[r] = _mm256_broadcast_ss(x + r * tile.x_stride + odd);
#pragma GCC unroll 8
                for (int h = 0; h < kSums; ++h) {
                    const __m256i line = load_half(codes, h);
                    const __m256i bits =
                        odd ? _mm256_and_si256(line, _mm256_set1_epi32(static_cast<int32_t>(0xffff0000u)))
                            : _mm256_slli_epi32(line, 16);
#pragma GCC unroll 8
                    for (int r = 0; r < ROWS; ++r) {
                        sum[r][h] = _mm256_fmadd_ps(_mm256_castsi256_ps(bits), value[r], sum[r][h]);
                    }
                }
            };
            half_step(0);
            half_step(1);
            x += 2;
            codes += kGroupPanels * kPanelRows * 2;
        }
        fold(tile, sum, panel, sub);
    }
}

template <int ROWS>
void times_rows(const CodeTile& tile) {
    constexpr int kAtOnce = panels_at_once(ROWS);
    int panel = 0;
    for (; panel + kAtOnce <= tile.panels; panel += kAtOnce) times_panels<ROWS, kAtOnce>(tile, panel);
    for (; panel < tile.panels; ++panel) times_panels<ROWS, 1>(tile, panel);
}

void times_f32(const CodeTile& tile) {
    static constexpr CodeKernel kTiles[kMaxRows] = {times_rows<1>, times_rows<2>, times_rows<3>, times_rows<4>,
                                                    times_rows<5>};
    kTiles[tile.rows - 1](tile);
}

// Small tables of bytes by vpshufb: the low and the high bytes of bf16 values of 16 codes.
struct ByteTables {
    __m256i low;
    __m256i high;

    explicit ByteTables(const uint16_t* values) {
        alignas(16) unsigned char bytes[2][16];
        for (int i = 0; i < 16; ++i) {
            bytes[0][i] = static_cast<unsigned char>(values[i]);
            bytes[1][i] = static_cast<unsigned char>(values[i] >> 8);
        }
        low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes[0])));
        high = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes[1])));
    }

    // Of codes of 4 bits, one in each 16-bit word, the words' other bits zero.
    [[gnu::always_inline]] __m256i look_up(__m256i words) const {
        // The high byte of a word looks up the high table, its low byte the low one; vpshufb gives 0 where bit 7 is set.
        const __m256i low_index = _mm256_or_si256(words, _mm256_set1_epi16(static_cast<int16_t>(0x8000)));
        const __m256i high_index = _mm256_or_si256(_mm256_slli_epi16(words, 8), _mm256_set1_epi16(0x80));
        return _mm256_or_si256(_mm256_shuffle_epi8(low, low_index), _mm256_shuffle_epi8(high, high_index));
    }
};

// BITS bits a code in the first lines of the unit, HIGH more in the lines after them: 2^HIGH or fewer tables of 16 codes.
template <int BITS, int HIGH>
void unpack_planes(uint16_t* out, const CodeTile& tile) {
    constexpr int kPerWord = 16 / BITS;
    constexpr int kLowLines = kUnitSteps / kPerWord;
    constexpr int kHighPerWord = HIGH == 0 ? 1 : 16 / HIGH;
    constexpr int kHighLines = HIGH == 0 ? 0 : kUnitSteps / kHighPerWord;
    constexpr int kTables = BITS == 4 ? 1 << HIGH : 1;
    const uint16_t* values = tile.format->values;
    const ByteTables tables[] = {ByteTables(values), ByteTables(values + 16), ByteTables(values + 32),
                                 ByteTables(values + 48)};
    const unsigned char* unit = tile.units;
    for (int step = 0; step < tile.subs * tile.sub_steps; ++step) {
        const int i = step % kUnitSteps;
        const __m128i low_shift = _mm_cvtsi32_si128(i % kPerWord * BITS);
        const __m128i high_shift = _mm_cvtsi32_si128(i % kHighPerWord * HIGH);
        for (int half = 0; half < tile.panels * kHalves; ++half) {
            const auto words = [&](int line) { return load_half(unit + line * tile.line_step, half); };
            __m256i code =
                _mm256_and_si256(_mm256_srl_epi16(words(i / kPerWord), low_shift), _mm256_set1_epi16((1 << BITS) - 1));
            __m256i high = _mm256_setzero_si256();
            if constexpr (HIGH != 0) {
                high = _mm256_and_si256(_mm256_srl_epi16(words(kLowLines + i / kHighPerWord), high_shift),
                                        _mm256_set1_epi16((1 << HIGH) - 1));
            }
            if constexpr (BITS < 4 && HIGH != 0) code = _mm256_or_si256(code, _mm256_slli_epi16(high, BITS));
            __m256i value = tables[0].look_up(code);
            for (int t = 1; t < kTables; ++t) {
                const __m256i here = _mm256_cmpeq_epi16(high, _mm256_set1_epi16(static_cast<int16_t>(t)));
                value = _mm256_blendv_epi8(value, tables[t].look_up(code), here);
            }
            _mm256_store_si256(reinterpret_cast<__m256i*>(out) + half, value);
        }
        out += kGroupPanels * kPanelRows * 2;
        if (i == kUnitSteps - 1) unit += (kLowLines + kHighLines) * tile.line_step;
    }
}

// The bf16 of two floats whose lower halves are zero: the even one in the low half.
[[gnu::always_inline]] inline __m256i pair_of(__m256 even, __m256 odd) {
    return _mm256_or_si256(_mm256_srli_epi32(_mm256_castps_si256(even), 16), _mm256_castps_si256(odd));
}

template <typename FloatOf>
[[gnu::always_inline]] inline void unpack_eights(uint16_t* out, const CodeTile& tile, FloatOf float_of) {
    for (int step = 0; step < tile.subs * tile.sub_steps; ++step) {
        const unsigned char* line = tile.units + step / 2 * tile.line_step;
        for (int half = 0; half < tile.panels * kHalves; ++half) {
            const __m256i bytes = load_half(line, half);
            const __m256i pair = pair_of(float_of(bytes, step % 2, 0), float_of(bytes, step % 2, 1));
            _mm256_store_si256(reinterpret_cast<__m256i*>(out) + half, pair);
        }
        out += kGroupPanels * kPanelRows * 2;
    }
}

// Byte `index` of each 32 bits.
[[gnu::always_inline]] inline __m256i byte_of(__m256i bytes, int index) {
    return _mm256_and_si256(_mm256_srl_epi32(bytes, _mm_cvtsi32_si128(8 * index)), _mm256_set1_epi32(0xff));
}

void unpack_bytes(uint16_t* out, const CodeTile& tile) {
    unpack_eights(out, tile, [](__m256i bytes, int second, int odd) {
        return _mm256_cvtepi32_ps(_mm256_sub_epi32(byte_of(bytes, 2 * second + odd), _mm256_set1_epi32(128)));
    });
}

void unpack_e4m3(uint16_t* out, const CodeTile& tile) {
    unpack_eights(out, tile, [](__m256i bytes, int second, int odd) {
        const __m256i code = byte_of(bytes, 2 * odd + second);
        const __m256i magnitude = _mm256_and_si256(code, _mm256_set1_epi32(0x7f));
        const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(code, _mm256_set1_epi32(0x80)), 24);
        // The exponent's field is 120 too small; one exact product also makes subnormals normal.
        const __m256 value =
            _mm256_mul_ps(_mm256_castsi256_ps(_mm256_slli_epi32(magnitude, 20)), _mm256_set1_ps(0x1p120f));
        const __m256i is_nan = _mm256_cmpeq_epi32(magnitude, _mm256_set1_epi32(0x7f));
        const __m256i bits = _mm256_blendv_epi8(_mm256_castps_si256(value), _mm256_set1_epi32(0x7fc00000), is_nan);
        return _mm256_castsi256_ps(_mm256_or_si256(bits, sign));
    });
}

[[gnu::always_inline]] inline __m256 halves(const unsigned char* at) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}
[[gnu::always_inline]] inline __m128i bytes8(const unsigned char* at) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(at));
}
[[gnu::always_inline]] inline __m256 unsigned_bytes(__m128i bytes) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes));
}

// Rows [first, first + 8) of a panel's sub-block s.
[[gnu::always_inline]] inline void expand_eight(float* scale, float* min, const unsigned char* from, ScaleKind kind,
                                                int subs, int s, int first) {
    const auto half = [&](int index) { return halves(from + index * 32 + first * 2); };
    const auto byte = [&](int start, int index) { return bytes8(from + start + index * kPanelRows + first); };
    const __m128i low = _mm_set1_epi8(0xf);
    switch (kind) {
        case kHalf:
            _mm256_store_ps(scale, half(s));
            return;
        case kHalfMin:
            _mm256_store_ps(scale, half(s));
            _mm256_store_ps(min, _mm256_sub_ps(_mm256_setzero_ps(), half(subs + s)));
            return;
        case kPower: {
            const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + s * 32 + first * 2));
            _mm256_store_ps(scale, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16)));
            return;
        }
        case kFloat:
        case kFloatZero: {
            const __m256 value = _mm256_loadu_ps(reinterpret_cast<const float*>(from + s * 64) + first);
            _mm256_store_ps(scale, value);
            if (kind == kFloatZero) _mm256_store_ps(min, _mm256_mul_ps(value, unsigned_bytes(byte(subs * 64, s))));
            return;
        }
        case kSuper:
            _mm256_store_ps(scale, _mm256_mul_ps(half(0), _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(byte(32, s)))));
            return;
        case kSuperMin:
            _mm256_store_ps(scale, _mm256_mul_ps(half(0), unsigned_bytes(byte(64, s))));
            _mm256_store_ps(min, _mm256_mul_ps(half(1), unsigned_bytes(byte(64, subs + s))));
            return;
        case kSuperNibbles: {
            const __m128i both = byte(64, s);
            _mm256_store_ps(scale, _mm256_mul_ps(half(0), unsigned_bytes(_mm_and_si128(both, low))));
            _mm256_store_ps(min, _mm256_mul_ps(half(1), unsigned_bytes(_mm_and_si128(_mm_srli_epi16(both, 4), low))));
            return;
        }
    }
}

void expand_scales(float* scales, float* mins, const unsigned char* from, int64_t panel_bytes, ScaleKind kind, int subs,
                   int panels) {
    for (int p = 0; p < panels; ++p) {
        for (int s = 0; s < subs; ++s) {
            const int64_t to = (s * kGroupPanels + p) * kPanelRows;
            for (int first = 0; first < kPanelRows; first += kLanes) {
                expand_eight(scales + to + first, mins + to + first, from + p * panel_bytes, kind, subs, s, first);
            }
        }
    }
}

template <typename Load>
[[gnu::always_inline]] inline void sum_runs(float* sums, int64_t cols, int64_t sub, Load load) {
    for (int64_t begin = 0; begin < cols; begin += sub) {
        __m256 sum = load(begin);
        for (int64_t i = kLanes; i < sub; i += kLanes) sum = _mm256_add_ps(sum, load(begin + i));
        const __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
        const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
        *sums++ = _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
    }
}

void sum_bf16(float* sums, const void* x, int64_t cols, int64_t sub) {
    const auto* in = static_cast<const uint16_t*>(x);
    sum_runs(sums, cols, sub, [&](int64_t i) {
        const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(words), 16));
    });
}

void sum_f32(float* sums, const void* x, int64_t cols, int64_t sub) {
    sum_runs(sums, cols, sub, [&](int64_t i) { return _mm256_loadu_ps(static_cast<const float*>(x) + i); });
}

}  // namespace

const CodeKernels kAvx2CodeKernels = {
    kMaxRows,
    0,
    {},
    nullptr,
    times_f32,
    {unpack_planes<4, 0>, unpack_planes<4, 1>, unpack_planes<4, 2>, unpack_planes<2, 0>, unpack_planes<2, 1>,
     unpack_bytes, unpack_e4m3},
    expand_scales,
    sum_bf16,
    sum_f32,
};

}  // namespace ct::linear
