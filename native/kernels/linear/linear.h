// linear.h: the packed layout of a matrix and the tile kernels of each instruction set, private to kernels/linear.
//
// Layout. 16 rows of W make a panel, 4 panels a group (the last group has 1 to 4). A group is a run of k-steps; a step
// holds, for each of the group's panels in turn, one 64-byte line:
//   bf16   16 rows x 2 neighbouring k, the operand of vdpbf16ps; an odd K ends with a zero
//   f32    16 rows x 1 k
// So one stream of memory feeds 64 rows, no sum ever crosses lanes, and the whole matrix is read front to back. The
// interleaving of pairs is oneDNN's "VNNI" format, the row panels are ik_llama.cpp's R16.
//
// Determinism. An output element is one float32 lane, summed over k in order from 0, whatever the tile's number of rows
// and panels. Blocks over K carry the sums through float32 memory, which changes no bit.
//
// This header is also compiled with the flags of an instruction set, so it must define no inline functions: the linker
// would be free to keep the AVX-512 copy for everybody.
#pragma once

#include <cstdint>

namespace ct::linear {

inline constexpr int kPanelRows = 16;
inline constexpr int kGroupPanels = 4;
inline constexpr int kGroupRows = kPanelRows * kGroupPanels;
inline constexpr int kLineBytes = 64;

// c[rows][panels * 16] (+)= x[rows][cols] times the panels' weights.
struct Tile {
    float* c;                       // rows kGroupRows apart
    const void* x;                  // float or bf16, as the kernel's name says
    const unsigned char* w;         // first panel's line of the first step
    int64_t x_stride;               // elements
    int64_t w_step;                 // bytes from one step to the next: the group's panels * kLineBytes
    int64_t cols;                   // k's to sum; odd only at the end of the matrix
    int rows;                       // 1 to Kernels::max_rows
    int panels;                     // 1 to kGroupPanels
    bool first;                     // start from zero rather than from c
    const unsigned char* prefetch;  // lines to fetch meanwhile, prefetch_lines in each step
    int prefetch_lines;
};

using TileKernel = void (*)(const Tile& tile);

struct Kernels {
    int max_rows;
    TileKernel bf16_bf16;  // x, W; null: x is expanded for f32_bf16
    TileKernel f32_bf16;
    TileKernel f32_f32;
    void (*expand)(float* out, const void* bf16_in, int64_t count);
    // bf16 lines of k's [0, cols) as float32 lines, kGroupPanels of them a k; null: f32_bf16 is as fast as f32_f32.
    void (*widen)(float* out, const unsigned char* w, int64_t w_step, int64_t cols, int panels);
    // y[0..cols) = c + bias (nullable), rounded to y_dtype.
    void (*finish)(void* y, const float* c, const float* bias, int64_t cols, int32_t y_dtype);
};

extern const Kernels kScalarKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512FloatKernels;  // bf16 is multiplied in float32

}  // namespace ct::linear
