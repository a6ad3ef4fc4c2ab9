// linear_scalar.cpp: tile kernels in plain C++, for machines without AVX2.
#include <algorithm>
#include <type_traits>

#include "core/core.h"
#include "kernels/linear/linear.h"

namespace ct::linear {
namespace {

constexpr int kMaxRows = 8;

float weight_of(const unsigned char* line, int lane, int64_t, float) {
    float value;
    std::memcpy(&value, line + lane * 4, sizeof value);
    return value;
}

float weight_of(const unsigned char* line, int lane, int64_t k, bf16) {
    bf16 value;
    std::memcpy(&value, line + lane * 4 + k % 2 * 2, sizeof value);
    return to_float(value);
}

template <typename Weight>
void tile_f32(const Tile& tile) {
    constexpr int64_t kPerStep = std::is_same_v<Weight, float> ? 1 : 2;
    for (int r = 0; r < tile.rows; ++r) {
        const float* x = static_cast<const float*>(tile.x) + r * tile.x_stride;
        for (int p = 0; p < tile.panels; ++p) {
            float* c = tile.c + r * kGroupRows + p * kPanelRows;
            float sum[kPanelRows] = {};
            if (!tile.first) {
                std::copy(c, c + kPanelRows, sum);
            }
            for (int64_t k = 0; k < tile.cols; ++k) {
                const unsigned char* line = tile.w + k / kPerStep * tile.w_step + p * kLineBytes;
                for (int lane = 0; lane < kPanelRows; ++lane) {
                    sum[lane] += x[k] * weight_of(line, lane, k, Weight{});
                }
            }
            std::copy(sum, sum + kPanelRows, c);
        }
    }
}

void expand(float* out, const void* bf16_in, int64_t count) {
    const auto* in = static_cast<const bf16*>(bf16_in);
    for (int64_t i = 0; i < count; ++i) {
        out[i] = to_float(in[i]);
    }
}

void finish(void* y, const float* c, const float* bias, int64_t cols, int32_t y_dtype) {
    for (int64_t i = 0; i < cols; ++i) {
        const float value = bias ? c[i] + bias[i] : c[i];
        if (y_dtype == CT_F32) {
            static_cast<float*>(y)[i] = value;
        } else {
            static_cast<bf16*>(y)[i] = to_bf16(value);
        }
    }
}

}  // namespace

const Kernels kScalarKernels = {kMaxRows, nullptr, tile_f32<bf16>, tile_f32<float>, expand, nullptr, finish};

}  // namespace ct::linear
