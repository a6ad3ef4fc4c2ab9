// layout.cu: the kernel behind layout.h. One warp, some thousand instructions. Not yet run on a GPU.
#include "gpu/gpu.h"
#include "tests/layout.h"

namespace layout {

namespace {

struct Argument {
    Dump* dump;
    bool has_e4m3;
};

struct Shared {
    alignas(16) uint16_t matrices[4][8][8];
};

constexpr int kDigits = 3;  // of a place of B plus one, base 8: numbers that every type holds exactly

template <typename T>
__device__ uint32_t bits_of(int number) {
    if constexpr (std::is_same_v<T, int8_t>) {
        return static_cast<uint32_t>(number);
    } else {
        return gpu::from_float<T>(static_cast<float>(number)).bits;
    }
}

template <typename T>
__device__ void multiply(int (&digits)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    if constexpr (std::is_same_v<T, int8_t>) {
        int32_t d[4] = {};
        gpu::mma_s8(d, a, b);
        for (int i = 0; i < 4; ++i) digits[i] = d[i];
    } else {
        float d[4] = {};
        if constexpr (std::is_same_v<T, gpu::bf16>) gpu::mma_bf16(d, a, b);
        if constexpr (std::is_same_v<T, gpu::f16>) gpu::mma_f16(d, a, b);
        if constexpr (std::is_same_v<T, gpu::e4m3>) gpu::mma_e4m3(d, a, b);
        for (int i = 0; i < 4; ++i) digits[i] = static_cast<int>(d[i]);
    }
}

// A is zero but for a one in one place after the other; B holds one digit of its places' numbers.
template <typename T, int PARTS>
__device__ void dump_products(Products<PARTS>& out) {
    static_assert(PARTS == 4 / sizeof(T));
    constexpr int kBits = 32 / PARTS;
    const int lane = gpu::lane();
    uint32_t b[kDigits][2];
    for (int digit = 0; digit < kDigits; ++digit) {
        for (int r = 0; r < 2; ++r) {
            b[digit][r] = 0;
            for (int part = 0; part < PARTS; ++part) {
                const int number = (lane * 2 + r) * PARTS + part + 1;
                b[digit][r] |= bits_of<T>((number >> (3 * digit)) & 7) << (kBits * part);
            }
        }
    }
    for (int place = 0; place < Products<PARTS>::kPlacesOfA; ++place) {
        uint32_t a[4];
        for (int r = 0; r < 4; ++r) {
            const bool here = place / PARTS == lane * 4 + r;
            a[r] = here ? bits_of<T>(1) << (kBits * (place % PARTS)) : 0;
        }
        int met[4] = {};
        for (int digit = 0; digit < kDigits; ++digit) {
            int digits[4];
            multiply<T>(digits, a, b[digit]);
            for (int i = 0; i < 4; ++i) met[i] += digits[i] << (3 * digit);
        }
        for (int i = 0; i < 4; ++i) out.met[place][lane * 4 + i] = static_cast<uint16_t>(met[i]);
    }
}

template <int N>
__device__ void copy(uint32_t (&to)[N], const uint32_t (&from)[N]) {
    for (int i = 0; i < N; ++i) to[i] = from[i];
}

__global__ void __launch_bounds__(kLanes) layout_kernel(Argument argument) {
    gpu::wait_for_previous();
    Shared& s = gpu::shared<Shared>();
    Dump& dump = *argument.dump;
    const int lane = gpu::lane();
    for (int i = lane; i < 4 * 64; i += kLanes) s.matrices[i / 64][i / 8 % 8][i % 8] = static_cast<uint16_t>(i);
    __syncthreads();
    const uint16_t* row = s.matrices[lane / 8][lane % 8];
    const uint16_t* row_of_two = s.matrices[lane / 8 % 2][lane % 8];
    uint32_t four[4];
    uint32_t two[2];
    gpu::load_matrix_x4(four, row);
    copy(dump.x4[lane], four);
    gpu::load_matrix_x4_transposed(four, row);
    copy(dump.x4_transposed[lane], four);
    gpu::load_matrix_x2(two, row_of_two);
    copy(dump.x2[lane], two);
    gpu::load_matrix_x2_transposed(two, row_of_two);
    copy(dump.x2_transposed[lane], two);
    dump_products<gpu::bf16>(dump.bf16);
    dump_products<gpu::f16>(dump.f16);
    if (argument.has_e4m3) dump_products<gpu::e4m3>(dump.e4m3);
    dump_products<int8_t>(dump.s8);
    if (lane == 0) dump.has_e4m3 = argument.has_e4m3 ? 1 : 0;
}

}  // namespace

int32_t run(const ct::LaunchContext& context, Dump* dump) {
    gpu::LaunchShape shape;
    shape.blocks_x = 1;
    shape.threads = kLanes;
    shape.shared_bytes = sizeof(Shared);
    const Argument argument{dump, context.limits->compute_capability >= 89};
    return GPU_LAUNCH(context, shape, layout_kernel, argument);
}

}  // namespace layout
