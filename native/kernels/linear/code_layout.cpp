// code_layout.cpp: the formats whose codes are kept, their layout, and single rows of it.
#include "kernels/linear/code_layout.h"

#include <algorithm>
#include <array>
#include <bit>

#include "kernels/linear/source.h"
#include "kernels/quant/formats.h"

namespace ct::linear {
namespace {

// Bits of a plane and its lines in a unit.
struct Plane {
    int bits;
    int lines;
};
struct PlaneList {
    Plane low;
    Plane high;  // no lines: none
};
constexpr PlaneList kPlanes[kNumPlanes] = {
    {{4, 4}, {0, 0}}, {{4, 4}, {1, 1}}, {{4, 4}, {2, 2}}, {{2, 2}, {0, 0}},
    {{2, 2}, {1, 1}}, {{8, 8}, {0, 0}}, {{8, 8}, {0, 0}},
};

CodeFormat make(int32_t format, Planes planes, ScaleKind scales) {
    const quant::Format& blocks = *quant::format_of(format);
    CodeFormat made = {planes, scales, blocks.has_min || format == CT_FORMAT_INT4, {}};
    if (planes == kBytes) return made;
    if (planes == kE4m3) {
        for (int i = 0; i < kMaxValues; ++i) made.values[i] = to_bf16(to_float(e4m3{static_cast<uint8_t>(i)})).bits;
        return made;
    }
    const int bits = kPlanes[planes].low.bits + kPlanes[planes].high.bits;
    for (int i = 0; i < kMaxValues; ++i) {
        const int code = i & ((1 << bits) - 1);
        made.values[i] = to_bf16(static_cast<float>(blocks.values ? blocks.values[code] : code)).bits;
    }
    return made;
}

struct Kept {
    int32_t format;
    CodeFormat codes;
};

const std::array<Kept, 15>& all_kept() {
    const auto kept = [](int32_t format, Planes planes, ScaleKind scales) {
        return Kept{format, make(format, planes, scales)};
    };
    static const std::array<Kept, 15> all = {
        kept(CT_FORMAT_F8_E4M3, kE4m3, kFloat),  kept(CT_FORMAT_INT4, kNibbles, kFloatZero),
        kept(CT_FORMAT_Q4_0, kNibbles, kHalf),   kept(CT_FORMAT_Q4_1, kNibbles, kHalfMin),
        kept(CT_FORMAT_Q5_0, kFive, kHalf),      kept(CT_FORMAT_Q5_1, kFive, kHalfMin),
        kept(CT_FORMAT_Q8_0, kBytes, kHalf),     kept(CT_FORMAT_Q2_K, kPairs, kSuperNibbles),
        kept(CT_FORMAT_Q3_K, kThree, kSuper),    kept(CT_FORMAT_Q4_K, kNibbles, kSuperMin),
        kept(CT_FORMAT_Q5_K, kFive, kSuperMin),  kept(CT_FORMAT_Q6_K, kSix, kSuper),
        kept(CT_FORMAT_IQ4_NL, kNibbles, kHalf), kept(CT_FORMAT_IQ4_XS, kNibbles, kSuper),
        kept(CT_FORMAT_MXFP4, kNibbles, kPower),
    };
    return all;
}

template <typename T>
T load(const unsigned char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

}  // namespace

const CodeFormat* code_format_of(int32_t format) {
    for (const Kept& kept : all_kept()) {
        if (kept.format == format) return &kept.codes;
    }
    return nullptr;
}

float code_value(int32_t format, uint8_t code) {
    if (format == CT_FORMAT_F8_E4M3) return to_float(e4m3{code});
    if (format == CT_FORMAT_INT4) return static_cast<float>(code);
    const int8_t* values = quant::format_of(format)->values;
    return static_cast<float>(values ? values[code] : static_cast<int8_t>(code));
}

int lines_of(Planes planes) { return kPlanes[planes].low.lines + kPlanes[planes].high.lines; }

int64_t sub_block_of(const ct_weights_part& part, int64_t cols) {
    if (!code_format_of(part.format) || cols % kUnitCols != 0) return 0;
    const quant::Format& format = *quant::format_of(part.format);
    if (format.sub_block != 0) return format.sub_block;
    const int64_t width = std::min(part.scale_cols, cols);
    const int64_t sub = std::min<int64_t>(128, (width | cols) & -(width | cols));
    return sub >= kUnitCols ? sub : 0;
}

CodeLayout CodeLayout::of(const WeightsSegment& segment, int64_t cols) {
    return {code_format_of(segment.format), (segment.rows + kPanelRows - 1) / kPanelRows, cols, segment.sub_block};
}

int64_t CodeLayout::group_panels(int64_t panel) const {
    return std::min<int64_t>(kGroupPanels, panels - panel / kGroupPanels * kGroupPanels);
}

int64_t CodeLayout::chunk_cols(int64_t chunk) const { return std::min<int64_t>(kChunkCols, cols - chunk * kChunkCols); }

int64_t CodeLayout::panel_scale_bytes(int64_t chunk) const {
    const int64_t n = subs(chunk);
    switch (format->scales) {
        case kHalf:
        case kPower:
            return n * 32;
        case kHalfMin:
        case kFloat:
            return n * 64;
        case kFloatZero:
            return n * 80;
        case kSuper:
            return 32 + n * 16;
        case kSuperMin:
            return 64 + n * 32;
        case kSuperNibbles:
            return 64 + n * 16;
    }
    return 0;
}

int64_t CodeLayout::scale_bytes(int64_t chunk, int64_t group) const {
    return (group * panel_scale_bytes(chunk) + kLineBytes - 1) / kLineBytes * kLineBytes;
}

int64_t CodeLayout::chunk_bytes(int64_t chunk, int64_t group) const {
    const int64_t lines = chunk_cols(chunk) / kUnitCols * lines_of(format->planes);
    return scale_bytes(chunk, group) + group * lines * kLineBytes;
}

int64_t CodeLayout::at(int64_t panel, int64_t chunk) const {
    const int64_t group = panel / kGroupPanels;
    const int64_t width = group_panels(panel);
    const auto group_bytes = [&](int64_t panels_of_group) {
        const int64_t last = chunks() - 1;
        return last * (last > 0 ? chunk_bytes(0, panels_of_group) : 0) + chunk_bytes(last, panels_of_group);
    };
    return group * (group > 0 ? group_bytes(kGroupPanels) : 0) + chunk * (chunk > 0 ? chunk_bytes(0, width) : 0);
}

bool CodeLayout::bytes(int64_t* result) const {
    // At most 9 bits a column of codes and 5 of scales, and the rounding of the scales to lines.
    int64_t most = 0;
    if (!multiply(panels, kPanelRows * 4, &most) || !multiply(most, cols, &most)) return false;
    const int64_t last = panels - 1;
    *result = at(last, chunks() - 1) + chunk_bytes(chunks() - 1, group_panels(last));
    return true;
}

void row_scales(float* scales, float* mins, const CodeLayout& layout, const unsigned char* segment, int64_t row,
                int64_t chunk, bool raw_zeros) {
    const int64_t panel = row / kPanelRows;
    const int64_t lane = row % kPanelRows;
    const int subs = layout.subs(chunk);
    const unsigned char* from =
        segment + layout.at(panel, chunk) + panel % kGroupPanels * layout.panel_scale_bytes(chunk);
    const auto half = [&](int64_t index) { return to_float(load<f16>(from + (index * kPanelRows + lane) * 2)); };
    const auto byte = [&](int64_t start, int64_t s) { return from[start + s * kPanelRows + lane]; };
    for (int s = 0; s < subs; ++s) {
        mins[s] = 0;
        switch (layout.format->scales) {
            case kHalf:
                scales[s] = half(s);
                break;
            case kHalfMin:
                scales[s] = half(s);
                mins[s] = -half(subs + s);
                break;
            case kPower:
                scales[s] = to_float(load<bf16>(from + (s * kPanelRows + lane) * 2));
                break;
            case kFloat:
                scales[s] = load<float>(from + (s * kPanelRows + lane) * 4);
                break;
            case kFloatZero: {
                scales[s] = load<float>(from + (s * kPanelRows + lane) * 4);
                const auto zero = static_cast<float>(byte(subs * 64, s));
                mins[s] = raw_zeros ? zero : scales[s] * zero;
                break;
            }
            case kSuper:
                scales[s] = half(0) * static_cast<float>(static_cast<int8_t>(byte(32, s)));
                break;
            case kSuperMin:
                scales[s] = half(0) * static_cast<float>(byte(64, s));
                mins[s] = half(1) * static_cast<float>(byte(64 + subs * kPanelRows, s));
                break;
            case kSuperNibbles:
                scales[s] = half(0) * static_cast<float>(byte(64, s) & 0xf);
                mins[s] = half(1) * static_cast<float>(byte(64, s) >> 4);
                break;
        }
    }
}

void row_codes(uint8_t* codes, const CodeLayout& layout, const unsigned char* segment, int64_t row, int64_t chunk) {
    const int64_t panel = row / kPanelRows;
    const int64_t width = layout.group_panels(panel);
    const PlaneList& planes = kPlanes[layout.format->planes];
    const unsigned char* unit = segment + layout.at(panel, chunk) + layout.scale_bytes(chunk, width) +
                                panel % kGroupPanels * kLineBytes + row % kPanelRows * 4;
    const auto bits = [&](const Plane& plane, int64_t first_line, int k) {
        const int per_word = 16 / plane.bits;
        const int step = k / 2;
        const unsigned char* line = unit + (first_line + step / per_word) * width * kLineBytes;
        return load<uint16_t>(line + k % 2 * 2) >> step % per_word * plane.bits & ((1 << plane.bits) - 1);
    };
    for (int64_t begin = 0; begin < layout.chunk_cols(chunk); begin += kUnitCols) {
        for (int k = 0; k < kUnitCols; ++k) {
            int code = 0;
            if (layout.format->planes == kBytes) {
                code = unit[k / 4 * width * kLineBytes + k % 4] ^ 0x80;
            } else {
                code = bits(planes.low, 0, k);
                if (planes.high.lines != 0) code |= bits(planes.high, planes.low.lines, k) << planes.low.bits;
            }
            codes[begin + k] = static_cast<uint8_t>(code);
        }
        unit += lines_of(layout.format->planes) * width * kLineBytes;
    }
}

}  // namespace ct::linear
