// cuda_layout_test.cpp: the fragments of ldmatrix and mma on a CUDA device are those that the PTX ISA documents and that the
// kernels rely on. cuda_layout_test [ORDINAL [FILE]]: FILE gets the dump, which simt's emulation is compared with. Not yet
// run on a GPU.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>

#include "cuda/error.h"
#include "cuda/runtime.h"
#include "tests/layout.h"

namespace {

constexpr int kSkipped = 77;

int32_t print_error(int32_t status, const char* text) {
    std::fprintf(stderr, "cuda_layout_test: %s\n", text);
    return status;
}

int32_t dump_of(const ct::DeviceRuntime& runtime, int ordinal, layout::Dump* dump) {
    void* device = nullptr;
    void* queue = nullptr;
    void* memory = nullptr;
    ct::DeviceLimits limits{};
    char processor[128];
    CT_TRY(runtime.open(&device, &limits, processor, ordinal));
    CT_TRY(runtime.stream_create(device, &queue));
    CT_TRY(runtime.allocate(device, &memory, sizeof *dump, true));
    CT_TRY(layout::run({queue, &limits}, static_cast<layout::Dump*>(memory)));
    CT_TRY(runtime.stream_synchronize(device, queue));
    std::memcpy(dump, memory, sizeof *dump);
    CT_TRY(runtime.release(device, memory, true));
    CT_TRY(runtime.stream_destroy(device, queue));
    CT_TRY(runtime.close(device));
    std::printf("cuda_layout_test: %s\n", processor);
    return CT_OK;
}

}  // namespace

int main(int argc, char** argv) {
    const ct::BackendHost host{ct::kBackendBytes, print_error, nullptr, nullptr};
    ct::cuda::host = &host;
    const auto dump = std::make_unique<layout::Dump>();
    const int32_t status = dump_of(ct::cuda::kRuntime, argc > 1 ? std::atoi(argv[1]) : 0, dump.get());
    if (status != CT_OK) return status == CT_UNAVAILABLE ? kSkipped : 1;
    const std::string seen = layout::text(*dump);
    if (argc > 2) std::ofstream(argv[2]) << seen;
    const bool right = seen == layout::documented_text(dump->has_e4m3 != 0);
    std::printf("cuda_layout_test: %s\n", right ? "as documented" : "NOT as documented");
    if (!right && argc <= 2) std::fputs(seen.c_str(), stdout);
    return right ? 0 : 1;
}
