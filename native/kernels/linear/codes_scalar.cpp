// codes_scalar.cpp: kernels of codes.h in plain C++, for machines without AVX2.
#include <algorithm>

#include "core/core.h"
#include "kernels/linear/codes.h"

namespace ct::linear {
namespace {

constexpr int kMaxRows = 8;

template <typename T>
T load(const unsigned char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

void times_f32(const CodeTile& tile) {
    for (int r = 0; r < tile.rows; ++r) {
        for (int p = 0; p < tile.panels; ++p) {
            float* c = tile.c + r * kGroupRows + p * kPanelRows;
            if (tile.first) std::fill(c, c + kPanelRows, 0.0f);
            const float* x = static_cast<const float*>(tile.x) + r * tile.x_stride;
            const uint16_t* codes = tile.codes + p * kPanelRows * 2;
            for (int sub = 0; sub < tile.subs; ++sub) {
                float sum[kPanelRows] = {};
                for (int step = 0; step < tile.sub_steps; ++step) {
                    for (int odd = 0; odd < 2; ++odd) {
                        for (int lane = 0; lane < kPanelRows; ++lane) {
                            sum[lane] += x[odd] * to_float(bf16{codes[2 * lane + odd]});
                        }
                    }
                    x += 2;
                    codes += kGroupPanels * kPanelRows * 2;
                }
                const int64_t at = sub * kGroupRows + p * kPanelRows;
                for (int lane = 0; lane < kPanelRows; ++lane) {
                    c[lane] += tile.scales[at + lane] * sum[lane];
                    if (tile.x_sums) c[lane] -= tile.mins[at + lane] * tile.x_sums[r * tile.x_sums_stride + sub];
                }
            }
        }
    }
}

// The 32 codes of a step of a panel, lane by lane: (unit's first line, step, lane, odd) to bf16.
template <typename CodeOf>
void unpack_with(uint16_t* out, const CodeTile& tile, int unit_lines, CodeOf code_of) {
    for (int step = 0; step < tile.subs * tile.sub_steps; ++step) {
        const unsigned char* unit = tile.units + step / kUnitSteps * unit_lines * tile.line_step;
        for (int p = 0; p < tile.panels; ++p) {
            uint16_t* to = out + (step * kGroupPanels + p) * kPanelRows * 2;
            for (int i = 0; i < kPanelRows * 2; ++i) {
                to[i] = code_of(unit + p * kLineBytes, step % kUnitSteps, i / 2 * 4, i % 2);
            }
        }
    }
}

template <int BITS, int HIGH>
void unpack_planes(uint16_t* out, const CodeTile& tile) {
    constexpr int kPerWord = 16 / BITS;
    constexpr int kLowLines = kUnitSteps / kPerWord;
    constexpr int kHighPerWord = HIGH == 0 ? 1 : 16 / HIGH;
    constexpr int kHighLines = HIGH == 0 ? 0 : kUnitSteps / kHighPerWord;
    unpack_with(out, tile, kLowLines + kHighLines, [&](const unsigned char* unit, int step, int at, int odd) {
        const auto word = [&](int line) { return load<uint16_t>(unit + line * tile.line_step + at + odd * 2); };
        int code = word(step / kPerWord) >> step % kPerWord * BITS & ((1 << BITS) - 1);
        if constexpr (HIGH != 0) {
            const int high = word(kLowLines + step / kHighPerWord) >> step % kHighPerWord * HIGH;
            code |= (high & ((1 << HIGH) - 1)) << BITS;
        }
        return tile.format->values[code];
    });
}

void unpack_bytes(uint16_t* out, const CodeTile& tile) {
    unpack_with(out, tile, kUnitCols / 4, [&](const unsigned char* unit, int step, int at, int odd) {
        const int code = unit[step / 2 * tile.line_step + at + step % 2 * 2 + odd] - 128;
        return to_bf16(static_cast<float>(code)).bits;
    });
}

void unpack_e4m3(uint16_t* out, const CodeTile& tile) {
    unpack_with(out, tile, kUnitCols / 4, [&](const unsigned char* unit, int step, int at, int odd) {
        return to_bf16(to_float(e4m3{unit[step / 2 * tile.line_step + at + odd * 2 + step % 2]})).bits;
    });
}

void expand_scales(float* scales, float* mins, const unsigned char* from, int64_t panel_bytes, ScaleKind kind, int subs,
                   int panels) {
    for (int i = 0; i < panels * subs * kPanelRows; ++i) {
        const int lane = i % kPanelRows;
        const int s = i / kPanelRows % subs;
        const int p = i / kPanelRows / subs;
        const unsigned char* panel = from + p * panel_bytes;
        const int64_t to = (s * kGroupPanels + p) * kPanelRows + lane;
        const auto half = [&](int index) { return to_float(load<f16>(panel + (index * kPanelRows + lane) * 2)); };
        const auto byte = [&](int start, int index) { return panel[start + index * kPanelRows + lane]; };
        switch (kind) {
            case kHalf:
                scales[to] = half(s);
                break;
            case kHalfMin:
                scales[to] = half(s);
                mins[to] = -half(subs + s);
                break;
            case kPower:
                scales[to] = to_float(load<bf16>(panel + (s * kPanelRows + lane) * 2));
                break;
            case kFloat:
            case kFloatZero:
                scales[to] = load<float>(panel + (s * kPanelRows + lane) * 4);
                if (kind == kFloatZero) mins[to] = scales[to] * static_cast<float>(byte(subs * 64, s));
                break;
            case kSuper:
                scales[to] = half(0) * static_cast<float>(static_cast<int8_t>(byte(32, s)));
                break;
            case kSuperMin:
                scales[to] = half(0) * static_cast<float>(byte(64, s));
                mins[to] = half(1) * static_cast<float>(byte(64, subs + s));
                break;
            case kSuperNibbles:
                scales[to] = half(0) * static_cast<float>(byte(64, s) & 0xf);
                mins[to] = half(1) * static_cast<float>(byte(64, s) >> 4);
                break;
        }
    }
}

template <typename T>
void sum_runs(float* sums, const void* x, int64_t cols, int64_t sub) {
    const auto* in = static_cast<const T*>(x);
    for (int64_t begin = 0; begin < cols; begin += sub) {
        float sum = 0;
        for (int64_t i = begin; i < begin + sub; ++i) sum += to_float(in[i]);
        *sums++ = sum;
    }
}

}  // namespace

const CodeKernels kScalarCodeKernels = {
    kMaxRows,
    0,
    {},
    nullptr,
    times_f32,
    {unpack_planes<4, 0>, unpack_planes<4, 1>, unpack_planes<4, 2>, unpack_planes<2, 0>, unpack_planes<2, 1>,
     unpack_bytes, unpack_e4m3},
    expand_scales,
    sum_runs<bf16>,
    sum_runs<float>,
};

}  // namespace ct::linear
