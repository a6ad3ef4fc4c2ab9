// simt_copies_test.cpp: matrices and asynchronous copies, against plain loops over the documented layouts.
#include <cstring>

#include "simt/simt_test.h"

namespace simt_test {
namespace {

using testing::Random;

// ---- matrices ------------------------------------------------------------------------------------------------------

struct LoadMatrixArgs {
    const uint16_t* matrices;  // [4][8][8]
    uint32_t* plain;           // [32][6]: x4, x2
    uint32_t* transposed;
};
struct LoadMatrixShared {
    alignas(16) uint16_t rows[32][24];  // rows 48 bytes apart
};

__global__ void load_matrix_kernel(LoadMatrixArgs p) {
    LoadMatrixShared& s = gpu::shared<LoadMatrixShared>();
    for (int i = gpu::lane(); i < 256; i += 32) s.rows[i / 8][i % 8] = p.matrices[i];
    gpu::sync_warp();
    uint32_t four[4];
    uint32_t two[2];
    for (bool transposed : {false, true}) {
        const void* row = s.rows[gpu::lane()];
        if (transposed) {
            gpu::load_matrix_x4_transposed(four, row);
            gpu::load_matrix_x2_transposed(two, row);
        } else {
            gpu::load_matrix_x4(four, row);
            gpu::load_matrix_x2(two, row);
        }
        uint32_t* to = (transposed ? p.transposed : p.plain) + gpu::lane() * 6;
        for (int i = 0; i < 6; ++i) to[i] = i < 4 ? four[i] : two[i - 4];
    }
}

void load_matrix_gives_fragments() {
    std::vector<uint16_t> matrices(256);
    for (size_t i = 0; i < 256; ++i) matrices[i] = static_cast<uint16_t>(i * 257 + 3);
    auto element = [&](size_t matrix, size_t row, size_t column) {
        return static_cast<uint32_t>(matrices[matrix * 64 + row * 8 + column]);
    };
    for_seeds([&](uint64_t) {
        std::vector<uint32_t> plain(192), transposed(192);
        CHECK_CLEAN(RUN(shape(1, 32, sizeof(LoadMatrixShared)), load_matrix_kernel,
                        {matrices.data(), plain.data(), transposed.data()}));
        for (size_t lane = 0; lane < 32; ++lane) {
            for (size_t i = 0; i < 6; ++i) {
                size_t matrix = i % 4;
                size_t row = lane / 4, column = lane % 4 * 2;
                CHECK(plain[lane * 6 + i] == (element(matrix, row, column) | element(matrix, row, column + 1) << 16));
                CHECK(transposed[lane * 6 + i] ==
                      (element(matrix, column, row) | element(matrix, column + 1, row) << 16));
            }
        }
    });
}

template <typename T>
struct MmaArgs {
    const T* a;  // [16][K]
    const T* b;  // [8][K]: columns of B
    const float* c;
    float* d;  // [16][8]
};

template <typename T>
inline constexpr int kDepth = sizeof(T) == 2 ? 16 : 32;

// The fragments as the PTX ISA's figures have them: registers hold neighbours in k.
template <typename T>
__global__ void mma_kernel(MmaArgs<T> p) {
    constexpr int K = kDepth<T>;
    constexpr int kPerWord = K / 8;
    int group = gpu::lane() / 4;
    int k = gpu::lane() % 4 * kPerWord;
    uint32_t a[4], b[2];
    for (int i = 0; i < 4; ++i) std::memcpy(&a[i], p.a + (group + i % 2 * 8) * K + k + i / 2 * (K / 2), 4);
    for (int i = 0; i < 2; ++i) std::memcpy(&b[i], p.b + group * K + k + i * (K / 2), 4);
    int row = group, column = gpu::lane() % 4 * 2;
    if constexpr (std::is_same_v<T, int8_t>) {
        int32_t d[4];
        for (int i = 0; i < 4; ++i) d[i] = static_cast<int32_t>(p.c[(row + i / 2 * 8) * 8 + column + i % 2]);
        gpu::mma_s8(d, a, b);
        for (int i = 0; i < 4; ++i) p.d[(row + i / 2 * 8) * 8 + column + i % 2] = static_cast<float>(d[i]);
    } else {
        float d[4];
        for (int i = 0; i < 4; ++i) d[i] = p.c[(row + i / 2 * 8) * 8 + column + i % 2];
        if constexpr (std::is_same_v<T, gpu::bf16>) gpu::mma_bf16(d, a, b);
        if constexpr (std::is_same_v<T, gpu::f16>) gpu::mma_f16(d, a, b);
        if constexpr (std::is_same_v<T, gpu::e4m3>) gpu::mma_e4m3(d, a, b);
        for (int i = 0; i < 4; ++i) p.d[(row + i / 2 * 8) * 8 + column + i % 2] = d[i];
    }
}

template <typename T>
void mma_multiplies(uint64_t stream) {
    constexpr int K = kDepth<T>;
    Random random(stream);
    std::vector<T> a(16 * K), b(8 * K);
    std::vector<double> wide_a, wide_b;
    auto fill = [&](std::vector<T>& values, std::vector<double>& wide) {
        for (T& value : values) {
            if constexpr (std::is_same_v<T, int8_t>) {
                value = static_cast<int8_t>(random.below(256) - 128);
                wide.push_back(value);
            } else {
                value = gpu::from_float<T>(random.normal());
                wide.push_back(gpu::to_float(value));
            }
        }
    };
    fill(a, wide_a);
    fill(b, wide_b);
    std::vector<float> c(128);
    for (float& value : c) value = static_cast<float>(random.below(1000));
    for_seeds([&](uint64_t) {
        std::vector<float> d(128, testing::kNan);
        CHECK_CLEAN(RUN(shape(1, 32), mma_kernel<T>, {a.data(), b.data(), c.data(), d.data()}));
        for (size_t m = 0; m < 16; ++m) {
            for (size_t n = 0; n < 8; ++n) {
                double sum = c[m * 8 + n];
                for (size_t k = 0; k < K; ++k) sum += wide_a[m * K + k] * wide_b[n * K + k];
                CHECK_CLOSE(d[m * 8 + n], sum, (std::is_same_v<T, int8_t> ? 0 : 1e-3));
            }
        }
    });
}

// ---- asynchronous copies -------------------------------------------------------------------------------------------

struct PipelineArgs {
    const float* x;  // [tiles][128]
    float* y;        // [tiles][128], reversed within a tile; zeros where the tile's number is 5
    int32_t tiles;
};
struct PipelineShared {
    alignas(16) float stages[3][128];
};

__global__ void pipeline_kernel(PipelineArgs p) {
    PipelineShared& s = gpu::shared<PipelineShared>();
    int t = static_cast<int>(threadIdx.x);
    auto fetch = [&](int tile) {
        if (tile < p.tiles) gpu::copy_async16_or_zero(&s.stages[tile % 3][t * 4], p.x + tile * 128 + t * 4, tile != 5);
        gpu::copy_async_commit();
    };
    fetch(0);
    fetch(1);
    for (int tile = 0; tile < p.tiles; ++tile) {
        gpu::copy_async_wait<1>();
        __syncthreads();
        for (int i = t; i < 128; i += 32) p.y[tile * 128 + i] = s.stages[tile % 3][127 - i];
        fetch(tile + 2);
    }
}

void asynchronous_copies_arrive() {
    constexpr int kTiles = 9;
    std::vector<float> x(kTiles * 128);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) + 0.5f;
    for_seeds([&](uint64_t) {
        std::vector<float> y(x.size(), testing::kNan);
        CHECK_CLEAN(RUN(shape(1, 32, sizeof(PipelineShared)), pipeline_kernel, {x.data(), y.data(), kTiles}));
        for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == (i / 128 == 5 ? 0 : x[i / 128 * 128 + 127 - i % 128]));
    });
}

struct BulkShared {
    alignas(128) float stages[2][128];
    uint64_t full[2];
    uint64_t empty[2];
};

// Warp 0 copies, warps 1 to 4 read, through two stages.
__global__ void bulk_kernel(PipelineArgs p) {
    BulkShared& s = gpu::shared<BulkShared>();
    if (threadIdx.x == 0) {
        for (int stage = 0; stage < 2; ++stage) {
            gpu::mbarrier_init(&s.full[stage], 1);
            gpu::mbarrier_init(&s.empty[stage], 128);
        }
    }
    __syncthreads();
    for (int tile = 0; tile < p.tiles; ++tile) {
        int stage = tile % 2;
        uint32_t parity = static_cast<uint32_t>(tile / 2 % 2);
        if (gpu::warp() == 0) {
            gpu::mbarrier_wait(&s.empty[stage], parity ^ 1);
            if (gpu::elect()) {
                gpu::mbarrier_arrive_expect(&s.full[stage], 512);
                gpu::copy_bulk(&s.stages[stage][0], p.x + tile * 128, 256, &s.full[stage]);
                gpu::copy_bulk(&s.stages[stage][64], p.x + tile * 128 + 64, 256, &s.full[stage]);
            }
        } else {
            int i = static_cast<int>(threadIdx.x) - 32;
            gpu::mbarrier_wait(&s.full[stage], parity);
            p.y[tile * 128 + i] = s.stages[stage][127 - i];
            gpu::mbarrier_arrive(&s.empty[stage]);
        }
    }
}

void bulk_copies_complete_mbarriers() {
    constexpr int kTiles = 7;
    std::vector<float> x(kTiles * 128);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) + 0.5f;
    for_seeds([&](uint64_t) {
        std::vector<float> y(x.size(), testing::kNan);
        CHECK_CLEAN(RUN(shape(1, 160, sizeof(BulkShared)), bulk_kernel, {x.data(), y.data(), kTiles}));
        for (size_t i = 0; i < y.size(); ++i) CHECK(y[i] == x[i / 128 * 128 + 127 - i % 128]);
    });
}

}  // namespace

void matrices_are_right() {
    load_matrix_gives_fragments();
    mma_multiplies<gpu::bf16>(2);
    mma_multiplies<gpu::f16>(3);
    mma_multiplies<gpu::e4m3>(4);
    mma_multiplies<int8_t>(5);
}

void copies_arrive() {
    asynchronous_copies_arrive();
    bulk_copies_complete_mbarriers();
}

}  // namespace simt_test
