#include <chrono>

#include "gpu/gpu.h"
#include "tests/testing.h"
struct Sum {
    const float* x;
    float* y;
    int64_t n;
};
struct Shared {
    float parts[8];
};
template <int Dummy>
__global__ void sum_kernel(Sum p) {
    gpu::wait_for_previous();
    Shared& s = gpu::shared<Shared>();
    float t = 0;
    for (int64_t i = threadIdx.x; i < p.n; i += blockDim.x) t += p.x[blockIdx.x * p.n + i];
    t = gpu::warp_sum(t);
    if (gpu::lane() == 0) s.parts[gpu::warp()] = t;
    __syncthreads();
    float all = 0;
    for (unsigned w = 0; w < blockDim.x / 32; ++w) all += s.parts[w];
    if (threadIdx.x == 0) p.y[blockIdx.x] = all;
}
__global__ void switch_kernel(Sum p) {
    gpu::wait_for_previous();
    float v = threadIdx.x;
    for (int i = 0; i < 1000; ++i) v = gpu::shuffle_xor(v, 1);
    p.y[0] = v;
}
int main() {
    ct::Team team(2);
    std::vector<float> x(64 * 4096, 1.0f), y(64);
    for (uint64_t seed : {0, 1, 7}) {
        simt::set_seed(seed);
        auto l = simt::make_launch("sum_kernel<0>, args", simt::Site::current(), sum_kernel<0>,
                                   Sum{x.data(), y.data(), 4096});
        CHECK(simt::set_shape(l, {.blocks_x = 64, .threads = 256, .shared_bytes = sizeof(Shared)}, simt::kLimits)
                  .empty());
        std::string r = simt::run_grid(l, team);
        std::printf("%s\n", r.c_str());
        CHECK(r.empty());
        for (float v : y) CHECK(v == 4096);
        auto l2 = simt::make_launch("switch_kernel, args", simt::Site::current(), switch_kernel,
                                    Sum{x.data(), y.data(), 4096});
        CHECK(simt::set_shape(l2, {.blocks_x = 1, .threads = 256, .shared_bytes = 0}, simt::kLimits).empty());
        auto t0 = std::chrono::steady_clock::now();
        r = simt::run_grid(l2, team);
        double t = std::chrono::duration<double>(std::chrono::steady_clock::now() - t0).count();
        CHECK(r.empty());
        std::printf("%s %.1f ns per lane and collective\n", r.c_str(), t * 1e9 / 256000);
    }
    return testing::finish("simt");
}
