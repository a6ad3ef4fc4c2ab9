// source.cpp: checks of the caller's parts, and their numbers as float32.
#include "kernels/linear/source.h"

#include <algorithm>
#include <cmath>

#include "core/core.h"
#include "kernels/quant/formats.h"

namespace ct::linear {
namespace {

bool has_scales(int32_t format) { return format == CT_FORMAT_F8_E4M3 || format == CT_FORMAT_INT4; }

int64_t ceil_div(int64_t a, int64_t b) { return a / b + (a % b != 0); }

float load_float(const unsigned char* at) {
    float value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

int32_t check_scales(const char* function, long long index, const ct_weights_part& part, int64_t cols, bool are_read) {
    const auto refuse = [&](const char* what, int64_t value) {
        return fail(CT_INVALID, "%s: parts[%lld].%s=%lld", function, index, what, static_cast<long long>(value));
    };
    if (!has_scales(part.format)) {
        if (part.scales || part.zeros || part.num_scales != 0 || part.scale_rows != 0 || part.scale_cols != 0) {
            return fail(CT_INVALID, "%s: parts[%lld] has scales, which format=%d does not take", function, index,
                        part.format);
        }
        return CT_OK;
    }
    if (!part.scales) return fail(CT_INVALID, "%s: parts[%lld].scales is null", function, index);
    if (part.zeros && part.format != CT_FORMAT_INT4) {
        return fail(CT_INVALID, "%s: parts[%lld].zeros must be null with format=%d", function, index, part.format);
    }
    if (part.scale_rows < 1) return refuse("scale_rows must be at least 1: scale_rows", part.scale_rows);
    if (part.scale_cols < 1) return refuse("scale_cols must be at least 1: scale_cols", part.scale_cols);
    int64_t expected = 0;
    if (!multiply(ceil_div(part.rows, part.scale_rows), ceil_div(cols, part.scale_cols), &expected) ||
        part.num_scales != expected) {
        return fail(CT_INVALID, "%s: parts[%lld].num_scales=%lld must be what the grid comes to, %lld", function, index,
                    static_cast<long long>(part.num_scales), static_cast<long long>(expected));
    }
    for (int64_t i = 0; are_read && i < expected; ++i) {
        if (!std::isfinite(load_float(grid_of(part).scales + 4 * i))) {
            return refuse("scales must be finite: the first that is not has index", i);
        }
        if (part.zeros && part.zeros[i] > 16) return refuse("zeros must be 0 to 16: the first other has index", i);
    }
    return CT_OK;
}

int32_t check_part(const char* function, long long index, const ct_weights_part& part, int64_t cols, bool are_read) {
    if (!part.data) return fail(CT_INVALID, "%s: parts[%lld].data is null", function, index);
    const quant::Format* format = quant::format_of(part.format);
    if (!format || quant::is_bare_float(part.format)) {
        return fail(CT_INVALID, "%s: parts[%lld].format=%d is not a ct_weights_format of weights", function, index,
                    part.format);
    }
    if (cols % format->block != 0) {
        return fail(CT_INVALID, "%s: cols=%lld must be a multiple of %d, the block of parts[%lld], which is %s",
                    function, static_cast<long long>(cols), format->block, index, format->name);
    }
    int64_t expected = 0;
    if (part.rows < 1 || !quant::bytes_of(&expected, *format, cols) || !multiply(part.rows, expected, &expected)) {
        return fail(CT_INVALID, "%s: parts[%lld].rows=%lld must be at least 1 and rows * cols fit in memory", function,
                    index, static_cast<long long>(part.rows));
    }
    if (part.data_bytes != expected) {
        return fail(CT_INVALID, "%s: parts[%lld].data_bytes=%lld must be what rows * cols of %s come to, %lld",
                    function, index, static_cast<long long>(part.data_bytes), format->name,
                    static_cast<long long>(expected));
    }
    return check_scales(function, index, part, cols, are_read);
}

}  // namespace

const ct_weights_part& Source::part_of(int64_t& row) const {
    const ct_weights_part* part = parts;
    while (row >= part->rows) {
        row -= part->rows;
        ++part;
    }
    return *part;
}

int32_t check_parts(const char* function, int64_t* rows, const Source& source, bool are_read) {
    *rows = 0;
    for (int64_t i = 0; i < source.num_parts; ++i) {
        CT_TRY(check_part(function, i, source.parts[i], source.cols, are_read));
        if (__builtin_add_overflow(*rows, source.parts[i].rows, rows)) {
            return fail(CT_INVALID, "%s: the parts' rows overflow at parts[%lld]", function, static_cast<long long>(i));
        }
    }
    return CT_OK;
}

int64_t row_bytes(const ct_weights_part& part, int64_t cols) {
    const quant::Format& format = *quant::format_of(part.format);
    return cols / format.block * format.bytes;
}

float Grid::scale(int64_t row, int64_t col, int64_t total_cols) const {
    return load_float(scales + 4 * (row / rows * ceil_div(total_cols, cols) + col / cols));
}

int Grid::zero(int64_t row, int64_t col, int64_t total_cols) const {
    return zeros ? zeros[row / rows * ceil_div(total_cols, cols) + col / cols] : 8;
}

Grid grid_of(const ct_weights_part& part) {
    return {reinterpret_cast<const unsigned char*>(part.scales), part.zeros, part.scale_rows, part.scale_cols};
}

void row_values(float* out, const unsigned char* bytes, int32_t format, const Grid& grid, int64_t row, int64_t begin,
                int64_t end, int64_t cols) {
    if (format == CT_FORMAT_F8_E4M3) {
        for (int64_t i = begin; i < end; ++i) {
            *out++ = to_float(e4m3{bytes[i]}) * grid.scale(row, i, cols);
        }
        return;
    }
    if (format == CT_FORMAT_INT4) {
        for (int64_t i = begin; i < end; ++i) {
            const int code = bytes[i / 2] >> i % 2 * 4 & 0xf;
            *out++ = static_cast<float>(code - grid.zero(row, i, cols)) * grid.scale(row, i, cols);
        }
        return;
    }
    const quant::Format& blocks = *quant::format_of(format);
    if (blocks.block == 1) {
        quant::dequantize(out, bytes + begin * blocks.bytes, end - begin, blocks);
        return;
    }
    for (int64_t i = begin; i < end;) {
        const int64_t block = i / blocks.block;
        const int64_t from = i - block * blocks.block;
        const int64_t count = std::min(blocks.block - from, end - i);
        if (count == blocks.block) {
            quant::dequantize(out, bytes + block * blocks.bytes, count, blocks);
        } else {
            float whole[quant::kMaxBlock];
            quant::dequantize(whole, bytes + block * blocks.bytes, blocks.block, blocks);
            std::copy(whole + from, whole + from + count, out);
        }
        out += count;
        i += count;
    }
}

}  // namespace ct::linear
