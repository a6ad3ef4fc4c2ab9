// codes.h: the packed layout of a matrix that stays quantised, and its kernels, private to kernels/linear.
//
// Arithmetic. Within a sub-block of columns (16 to 128) a weight is scale * value(code) - min. The values are small whole
// numbers (or e4m3's), exact in bf16, so a row of y gets, sub-block after sub-block,
//     c = c + scale * (sum of value(code) x) - min * (sum of x)
// with the sums from zero, k in order, and scale, min and c in float32: exact weights, whatever the number of rows. The
// sums of x are taken once for all rows of W. bf16 x with AVX-512 multiplies in vdpbf16ps, all else in float32.
//
// Layout. Panels and groups are linear.h's. A group is a run of chunks of 256 columns (the last may have fewer, a multiple
// of 32); a chunk holds the scales of the group's panels, panel after panel, rounded up to whole lines, and then its units
// of 32 columns. A unit is a few planes of bits; a plane has lines of 64 bytes, each for all panels of the group before the
// next. In a line, 32 bits belong to each row of a panel: a word for the even k and a word for the odd k, the codes of
// neighbouring steps (pairs of k) in it from the lowest bits up. One shift of a line thus brings a step's 32 codes to the
// places of the bf16 that vdpbf16ps takes, and one permutation of words (vpermw) looks them up, whatever the bits above.
//
// This header is also compiled with the flags of an instruction set: no inline functions.
#pragma once

#include <cstdint>

#include "kernels/linear/linear.h"

namespace ct::linear {

inline constexpr int kChunkCols = 256;
inline constexpr int kUnitCols = 32;
inline constexpr int kUnitSteps = kUnitCols / 2;
inline constexpr int kMaxSubs = kChunkCols / 16;
inline constexpr int kMaxValues = 128;

// What a code is made of.
enum Planes : int32_t {
    kNibbles,  // 4 bits
    kFive,     // 4 bits, and 1 above
    kSix,      // 4 bits, and 2 above
    kPairs,    // 2 bits
    kThree,    // 2 bits, and 1 above
    kBytes,    // int8 + 128; the four bytes of a row's 32 bits are neighbouring k
    kE4m3,     // 8 bits
    kNumPlanes
};

// What a panel's scales in a chunk are: for its subs sub-blocks, 16 rows each time.
enum ScaleKind : int32_t {
    kHalf,          // f16 scale [subs]
    kHalfMin,       // f16 scale [subs], f16 -min [subs]
    kPower,         // bf16 scale [subs]
    kFloat,         // f32 scale [subs]
    kFloatZero,     // f32 scale [subs], u8 zero [subs]: min = scale * zero
    kSuper,         // f16 d, s8 [subs]: scale = d * s8
    kSuperMin,      // f16 d, f16 dmin, u8 [subs], u8 [subs]: scale = d * u8, min = dmin * u8
    kSuperNibbles,  // f16 d, f16 dmin, u8 [subs]: the same with the low and the high nibble
};

// Of a format whose codes are kept.
struct CodeFormat {
    Planes planes;
    ScaleKind scales;
    bool has_min;
    uint16_t values[kMaxValues];  // bf16 of each code, repeated up to kMaxValues; of kE4m3 without signs; not of kBytes
};

// Some panels of one chunk. Pointers are to the first panel's.
struct CodeTile {
    float* c;                    // rows kGroupRows apart
    const void* x;               // bf16, or float32, as the kernel's name says
    int64_t x_stride;            // elements
    const unsigned char* units;  // codes as packed
    const uint16_t* codes;       // or unpacked: [step][kGroupPanels][16 rows][2 k] bf16
    int64_t line_step;           // bytes from a packed line to the next: the group's panels * kLineBytes
    const CodeFormat* format;
    const float* scales;  // [sub][kGroupPanels][16]
    const float* mins;    // the same; null: none
    const float* x_sums;  // [row][...]: sums of x over the chunk's sub-blocks; null: no mins
    int64_t x_sums_stride;
    int subs;
    int sub_steps;  // steps of a sub-block: 8, or a multiple of kUnitSteps
    int rows;
    int panels;
    bool first;                     // start from zero rather than from c
    const unsigned char* prefetch;  // by fused: as many lines as the codes have, and so many more after each unit
    int prefetch_more;
};

using CodeKernel = void (*)(const CodeTile& tile);

struct CodeKernels {
    int max_rows;                  // of times_bf16 and times_f32
    int max_fused_rows;            // of fused; 0: none
    CodeKernel fused[kNumPlanes];  // bf16 x times packed units
    CodeKernel times_bf16;         // bf16 x times unpacked codes; null: x is expanded for times_f32
    CodeKernel times_f32;
    void (*unpack[kNumPlanes])(uint16_t* codes, const CodeTile& tile);  // of all the tile's units
    // scales, mins [subs][kGroupPanels][16] of `panels` panels whose scales lie panel_bytes apart.
    void (*expand_scales)(float* scales, float* mins, const unsigned char* from, int64_t panel_bytes, ScaleKind kind,
                          int subs, int panels);
    // Of each run of `sub` (16 to 128) elements of a row of x.
    void (*sum_bf16)(float* sums, const void* x, int64_t cols, int64_t sub);
    void (*sum_f32)(float* sums, const void* x, int64_t cols, int64_t sub);
};

extern const CodeKernels kScalarCodeKernels;
extern const CodeKernels kAvx2CodeKernels;
extern const CodeKernels kAvx512CodeKernels;

}  // namespace ct::linear
