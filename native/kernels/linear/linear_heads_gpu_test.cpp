// linear_heads_gpu_test.cpp: the CUDA kernels of ct_linear_heads.
#include "kernels/linear/linear_heads_testing.h"

namespace {

using namespace testing;

// Rows around the edges of the kernels, heads that end within a tile of W, rows of x that are aligned and that are not.
void matchesPlainLoops(Device& d) {
    struct Shape {
        int32_t heads;
        int64_t n, k;
    };
    for (const Shape& s : {Shape{3, 16, 33}, Shape{2, 48, 72}, Shape{5, 80, 16}, Shape{2, 128, 136}}) {
        for (const int64_t rows : {0, 1, 5, 9, 16, 17, 65}) {
            if (reduced() && (rows > 20 || s.n > 100)) continue;
            for (const int64_t pad : {0, 3, 8}) {
                if (pad == 3 && rows % 2 == 0) continue;
                const HeadsCase c{rows, s.heads, s.n, s.k, pad, pad};
                headsAsPlainLoops<ct::bf16, ct::bf16, ct::bf16>(d, c);
                headsAsPlainLoops<float, float, ct::bf16>(d, c);
                if (reduced() || pad == 8) continue;
                headsAsPlainLoops<float, float, float>(d, c);
                headsAsPlainLoops<float, ct::bf16, float>(d, c);
            }
        }
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        matchesPlainLoops(d);
        headsDependOnTheirRowAlone<float, ct::bf16, ct::bf16>(d, 70, 3, 48, 72);
        headsDependOnTheirRowAlone<float, float, ct::bf16>(d, 70, 3, 48, 72);
        // K in more than one range.
        if (!reduced()) headsDependOnTheirRowAlone<float, ct::bf16, ct::bf16>(d, 70, 2, 128, 512);
        if (!reduced()) headsDependOnTheirRowAlone<float, float, ct::bf16>(d, 20, 2, 32, 520);
    });
    return finish("linear_heads_gpu");
}
