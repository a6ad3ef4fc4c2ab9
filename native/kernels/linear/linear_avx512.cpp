// linear_avx512.cpp: tile kernels for AVX-512 with BF16.
#include <immintrin.h>

// GCC 12 takes _mm512_undefined_epi32 for a use of an uninitialised variable (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <cstring>

#include "cortado.h"
#include "kernels/linear/linear.h"

namespace ct::linear {
namespace {

// 6 rows x 4 panels: 24 sums, 4 lines of weights and a broadcast fill the 32 registers. 4 loads of weights and 6
// broadcasts feed 24 multiply-adds, so the multipliers are the limit, not the two load ports.
constexpr int kMaxRows = 6;

template <int ROWS, int PANELS>
[[gnu::always_inline]] inline void load_sums(__m512 (&sum)[ROWS][PANELS], const Tile& tile) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) {
            sum[r][p] = tile.first ? _mm512_setzero_ps() : _mm512_load_ps(tile.c + r * kGroupRows + p * kPanelRows);
        }
    }
}

template <int ROWS, int PANELS>
[[gnu::always_inline]] inline void store_sums(const Tile& tile, const __m512 (&sum)[ROWS][PANELS]) {
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) {
            _mm512_store_ps(tile.c + r * kGroupRows + p * kPanelRows, sum[r][p]);
        }
    }
}

[[gnu::always_inline]] inline void prefetch_step(const char*& at, int lines) {
    for (int line = 0; line < lines; ++line) {
        _mm_prefetch(at, _MM_HINT_T0);
        at += kLineBytes;
    }
}
// One step: a pair of k in each 32-bit lane.
template <int ROWS, int PANELS, typename Pair>
[[gnu::always_inline]] inline void step_bf16_bf16(__m512 (&sum)[ROWS][PANELS], const unsigned char* w, Pair pair) {
    __m512bh weight[PANELS];
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; ++p) {
        weight[p] = (__m512bh)_mm512_load_si512(w + p * kLineBytes);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
        const __m512bh x = (__m512bh)_mm512_set1_epi32(pair(r));
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) {
            sum[r][p] = _mm512_dpbf16_ps(sum[r][p], weight[p], x);
        }
    }
}

template <int ROWS, int PANELS>
void tile_bf16_bf16(const Tile& tile) {
    __m512 sum[ROWS][PANELS];
    load_sums(sum, tile);
    const auto* x = static_cast<const uint16_t*>(tile.x);
    const unsigned char* w = tile.w;
    const auto* prefetch = reinterpret_cast<const char*>(tile.prefetch);
    const int prefetch_lines = tile.prefetch_lines;
    for (int64_t pairs = tile.cols / 2; pairs > 0; --pairs) {
        step_bf16_bf16(sum, w, [&](int r) {
            int32_t pair;
            std::memcpy(&pair, x + r * tile.x_stride, sizeof pair);
            return pair;
        });
        prefetch_step(prefetch, prefetch_lines);
        x += 2;
        w += tile.w_step;
    }
    if (tile.cols % 2) {  // what lies after the row's end may be NaN, which not even a zero weight can mute
        step_bf16_bf16(sum, w, [&](int r) { return static_cast<int32_t>(x[r * tile.x_stride]); });
    }
    store_sums(tile, sum);
}

template <int ROWS, int PANELS, typename Weight>
[[gnu::always_inline]] inline void step_f32(__m512 (&sum)[ROWS][PANELS], const float* x, int64_t x_stride,
                                            Weight weight_of) {
    __m512 weight[PANELS];
#pragma GCC unroll 8
    for (int p = 0; p < PANELS; ++p) {
        weight[p] = weight_of(p);
    }
#pragma GCC unroll 8
    for (int r = 0; r < ROWS; ++r) {
        const __m512 value = _mm512_set1_ps(x[r * x_stride]);
#pragma GCC unroll 8
        for (int p = 0; p < PANELS; ++p) {
            sum[r][p] = _mm512_fmadd_ps(weight[p], value, sum[r][p]);
        }
    }
}

// The even k are the low halves of the lanes, the odd ones the high halves; either half is a float32 once it is on top.
[[gnu::always_inline]] inline __m512 even_weights(const unsigned char* line) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_load_si512(line), 16));
}
[[gnu::always_inline]] inline __m512 odd_weights(const unsigned char* line) {
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_load_si512(line), _mm512_set1_epi32(static_cast<int32_t>(0xffff0000u))));
}

template <int ROWS, int PANELS>
void tile_f32_bf16(const Tile& tile) {
    __m512 sum[ROWS][PANELS];
    load_sums(sum, tile);
    const auto* x = static_cast<const float*>(tile.x);
    const unsigned char* w = tile.w;
    const auto* prefetch = reinterpret_cast<const char*>(tile.prefetch);
    const int prefetch_lines = tile.prefetch_lines;
    for (int64_t pairs = tile.cols / 2; pairs > 0; --pairs) {
        step_f32(sum, x, tile.x_stride, [&](int p) { return even_weights(w + p * kLineBytes); });
        step_f32(sum, x + 1, tile.x_stride, [&](int p) { return odd_weights(w + p * kLineBytes); });
        prefetch_step(prefetch, prefetch_lines);
        x += 2;
        w += tile.w_step;
    }
    if (tile.cols % 2) {
        step_f32(sum, x, tile.x_stride, [&](int p) { return even_weights(w + p * kLineBytes); });
    }
    store_sums(tile, sum);
}

template <int ROWS, int PANELS>
void tile_f32_f32(const Tile& tile) {
    __m512 sum[ROWS][PANELS];
    load_sums(sum, tile);
    const auto* x = static_cast<const float*>(tile.x);
    const unsigned char* w = tile.w;
    const auto* prefetch = reinterpret_cast<const char*>(tile.prefetch);
    const int prefetch_lines = tile.prefetch_lines;
    for (int64_t k = 0; k < tile.cols; ++k) {
        step_f32(sum, x, tile.x_stride, [&](int p) { return _mm512_load_ps(w + p * kLineBytes); });
        prefetch_step(prefetch, prefetch_lines);
        ++x;
        w += tile.w_step;
    }
    store_sums(tile, sum);
}

// clang-format off
#define CT_TILES_OF_ROWS(kernel, rows) {kernel<rows, 1>, kernel<rows, 2>, kernel<rows, 3>, kernel<rows, 4>}
#define CT_TILES(kernel)                                                                          \
    void kernel##_any(const Tile& tile) {                                                         \
        static constexpr TileKernel kTiles[kMaxRows][kGroupPanels] = {                            \
            CT_TILES_OF_ROWS(kernel, 1), CT_TILES_OF_ROWS(kernel, 2), CT_TILES_OF_ROWS(kernel, 3), \
            CT_TILES_OF_ROWS(kernel, 4), CT_TILES_OF_ROWS(kernel, 5), CT_TILES_OF_ROWS(kernel, 6)}; \
        kTiles[tile.rows - 1][tile.panels - 1](tile);                                             \
    }
CT_TILES(tile_bf16_bf16)
CT_TILES(tile_f32_bf16)
CT_TILES(tile_f32_f32)
// clang-format on

[[gnu::always_inline]] inline __m512i widened(__m256i narrow) {
    return _mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16);
}

void expand(float* out, const void* bf16_in, int64_t count) {
    const auto* in = static_cast<const uint16_t*>(bf16_in);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        _mm512_storeu_si512(out + i, widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
    }
    if (i == count) return;
    const auto mask = static_cast<__mmask16>((1 << (count - i)) - 1);
    _mm512_mask_storeu_epi32(out + i, mask, widened(_mm256_maskz_loadu_epi16(mask, in + i)));
}

void widen(float* out, const unsigned char* w, int64_t w_step, int64_t cols, int panels) {
    for (int64_t k = 0; k < cols; k += 2) {
        for (int p = 0; p < panels; ++p) {
            _mm512_store_ps(out + p * kPanelRows, even_weights(w + p * kLineBytes));
            if (k + 1 < cols) _mm512_store_ps(out + kGroupRows + p * kPanelRows, odd_weights(w + p * kLineBytes));
        }
        out += 2 * kGroupRows;
        w += w_step;
    }
}

void finish(void* y, const float* c, const float* bias, int64_t cols, int32_t y_dtype) {
    for (int64_t i = 0; i < cols; i += 16) {
        const auto mask = static_cast<__mmask16>(cols - i >= 16 ? 0xffff : (1 << (cols - i)) - 1);
        __m512 value = _mm512_load_ps(c + i);
        if (bias) {
            value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, bias + i));
        }
        if (y_dtype == CT_F32) {
            _mm512_mask_storeu_ps(static_cast<float*>(y) + i, mask, value);
        } else {
            _mm256_mask_storeu_epi16(static_cast<uint16_t*>(y) + i, mask, (__m256i)_mm512_cvtneps_pbh(value));
        }
    }
}

}  // namespace

const Kernels kAvx512Kernels = {kMaxRows, tile_bf16_bf16_any, tile_f32_bf16_any, tile_f32_f32_any, expand, widen,
                                finish};
const Kernels kAvx512FloatKernels = {kMaxRows, nullptr, tile_f32_bf16_any, tile_f32_f32_any, expand, widen, finish};

}  // namespace ct::linear
