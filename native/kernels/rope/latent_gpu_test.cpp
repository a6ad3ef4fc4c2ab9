// latent_gpu_test.cpp: the CUDA kernel of ct_latent_kv_write.
#include "kernels/rope/latent_testing.h"

int main() {
    using namespace testing;
    for_gpu_devices([](Device& d) {
        for (int32_t style : {CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            std::vector<LatentCase> cases{{1, 16, 32, 16, style}, {17, 32, 80, 96, style, 8, 5, 32}};
            if (!reduced()) cases.push_back({4, 0, 16, 48, style, 3, 16, 64});
            if (!reduced()) cases.push_back({33, 128, 512, 64, style, 8});
            for (const LatentCase& c : cases) {
                latentsOfEveryCache<float>(d, c);
                latentsOfEveryCache<ct::bf16>(d, c);
            }
        }
        latentsDependOnNothingElse<float, float>(d);
        latentsDependOnNothingElse<ct::bf16, ct::bf16>(d);
        latentsDependOnNothingElse<ct::bf16, ct::e4m3>(d);
    });
    return finish("latent_gpu");
}
