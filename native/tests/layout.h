// layout.h: which element of a matrix each lane and register holds, as the device says: ldmatrix and mma, dumped by a
// kernel of the dialect (layout.cu), so that simt's emulation can be held against a GPU. As text the dump is small
// enough to keep.
#pragma once

#include <cstdint>
#include <string>

#include "core/backend.h"

namespace layout {

inline constexpr int kLanes = 32;
inline constexpr int kPlacesOfD = kLanes * 4;

// A place is (lane, register, part of the register), in that order. For each place of A holding a one: which place of B
// it met (its number + 1; 0: none) in each place of D.
template <int PARTS>
struct Products {
    static constexpr int kParts = PARTS;
    static constexpr int kPlacesOfA = kLanes * 4 * PARTS;
    static constexpr int kPlacesOfB = kLanes * 2 * PARTS;
    uint16_t met[kPlacesOfA][kPlacesOfD];
};

// As the kernel writes it. The registers of load_matrix hold 64 * matrix + 8 * row + column.
struct Dump {
    uint32_t x4[kLanes][4];
    uint32_t x2[kLanes][2];
    uint32_t x4_transposed[kLanes][4];
    uint32_t x2_transposed[kLanes][2];
    Products<2> bf16;
    Products<2> f16;
    Products<4> e4m3;  // not written before compute capability 8.9
    Products<4> s8;
    int32_t has_e4m3;
};

// Launches the kernel; `dump` is device memory.
int32_t run(const ct::LaunchContext& context, Dump* dump);

// A line for each instruction, operand and lane: "load_matrix_x4 lane 5: 0:1,2 0:1,3 ..." (matrix:row,column) and
// "mma_bf16 a lane 5: 1,2 1,3 ..." (row,column; for b that is k,column). A place that fits no table is "?".
std::string text(const Dump& dump);

// The same as the PTX ISA documents it (sections on ldmatrix and on the fragments of m16n8k16 and m16n8k32).
std::string documented_text(bool has_e4m3);

}  // namespace layout
