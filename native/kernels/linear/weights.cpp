// weights.cpp: matrices packed once, at load, into the layout of linear.h.
#include <algorithm>
#include <memory>
#include <vector>

#include "core/stream.h"
#include "kernels/linear/linear.h"

namespace {

using namespace ct::linear;

// Where a row of the caller's matrix lies: parts are stacked.
struct Source {
    const ct_weights_part* parts;
    int64_t row_bytes;

    const unsigned char* row(int64_t row) const {
        const ct_weights_part* part = parts;
        while (row >= part->rows) {
            row -= part->rows;
            ++part;
        }
        return static_cast<const unsigned char*>(part->data) + row * row_bytes;
    }
};

// Loads of any alignment.
template <typename T>
T load(const unsigned char* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

// The 4 bytes of one row in one step of the packed matrix.
template <int32_t SOURCE>
uint32_t step_bits(const unsigned char* row, int64_t step, int64_t cols) {
    if constexpr (SOURCE == CT_BF16) {
        return 2 * step + 1 < cols ? load<uint32_t>(row + 4 * step) : load<uint16_t>(row + 4 * step);
    } else if constexpr (SOURCE == CT_F16) {
        const float value = ct::to_float(ct::f16{load<uint16_t>(row + 2 * step)});
        return load<uint32_t>(reinterpret_cast<const unsigned char*>(&value));
    } else {
        return load<uint32_t>(row + 4 * step);
    }
}

int64_t steps_of(int64_t cols, int32_t stored_dtype) { return stored_dtype == CT_BF16 ? (cols + 1) / 2 : cols; }

// Packs the 16 rows of one panel; rows beyond the matrix are zero. Steps in short runs, so that the lines that the 16
// rows write to stay in the L1 cache.
template <int32_t SOURCE>
void pack_panel(unsigned char* out, int64_t w_step, const Source& source, int64_t first_row, int64_t rows, int64_t cols,
                int64_t steps) {
    constexpr int64_t kRun = 32;
    const unsigned char* row[kPanelRows];
    for (int lane = 0; lane < kPanelRows; ++lane) {
        row[lane] = first_row + lane < rows ? source.row(first_row + lane) : nullptr;
    }
    for (int64_t begin = 0; begin < steps; begin += kRun) {
        const int64_t end = std::min(begin + kRun, steps);
        for (int lane = 0; lane < kPanelRows; ++lane) {
            for (int64_t step = begin; step < end; ++step) {
                const uint32_t bits = row[lane] ? step_bits<SOURCE>(row[lane], step, cols) : 0;
                std::memcpy(out + step * w_step + lane * 4, &bits, sizeof bits);
            }
        }
    }
}

// One row as it is stored; half precision becomes float.
void copy_row(unsigned char* to, const Source& source, int64_t row, int64_t cols, int32_t source_dtype) {
    const unsigned char* from = source.row(row);
    if (source_dtype != CT_F16) {
        std::memcpy(to, from, static_cast<size_t>(source.row_bytes));
        return;
    }
    for (int64_t i = 0; i < cols; ++i) {
        const float value = ct::to_float(ct::f16{load<uint16_t>(from + 2 * i)});
        std::memcpy(to + 4 * i, &value, sizeof value);
    }
}

struct Packing {
    const ct_weights* weights;
    Source source;
    int32_t source_dtype;

    void run(ct::Team& team) const {
        const ct_weights& w = *weights;
        if (w.use == CT_WEIGHTS_EMBEDDING) {
            team.run(w.rows, [&](int64_t row, int) {
                copy_row(w.data + row * w.cols * ct::dtype_bytes(w.dtype), source, row, w.cols, source_dtype);
            });
            return;
        }
        const auto pack = source_dtype == CT_BF16  ? pack_panel<CT_BF16>
                          : source_dtype == CT_F16 ? pack_panel<CT_F16>
                                                   : pack_panel<CT_F32>;
        const int64_t steps = steps_of(w.cols, w.dtype);
        const int64_t panels = (w.rows + kPanelRows - 1) / kPanelRows;
        team.run(panels, [&](int64_t panel, int) {
            const int64_t group = panel / kGroupPanels;
            const int64_t width = std::min<int64_t>(kGroupPanels, panels - group * kGroupPanels);
            unsigned char* out = w.data + (group * kGroupPanels * steps + panel % kGroupPanels) * kLineBytes;
            pack(out, width * kLineBytes, source, panel * kPanelRows, w.rows, w.cols, steps);
        });
    }
};

// For a backend's device: row-major, padded with zeros, sent up in pieces.
int32_t upload_rows(ct_weights& w, const Source& source, int32_t source_dtype) {
    constexpr int64_t kPieceBytes = int64_t{8} << 20;
    const int64_t row_bytes = w.stride * ct::dtype_bytes(w.dtype);
    const int64_t piece_rows = std::max<int64_t>(1, kPieceBytes / row_bytes);
    std::vector<unsigned char> piece(static_cast<size_t>(std::min(piece_rows, w.rows) * row_bytes));
    for (int64_t begin = 0; begin < w.rows; begin += piece_rows) {
        const int64_t end = std::min(begin + piece_rows, w.rows);
        for (int64_t row = begin; row < end; ++row) {
            copy_row(piece.data() + (row - begin) * row_bytes, source, row, w.cols, source_dtype);
        }
        unsigned char* to = w.data + begin * row_bytes;
        const int64_t bytes = (end - begin) * row_bytes;
        if (const auto* runtime = ct::runtime_of(w.device)) {
            CT_TRY(runtime->upload(w.device->context, to, piece.data(), bytes));
        } else {
            std::memcpy(to, piece.data(), static_cast<size_t>(bytes));
        }
    }
    return CT_OK;
}

int32_t round_up(int64_t value, int64_t* result) {
    if (value > INT64_MAX - ct::kWeightsPadding) return CT_INVALID;
    *result = (value + ct::kWeightsPadding - 1) / ct::kWeightsPadding * ct::kWeightsPadding;
    return CT_OK;
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

struct Destroy {
    void operator()(ct_weights* w) const {
        if (const auto* runtime = ct::runtime_of(w->device); runtime && w->data) {
            runtime->release(w->device->context, w->data, false);
        } else if (w->data) {
            ct::free_bytes(w->data, w->data_bytes);
        }
        delete w;
    }
};

}  // namespace

int32_t ct_weights_create(ct_weights** weights, ct_device* device, const ct_weights_part* parts, int64_t num_parts,
                          int64_t cols, int32_t dtype, int32_t use) CT_GUARD({
    CT_REQUIRE(weights, "weights is null");
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(parts, "parts is null");
    CT_REQUIRE(num_parts >= 1, "num_parts=%lld must be at least 1", static_cast<long long>(num_parts));
    CT_REQUIRE(cols >= 1, "cols=%lld must be at least 1", static_cast<long long>(cols));
    CT_REQUIRE(dtype == CT_F32 || dtype == CT_BF16 || dtype == CT_F16, "dtype=%d is not a ct_dtype", dtype);
    CT_REQUIRE(use == CT_WEIGHTS_LINEAR || use == CT_WEIGHTS_EMBEDDING, "use=%d is not a ct_weights_use", use);

    int64_t row_bytes = 0;
    CT_REQUIRE(ct::multiply(cols, ct::dtype_bytes(dtype), &row_bytes), "cols=%lld is too large",
               static_cast<long long>(cols));
    int64_t rows = 0;
    for (int64_t i = 0; i < num_parts; ++i) {
        const ct_weights_part& part = parts[i];
        const auto index = static_cast<long long>(i);
        int64_t expected = 0;
        CT_REQUIRE(part.data, "parts[%lld].data is null", index);
        CT_REQUIRE(part.rows >= 1 && ct::multiply(part.rows, row_bytes, &expected),
                   "parts[%lld].rows=%lld must be at least 1 and rows * cols fit in memory", index,
                   static_cast<long long>(part.rows));
        CT_REQUIRE(part.data_bytes == expected, "parts[%lld].data_bytes=%lld must be rows * cols * element size = %lld",
                   index, static_cast<long long>(part.data_bytes), static_cast<long long>(expected));
        CT_REQUIRE(!__builtin_add_overflow(rows, part.rows, &rows), "the parts' rows overflow at parts[%lld]", index);
    }

    const int32_t stored_dtype = dtype == CT_BF16 ? CT_BF16 : CT_F32;
    int64_t bytes = 0;
    int64_t stride = cols;
    bool fits = false;
    if (device->backend) {
        int64_t padded_rows = 0;
        fits = round_up(cols, &stride) == CT_OK && round_up(rows, &padded_rows) == CT_OK &&
               ct::multiply(stride, ct::dtype_bytes(stored_dtype), &bytes) && ct::multiply(padded_rows, bytes, &bytes);
    } else if (use == CT_WEIGHTS_EMBEDDING) {
        fits = ct::multiply(rows, cols * ct::dtype_bytes(stored_dtype), &bytes);
    } else {
        int64_t line_bytes = 0;
        fits = rows <= INT64_MAX - kPanelRows && ct::multiply(steps_of(cols, stored_dtype), kLineBytes, &line_bytes) &&
               ct::multiply((rows + kPanelRows - 1) / kPanelRows, line_bytes, &bytes);
    }
    CT_REQUIRE(fits, "%lld rows of %lld columns are too large", static_cast<long long>(rows),
               static_cast<long long>(cols));

    CT_TRY(ct::check_device(__func__, device));
    std::unique_ptr<ct_weights, Destroy> packed(new ct_weights());
    packed->device = device;
    packed->dtype = stored_dtype;
    packed->use = use;
    packed->rows = rows;
    packed->cols = cols;
    packed->stride = stride;
    packed->data_bytes = bytes;
    CT_TRY(allocate(*packed));
    const Source source{parts, row_bytes};
    if (device->backend) {
        CT_TRY(upload_rows(*packed, source, dtype));
    } else {
        const ct::TeamLock lock(device);
        const Packing packing = {packed.get(), source, dtype};
        packing.run(*device->team);
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

int32_t ct_weights_bytes(int64_t* bytes, const ct_weights* weights) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(weights, "weights is null");
    *bytes = weights->data_bytes;
    return ct::ok();
}

void ct::weights_row(float* out, const ct_weights& weights, int64_t row, int64_t begin, int64_t end) {
    const int64_t cols = weights.cols;
    if (weights.use == CT_WEIGHTS_EMBEDDING) {
        const unsigned char* from = weights.data + row * cols * ct::dtype_bytes(weights.dtype);
        if (weights.dtype == CT_F32) {
            std::memcpy(out, from + 4 * begin, static_cast<size_t>(end - begin) * sizeof(float));
            return;
        }
        for (int64_t i = begin; i < end; ++i) {
            *out++ = ct::to_float(load<ct::bf16>(from + 2 * i));
        }
        return;
    }
    const int64_t steps = steps_of(cols, weights.dtype);
    const int64_t panels = (weights.rows + kPanelRows - 1) / kPanelRows;
    const int64_t panel = row / kPanelRows;
    const int64_t group = panel / kGroupPanels;
    const int64_t w_step = std::min<int64_t>(kGroupPanels, panels - group * kGroupPanels) * kLineBytes;
    const unsigned char* from =
        weights.data + (group * kGroupPanels * steps + panel % kGroupPanels) * kLineBytes + row % kPanelRows * 4;
    // Every step lies in another line of memory, of which the row has 4 bytes: the lines are asked for well ahead.
    constexpr int64_t kAhead = 32;
    if (weights.dtype == CT_F32) {
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
