// linear_avx2.cpp: tile kernels for AVX2 with FMA. Everything is summed in float32.
#include <immintrin.h>

#include "cortado.h"
#include "kernels/linear/linear.h"

namespace ct::linear {
namespace {

// 16 registers: at most 10 sums, 2 lines of weights, a broadcast, a mask. (With 12 sums GCC 12 spills some in every
// step, and a third of the speed goes.) Few rows take more panels at once, so that there are always enough independent
// chains of additions to hide their latency.
constexpr int kMaxRows = 5;
constexpr int kLanes = 8;
constexpr int kHalves = kPanelRows / kLanes;

constexpr int panels_at_once(int rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

template <int ROWS, int HALVES, typename Weight>
[[gnu::always_inline]] inline void step(__m256 (&sum)[ROWS][HALVES], const float* x, int64_t x_stride,
                                        Weight weight_of) {
    if constexpr (ROWS == 1) {  // no weight is used twice: do not hold them all
        const __m256 value = _mm256_broadcast_ss(x);
#pragma GCC unroll 8
        for (int h = 0; h < HALVES; ++h) {
            sum[0][h] = _mm256_fmadd_ps(weight_of(h), value, sum[0][h]);
        }
        return;
    }
    __m256 weight[HALVES];
#pragma GCC unroll 8
    for (int h = 0; h < HALVES; ++h) {
        weight[h] = weight_of(h);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
        const __m256 value = _mm256_broadcast_ss(x + r * x_stride);
#pragma GCC unroll 8
        for (int h = 0; h < HALVES; ++h) {
            sum[r][h] = _mm256_fmadd_ps(weight[h], value, sum[r][h]);
        }
    }
}

[[gnu::always_inline]] inline __m256i load_half(const unsigned char* line, int half) {
    return _mm256_load_si256(reinterpret_cast<const __m256i*>(line + half * 32));
}

[[gnu::always_inline]] inline void prefetch_step(const char*& at, int lines) {
    for (int line = 0; line < lines; ++line) {
        _mm_prefetch(at, _MM_HINT_T0);
        at += kLineBytes;
    }
}
// Sums of PANELS panels from `panel` on.
template <int ROWS, int PANELS, bool BF16>
void tile_panels(const Tile& tile, int panel) {
    constexpr int kSums = PANELS * kHalves;
    __m256 sum[ROWS][kSums];
    float* c = tile.c + panel * kPanelRows;
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int h = 0; h < kSums; ++h) {
            sum[r][h] = tile.first ? _mm256_setzero_ps() : _mm256_load_ps(c + r * kGroupRows + h * kLanes);
        }
    }
    const auto* x = static_cast<const float*>(tile.x);
    const unsigned char* w = tile.w + panel * kLineBytes;
    const auto* prefetch = reinterpret_cast<const char*>(tile.prefetch);
    const int prefetch_lines = panel == 0 ? tile.prefetch_lines : 0;  // the first pass fetches for all panels
    if constexpr (BF16) {
        // The even k are the low halves of the lanes, the odd ones the high halves.
        const auto even = [&](int h) { return _mm256_castsi256_ps(_mm256_slli_epi32(load_half(w, h), 16)); };
        const auto odd = [&](int h) {
            const __m256i high = _mm256_set1_epi32(static_cast<int32_t>(0xffff0000u));
            return _mm256_castsi256_ps(_mm256_and_si256(load_half(w, h), high));
        };
        for (int64_t pairs = tile.cols / 2; pairs > 0; --pairs) {
            step(sum, x, tile.x_stride, even);
            step(sum, x + 1, tile.x_stride, odd);
            prefetch_step(prefetch, prefetch_lines);
            x += 2;
            w += tile.w_step;
        }
        if (tile.cols % 2) {
            step(sum, x, tile.x_stride, even);
        }
    } else {
        for (int64_t k = 0; k < tile.cols; ++k) {
            step(sum, x, tile.x_stride, [&](int h) { return _mm256_castsi256_ps(load_half(w, h)); });
            prefetch_step(prefetch, prefetch_lines);
            ++x;
            w += tile.w_step;
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int h = 0; h < kSums; ++h) {
            _mm256_store_ps(c + r * kGroupRows + h * kLanes, sum[r][h]);
        }
    }
}

template <int ROWS, bool BF16>
void tile_rows(const Tile& tile) {
    constexpr int kAtOnce = panels_at_once(ROWS);
    int panel = 0;
    for (; panel + kAtOnce <= tile.panels; panel += kAtOnce) {
        tile_panels<ROWS, kAtOnce, BF16>(tile, panel);
    }
    for (; panel < tile.panels; ++panel) {
        tile_panels<ROWS, 1, BF16>(tile, panel);
    }
}

template <bool BF16>
void tile_f32(const Tile& tile) {
    static constexpr TileKernel kTiles[kMaxRows] = {tile_rows<1, BF16>, tile_rows<2, BF16>, tile_rows<3, BF16>,
                                                    tile_rows<4, BF16>, tile_rows<5, BF16>};
    kTiles[tile.rows - 1](tile);
}

void expand(float* out, const void* bf16_in, int64_t count) {
    const auto* in = static_cast<const uint16_t*>(bf16_in);
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
        const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
        _mm256_storeu_ps(out + i, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(narrow), 16)));
    }
    for (; i < count; ++i) {
        _mm_store_ss(out + i, _mm_castsi128_ps(_mm_cvtsi32_si128(in[i] << 16)));
    }
}

void widen(float* out, const unsigned char* w, int64_t w_step, int64_t cols, int panels) {
    const __m256i high = _mm256_set1_epi32(static_cast<int32_t>(0xffff0000u));
    for (int64_t k = 0; k < cols; k += 2) {
        for (int i = 0; i < panels * kPanelRows; i += kLanes) {
            const __m256i pairs = _mm256_load_si256(reinterpret_cast<const __m256i*>(w + i * 4));
            _mm256_store_ps(out + i, _mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)));
            if (k + 1 < cols) _mm256_store_ps(out + kGroupRows + i, _mm256_castsi256_ps(_mm256_and_si256(pairs, high)));
        }
        out += 2 * kGroupRows;
        w += w_step;
    }
}

// Round to nearest even, NaN stays NaN (core.h's to_bf16, 8 at a time): the bf16s in the low halves of the lanes.
[[gnu::always_inline]] inline __m256i round_to_bf16(__m256 value) {
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
}

void finish(void* y, const float* c, const float* bias, int64_t cols, int32_t y_dtype) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    for (int64_t i = 0; i < cols; i += kLanes) {
        const int64_t left = cols - i < kLanes ? cols - i : kLanes;
        const __m256i mask = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int32_t>(left)), lane);
        __m256 value = _mm256_load_ps(c + i);
        if (bias) {
            value = _mm256_add_ps(value, _mm256_maskload_ps(bias + i, mask));
        }
        if (y_dtype == CT_F32) {
            _mm256_maskstore_ps(static_cast<float*>(y) + i, mask, value);
            continue;
        }
        const __m256i wide = round_to_bf16(value);
        const __m128i narrow = _mm_packus_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
        auto* out = static_cast<uint16_t*>(y) + i;
        if (left == kLanes) {
            _mm_storeu_si128(reinterpret_cast<__m128i*>(out), narrow);
            continue;
        }
        alignas(16) uint16_t rest[kLanes];
        _mm_store_si128(reinterpret_cast<__m128i*>(rest), narrow);
        for (int64_t j = 0; j < left; ++j) {
            out[j] = rest[j];
        }
    }
}

}  // namespace

const Kernels kAvx2Kernels = {kMaxRows, nullptr, tile_f32<true>, tile_f32<false>, expand, widen, finish};

}  // namespace ct::linear
