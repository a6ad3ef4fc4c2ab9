// weights.cpp: matrices packed once, at load: on the CPU into segments of rows (weights.h), on a backend's device into one
// row-major matrix.
#include "kernels/linear/weights.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "core/stream.h"
#include "kernels/linear/code_layout.h"
#include "kernels/linear/code_pack.h"
#include "kernels/linear/gpu_pack.h"
#include "kernels/linear/source.h"
#include "kernels/quant/formats.h"

namespace {

using namespace ct::linear;
namespace quant = ct::quant;

// Columns that are dequantised at a time: a multiple of every format's block.
constexpr int64_t kPieceCols = 256;

// Loads of any alignment.
template <typename T>
T load(const unsigned char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

int64_t align(int64_t bytes) { return (bytes + kLineBytes - 1) / kLineBytes * kLineBytes; }

bool is_quantized(const ct_weights_part& part) { return part.format >= CT_FORMAT_F8_E4M3; }

// What a part becomes where it is dense.
int32_t dense_dtype_of(const ct_weights_part& part, int32_t dense_dtype) {
    return is_quantized(part) ? dense_dtype : part.format == CT_FORMAT_BF16 ? CT_BF16 : CT_F32;
}

const unsigned char* row_of(const ct_weights_part& part, int64_t row, int64_t cols) {
    return static_cast<const unsigned char*>(part.data) + row * row_bytes(part, cols);
}

// Row `row` of the stacked parts in dtype, columns [begin, end).
void convert_row(unsigned char* to, const Source& source, int64_t row, int64_t begin, int64_t end, int32_t dtype) {
    const ct_weights_part& part = source.part_of(row);
    const unsigned char* from = row_of(part, row, source.cols);
    if (part.format == dtype) {
        const int64_t bytes = ct::dtype_bytes(dtype);
        std::memcpy(to, from + begin * bytes, static_cast<size_t>((end - begin) * bytes));
        return;
    }
    float values[kPieceCols];
    for (int64_t i = begin; i < end; i += kPieceCols) {
        const int64_t count = std::min(kPieceCols, end - i);
        row_values(values, from, part.format, grid_of(part), row, i, i + count, source.cols);
        if (dtype == CT_F32) {
            std::memcpy(to + 4 * (i - begin), values, static_cast<size_t>(count) * sizeof(float));
            continue;
        }
        for (int64_t j = 0; j < count; ++j) {
            const ct::bf16 rounded = ct::to_bf16(values[j]);
            std::memcpy(to + 2 * (i - begin + j), &rounded, sizeof rounded);
        }
    }
}

// Packs the 16 rows of one panel of a dense segment; rows beyond the segment are zero. In pieces of columns, so that the
// lines that the 16 rows write to stay in the caches.
void pack_dense_panel(unsigned char* out, int64_t w_step, const Source& source, const ct::WeightsSegment& segment,
                      int64_t panel) {
    const int64_t k_per_step = segment.storage == kStoreBf16 ? 2 : 1;
    const int64_t element = 4 / k_per_step;
    alignas(4) unsigned char piece[kPieceCols * 4];
    const int64_t lanes = std::min<int64_t>(kPanelRows, segment.rows - panel * kPanelRows);
    for (int64_t begin = 0; begin < source.cols; begin += kPieceCols) {
        const int64_t cols = std::min(kPieceCols, source.cols - begin);
        const int64_t steps = (cols + k_per_step - 1) / k_per_step;
        std::memset(piece, 0, sizeof piece);
        for (int64_t lane = 0; lane < lanes; ++lane) {
            convert_row(piece, source, segment.first_row + panel * kPanelRows + lane, begin, begin + cols,
                        segment.storage);
            unsigned char* to = out + begin / k_per_step * w_step + lane * 4;
            // An odd number of columns ends with what memset left.
            static_assert(kPieceCols % 2 == 0);
            if (cols % k_per_step != 0) std::memset(piece + cols * element, 0, static_cast<size_t>(element));
            for (int64_t step = 0; step < steps; ++step) std::memcpy(to + step * w_step, piece + step * 4, 4);
        }
    }
}

// Whether rows of the second segment can follow the first one's.
bool joins(const ct::WeightsSegment& first, const ct::WeightsSegment& second) {
    if (first.storage != second.storage || first.storage == kStoreRaw) return false;
    return first.storage != kStoreCodes || (first.format == second.format && first.sub_block == second.sub_block);
}

// The segments that the parts become on the CPU, not yet laid out.
std::vector<ct::WeightsSegment> plan(const Source& source, int32_t dense_dtype, int32_t use) {
    std::vector<ct::WeightsSegment> segments;
    int64_t first_row = 0;
    for (int64_t i = 0; i < source.num_parts; ++i) {
        const ct_weights_part& part = source.parts[i];
        ct::WeightsSegment segment = {};
        segment.first_row = first_row;
        segment.rows = part.rows;
        segment.format = part.format;
        segment.sub_block = use == CT_WEIGHTS_EMBEDDING ? 0 : sub_block_of(part, source.cols);
        segment.storage = use == CT_WEIGHTS_EMBEDDING ? kStoreRaw
                          : segment.sub_block != 0    ? kStoreCodes
                                                      : dense_dtype_of(part, dense_dtype);
        segment.scale_rows = part.scale_rows;
        segment.scale_cols = part.scale_cols;
        first_row += part.rows;
        if (!segments.empty() && joins(segments.back(), segment)) {
            segments.back().rows += part.rows;
        } else {
            segments.push_back(segment);
        }
    }
    return segments;
}

// Bytes of a segment; false where they overflow.
bool segment_bytes(int64_t* bytes, const ct::WeightsSegment& segment, int64_t cols) {
    if (segment.storage == kStoreCodes) return CodeLayout::of(segment, cols).bytes(bytes);
    const auto layout = DenseLayout::of(segment.rows, cols, segment.storage);
    return segment.rows <= INT64_MAX - kPanelRows && ct::multiply(layout.steps, kLineBytes, bytes) &&
           ct::multiply(layout.panels, *bytes, bytes);
}

// The parts of a raw segment lie behind each other: rows, scales, zeros.
struct RawLayout {
    int64_t scales_at;
    int64_t zeros_at;
    int64_t bytes;

    static RawLayout of(const ct_weights_part& part) {
        const int64_t scales_at = align(part.data_bytes);
        const int64_t zeros_at = scales_at + align(part.scales ? 4 * part.num_scales : 0);
        return {scales_at, zeros_at, zeros_at + align(part.zeros ? part.num_scales : 0)};
    }
};

// Lays the segments out; false where their bytes overflow.
bool lay_out(int64_t* bytes, std::vector<ct::WeightsSegment>& segments, const Source& source) {
    *bytes = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
        ct::WeightsSegment& segment = segments[i];
        int64_t own = 0;
        if (segment.storage == kStoreRaw) {
            const ct_weights_part& part = source.parts[i];
            if (part.data_bytes > INT64_MAX / 4 || part.num_scales > INT64_MAX / 32) return false;
            own = RawLayout::of(part).bytes;
        } else if (!segment_bytes(&own, segment, source.cols)) {
            return false;
        }
        segment.at = *bytes;
        if (own > INT64_MAX - kLineBytes || __builtin_add_overflow(*bytes, align(own), bytes)) return false;
    }
    return true;
}

void pack_raw(unsigned char* data, ct::WeightsSegment& segment, const ct_weights_part& part) {
    const auto layout = RawLayout::of(part);
    std::memcpy(data + segment.at, part.data, static_cast<size_t>(part.data_bytes));
    if (part.scales) {
        segment.scales_at = segment.at + layout.scales_at;
        std::memcpy(data + segment.scales_at, part.scales, static_cast<size_t>(4 * part.num_scales));
    }
    if (part.zeros) {
        segment.zeros_at = segment.at + layout.zeros_at;
        std::memcpy(data + segment.zeros_at, part.zeros, static_cast<size_t>(part.num_scales));
    }
}

void pack_segments(ct_weights& w, const Source& source, ct::Team& team) {
    for (int64_t i = 0; i < w.num_segments; ++i) {
        ct::WeightsSegment& segment = w.segments[i];
        if (segment.storage == kStoreRaw) {
            pack_raw(w.data, segment, source.parts[i]);
            continue;
        }
        if (segment.storage == kStoreCodes) {
            const auto layout = CodeLayout::of(segment, w.cols);
            team.run(layout.panels,
                     [&](int64_t panel, int) { pack_code_panel(w.data + segment.at, layout, source, segment, panel); });
            continue;
        }
        const auto layout = DenseLayout::of(segment.rows, w.cols, segment.storage);
        team.run(layout.panels, [&](int64_t panel, int) {
            pack_dense_panel(w.data + segment.at + layout.offset(panel), layout.w_step(panel), source, segment, panel);
        });
    }
}

// Blocks whose scale is NaN or infinite are refused before anything is allocated.
int32_t check_blocks(const char* function, const Source& source, ct::Team& team) {
    for (int64_t i = 0; i < source.num_parts; ++i) {
        const ct_weights_part& part = source.parts[i];
        const quant::Format& format = *quant::format_of(part.format);
        if (part.format < CT_FORMAT_Q4_0) continue;
        std::atomic<int64_t> bad{-1};
        team.run(part.rows, [&](int64_t row, int) {
            if (!quant::are_finite(row_of(part, row, source.cols), source.cols / format.block, format)) bad = row;
        });
        if (bad >= 0) {
            return ct::fail(CT_INVALID, "%s: parts[%lld] (%s) has a block whose scale is NaN or infinite in row %lld",
                            function, static_cast<long long>(i), format.name, static_cast<long long>(bad.load()));
        }
    }
    return CT_OK;
}

// For a backend's device: row-major, padded with zeros, sent up in pieces.
int32_t upload_rows(ct_weights& w, const Source& source, ct::Team& team) {
    constexpr int64_t kPieceBytes = int64_t{8} << 20;
    const int64_t stride_bytes = w.stride * ct::dtype_bytes(w.dtype);
    const int64_t piece_rows = std::max<int64_t>(1, kPieceBytes / stride_bytes);
    std::vector<unsigned char> piece(static_cast<size_t>(std::min(piece_rows, w.rows) * stride_bytes));
    for (int64_t begin = 0; begin < w.rows; begin += piece_rows) {
        const int64_t end = std::min(begin + piece_rows, w.rows);
        team.run(end - begin, [&](int64_t row, int) {
            convert_row(piece.data() + row * stride_bytes, source, begin + row, 0, w.cols, w.dtype);
        });
        unsigned char* to = w.data + begin * stride_bytes;
        const int64_t bytes = (end - begin) * stride_bytes;
        if (const auto* runtime = ct::runtime_of(w.device)) {
            CT_TRY(runtime->upload(w.device->context, to, piece.data(), bytes));
        } else {
            std::memcpy(to, piece.data(), static_cast<size_t>(bytes));
        }
    }
    return CT_OK;
}

// The same of a matrix whose codes are kept.
int32_t upload_codes(ct_weights& w, const Source& source, ct::Team& team) {
    const GpuCodes codes = {w.rows, w.cols, w.format, w.group_shift};
    const auto* runtime = ct::runtime_of(w.device);
    std::vector<unsigned char> bytes(runtime ? static_cast<size_t>(w.data_bytes) : 0);
    pack_gpu_codes(runtime ? bytes.data() : w.data, codes, source, team);
    return runtime ? runtime->upload(w.device->context, w.data, bytes.data(), w.data_bytes) : CT_OK;
}

// The one dtype of a backend's matrix.
int32_t common_dtype(const Source& source, int32_t dense_dtype) {
    const bool all_bf16 = std::all_of(source.parts, source.parts + source.num_parts, [&](const ct_weights_part& part) {
        return dense_dtype_of(part, dense_dtype) == CT_BF16;
    });
    return all_bf16 ? CT_BF16 : CT_F32;
}

bool round_up(int64_t value, int64_t* result) {
    if (value > INT64_MAX - ct::kWeightsPadding) return false;
    *result = (value + ct::kWeightsPadding - 1) / ct::kWeightsPadding * ct::kWeightsPadding;
    return true;
}

// How a backend's device stores the matrix, its stride and bytes; false where they overflow.
bool lay_out_rows(ct_weights& w, const Source& source) {
    w.format = w.dtype;
    GpuCodes codes;
    if (w.use == CT_WEIGHTS_EXPERT && gpu_codes_of(&codes, source)) {
        int64_t most = 0;  // at most 8 bytes an element, and padding
        if (!ct::multiply(w.rows + ct::kWeightsPadding, w.cols + ct::kWeightsPadding, &most)) return false;
        if (!ct::multiply(most, 8, &most)) return false;
        w.format = codes.format;
        w.group_shift = codes.group_shift;
        w.data_bytes = codes.bytes();
        return true;
    }
    int64_t padded_rows = 0;
    return round_up(w.cols, &w.stride) && round_up(w.rows, &padded_rows) &&
           ct::multiply(w.stride, ct::dtype_bytes(w.dtype), &w.data_bytes) &&
           ct::multiply(padded_rows, w.data_bytes, &w.data_bytes);
}

// Memory of the device, zero-filled; null with the error text set.
int32_t allocate(ct_weights& w) {
    const auto* runtime = ct::runtime_of(w.device);
    if (runtime) {
        void* address = nullptr;
        CT_TRY(runtime->allocate(w.device->context, &address, w.data_bytes, false));
        w.data = static_cast<unsigned char*>(address);
        return CT_OK;
    }
    w.data = ct::allocate_bytes(w.data_bytes);
    if (w.data) return CT_OK;
    return ct::fail(CT_OUT_OF_MEMORY, "ct_weights_create: no memory for %lld bytes",
                    static_cast<long long>(w.data_bytes));
}

// What ct_weights_create is asked for, checked, and where it will lie. are_read: as check_parts.
int32_t lay_out(const char* function, ct_weights& w, std::vector<ct::WeightsSegment>& segments, ct_device* device,
                const Source& source, int32_t dense_dtype, int32_t use, bool are_read) {
    if (!device) return ct::fail(CT_INVALID, "%s: device is null", function);
    if (!source.parts) return ct::fail(CT_INVALID, "%s: parts is null", function);
    const auto refuse = [&](const char* what, int64_t value) {
        return ct::fail(CT_INVALID, "%s: %s: %lld", function, what, static_cast<long long>(value));
    };
    if (source.num_parts < 1) return refuse("num_parts must be at least 1", source.num_parts);
    if (source.cols < 1) return refuse("cols must be at least 1", source.cols);
    CT_TRY(ct::check_activation_dtype(function, "dense_dtype", dense_dtype));
    if (use < CT_WEIGHTS_LINEAR || use > CT_WEIGHTS_EXPERT) return refuse("use is not a ct_weights_use", use);
    w.device = device;
    w.use = use;
    w.cols = w.stride = source.cols;
    CT_TRY(check_parts(function, &w.rows, source, are_read));
    w.dtype = common_dtype(source, dense_dtype);
    if (!device->backend) segments = plan(source, dense_dtype, use);
    if (device->backend ? lay_out_rows(w, source) : lay_out(&w.data_bytes, segments, source)) return CT_OK;
    return ct::fail(CT_INVALID, "%s: %lld rows of %lld columns are too large", function, static_cast<long long>(w.rows),
                    static_cast<long long>(w.cols));
}

struct Destroy {
    void operator()(ct_weights* w) const {
        // What is refused at the door has neither data nor, perhaps, a device.
        const auto* runtime = w->data ? ct::runtime_of(w->device) : nullptr;
        if (runtime) {
            runtime->release(w->device->context, w->data, false);
        } else if (w->data) {
            ct::free_bytes(w->data, w->data_bytes);
        }
        delete[] w->segments;
        delete w;
    }
};

void dense_row(float* out, const unsigned char* data, const ct::WeightsSegment& segment, int64_t row, int64_t begin,
               int64_t end, int64_t cols) {
    const auto layout = DenseLayout::of(segment.rows, cols, segment.storage);
    const int64_t panel = row / kPanelRows;
    const int64_t w_step = layout.w_step(panel);
    const unsigned char* from = data + segment.at + layout.offset(panel) + row % kPanelRows * 4;
    // Every step lies in another line of memory, of which the row has 4 bytes: the lines are asked for well ahead.
    constexpr int64_t kAhead = 32;
    if (segment.storage == kStoreF32) {
        for (int64_t i = begin; i < end; ++i) {
            __builtin_prefetch(from + std::min(i + kAhead, end - 1) * w_step);
            *out++ = load<float>(from + i * w_step);
        }
        return;
    }
    int64_t i = begin;
    if (i % 2 != 0 && i < end) *out++ = ct::to_float(load<ct::bf16>(from + i++ / 2 * w_step + 2));
    for (; i + 2 <= end; i += 2) {
        __builtin_prefetch(from + std::min(i / 2 + kAhead, (end - 1) / 2) * w_step);
        const uint32_t pair = load<uint32_t>(from + i / 2 * w_step);
        *out++ = ct::to_float(ct::bf16{static_cast<uint16_t>(pair)});
        *out++ = ct::to_float(ct::bf16{static_cast<uint16_t>(pair >> 16)});
    }
    if (i < end) *out++ = ct::to_float(load<ct::bf16>(from + i / 2 * w_step));
}

// Exactly what ct_dequantize and the caller's scales give.
void kept_row(float* out, const unsigned char* data, const ct::WeightsSegment& segment, int64_t row, int64_t begin,
              int64_t end, int64_t cols) {
    const auto layout = CodeLayout::of(segment, cols);
    const unsigned char* own = data + segment.at;
    uint8_t codes[kChunkCols];
    float scales[kMaxSubs];
    float mins[kMaxSubs];
    const bool zeros = layout.format->scales == kFloatZero;
    for (int64_t i = begin; i < end; ++i) {
        const int64_t chunk = i / kChunkCols;
        if (i == begin || i % kChunkCols == 0) {
            row_codes(codes, layout, own, row, chunk);
            row_scales(scales, mins, layout, own, row, chunk, zeros);
        }
        const float value = code_value(segment.format, codes[i % kChunkCols]);
        const int64_t sub = i % kChunkCols / layout.sub_block;
        const float product = zeros ? (value - mins[sub]) * scales[sub] : value * scales[sub];
        *out++ = layout.format->has_min && !zeros ? product - mins[sub] : product;
    }
}

}  // namespace

int32_t ct_weights_create(ct_weights** weights, ct_device* device, const ct_weights_part* parts, int64_t num_parts,
                          int64_t cols, int32_t dense_dtype, int32_t use) CT_GUARD({
    CT_REQUIRE(weights, "weights is null");
    const Source source{parts, num_parts, cols};
    std::unique_ptr<ct_weights, Destroy> packed(new ct_weights());
    std::vector<ct::WeightsSegment> segments;
    CT_TRY(lay_out(__func__, *packed, segments, device, source, dense_dtype, use, true));
    CT_TRY(ct::check_device(__func__, device));
    std::optional<ct::TeamLock> lock;  // a device with a runtime of its own has no queue
    if (device->queue) lock.emplace(device);
    CT_TRY(check_blocks(__func__, source, *device->team));
    const bool keeps_codes = device->backend && GpuCodes::is(packed->format);
    if (keeps_codes) CT_TRY(check_codes(__func__, source));
    CT_TRY(allocate(*packed));
    if (keeps_codes) {
        CT_TRY(upload_codes(*packed, source, *device->team));
    } else if (device->backend) {
        CT_TRY(upload_rows(*packed, source, *device->team));
    } else {
        packed->num_segments = static_cast<int64_t>(segments.size());
        packed->segments = new ct::WeightsSegment[segments.size()];
        std::copy(segments.begin(), segments.end(), packed->segments);
        pack_segments(*packed, source, *device->team);
    }
    device->children.fetch_add(1);
    *weights = packed.release();
    return ct::ok();
})

    int32_t ct_weights_destroy(ct_weights* weights) {
    CT_REQUIRE(weights, "weights is null");
    weights->device->children.fetch_sub(1);
    Destroy()(weights);
    return ct::ok();
}

int32_t ct_weights_packed_bytes(int64_t* bytes, ct_device* device, const ct_weights_part* parts, int64_t num_parts,
                                int64_t cols, int32_t dense_dtype, int32_t use) CT_GUARD({
    CT_REQUIRE(bytes, "bytes is null");
    ct_weights described = {};
    std::vector<ct::WeightsSegment> segments;
    CT_TRY(lay_out(__func__, described, segments, device, {parts, num_parts, cols}, dense_dtype, use, false));
    *bytes = described.data_bytes;
    return ct::ok();
})

    int32_t ct_weights_bytes(int64_t* bytes, const ct_weights* weights) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(weights, "weights is null");
    *bytes = weights->data_bytes;
    return ct::ok();
}

void ct::weights_row(float* out, const ct_weights& weights, int64_t row, int64_t begin, int64_t end) {
    const WeightsSegment* segment = weights.segments;
    while (row >= segment->first_row + segment->rows) ++segment;
    row -= segment->first_row;
    if (segment->storage == kStoreRaw) {
        const quant::Format& format = *quant::format_of(segment->format);
        const auto beside = [&](int64_t at) { return at != 0 ? weights.data + at : nullptr; };
        const Grid grid = {beside(segment->scales_at), beside(segment->zeros_at), segment->scale_rows,
                           segment->scale_cols};
        const int64_t bytes = weights.cols / format.block * format.bytes;
        row_values(out, weights.data + segment->at + row * bytes, segment->format, grid, row, begin, end, weights.cols);
        return;
    }
    if (segment->storage == kStoreCodes) {
        kept_row(out, weights.data, *segment, row, begin, end, weights.cols);
    } else {
        dense_row(out, weights.data, *segment, row, begin, end, weights.cols);
    }
}
