// gpu_pack.cpp: matrices of experts that stay quantised on a GPU, packed at load.
#include "kernels/linear/gpu_pack.h"

#include <algorithm>
#include <bit>

namespace ct::linear {
namespace {

constexpr int kTileRows = 16;
constexpr int64_t kStepCols = 64;
constexpr int64_t kMxfp4Cols = 32;
constexpr int64_t kMxfp4Bytes = 17;  // the exponent, then column c and column c + 16 in each byte

int code_of(const ct_weights_part& part, const unsigned char* row, int64_t col) {
    switch (part.format) {
        case CT_FORMAT_F8_E4M3:
            return row[col];
        case CT_FORMAT_INT4:
            return row[col / 2] >> col % 2 * 4 & 15;
        default: {
            const unsigned char* block = row + col / kMxfp4Cols * kMxfp4Bytes + 1;
            const int64_t within = col % kMxfp4Cols;
            return block[within % 16] >> within / 16 * 4 & 15;
        }
    }
}

void pack_row(unsigned char* bytes, const GpuCodes& w, const ct_weights_part& part, int64_t row) {
    const unsigned char* from = static_cast<const unsigned char*>(part.data) + row * row_bytes(part, w.cols);
    GpuCodes::Code first_step[kStepCols];
    for (int64_t col = 0; col < kStepCols; ++col) first_step[col] = w.code_at(row, col);
    for (int64_t col = 0; col < w.cols; ++col) {
        const GpuCodes::Code& at = first_step[col % kStepCols];
        unsigned char& byte = bytes[at.byte + col / kStepCols * w.tile_bytes()];
        byte = static_cast<unsigned char>(byte | code_of(part, from, col) << at.shift);
    }
    const Grid grid = grid_of(part);
    for (int64_t group = 0; group < w.groups(); ++group) {
        const int64_t at = group * w.padded_rows() + row;
        if (part.format == CT_FORMAT_MXFP4) {
            bytes[w.scales_at() + at] = from[group * kMxfp4Bytes];
            continue;
        }
        const int64_t col = group << w.group_shift;
        const float scale = grid.scale(row, col, w.cols);
        std::memcpy(bytes + w.scales_at() + 4 * at, &scale, sizeof scale);
        if (part.format == CT_FORMAT_INT4) {
            bytes[w.zeros_at() + at] = static_cast<unsigned char>(grid.zero(row, col, w.cols));
        }
    }
}

}  // namespace

bool gpu_codes_of(GpuCodes* codes, const Source& source) {
    const ct_weights_part& part = source.parts[0];
    if (source.num_parts != 1 || !GpuCodes::is(part.format)) return false;
    // The kernels take 32 columns of one scale at a time, of 8 bits 64.
    const int64_t width = part.format == CT_FORMAT_MXFP4 ? kMxfp4Cols : part.scale_cols;
    int shift = kOneGroup;
    if (width < source.cols || part.format == CT_FORMAT_MXFP4) {
        const int64_t least = part.format == CT_FORMAT_F8_E4M3 ? 64 : 32;
        if (width < least || !std::has_single_bit(static_cast<uint64_t>(width))) return false;
        shift = std::countr_zero(static_cast<uint64_t>(width));
    }
    *codes = {part.rows, source.cols, part.format, shift};
    return true;
}

int32_t check_codes(const char* function, const Source& source) {
    const ct_weights_part& part = source.parts[0];
    if (part.format != CT_FORMAT_F8_E4M3) return CT_OK;
    const auto* bytes = static_cast<const unsigned char*>(part.data);
    for (int64_t i = 0; i < part.data_bytes; ++i) {
        if ((bytes[i] & 0x7f) != 0x7f) continue;
        return fail(CT_INVALID, "%s: element %lld of parts[0] (F8_E4M3) is NaN, which CT_WEIGHTS_EXPERT does not take",
                    function, static_cast<long long>(i));
    }
    return CT_OK;
}

void pack_gpu_codes(unsigned char* bytes, const GpuCodes& codes, const Source& source, Team& team) {
    team.run(codes.padded_rows() / kTileRows, [&](int64_t tile, int) {
        for (int64_t row = tile * kTileRows; row < std::min(codes.rows, (tile + 1) * kTileRows); ++row) {
            pack_row(bytes, codes, source.parts[0], row);
        }
    });
}

}  // namespace ct::linear
