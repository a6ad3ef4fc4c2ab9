// simt_layout_test.cpp: simt's ldmatrix and mma hold each element where the PTX ISA says, and where GPUs were seen to hold
// it: simt_layout_test [DUMP ...], files that cuda_layout_test wrote.
#include <fstream>
#include <iterator>
#include <memory>

#include "simt/grid.h"
#include "tests/layout.h"
#include "tests/testing.h"

namespace {

const ct::BackendHost kHost{
    ct::kBackendBytes,
    [](int32_t status, const char* text) { return ct::fail(status, "%s", text); },
    ct::enqueue_operation,
    [](ct_device*, const char* text) {
        std::fprintf(stderr, "simt_layout: %s\n", text);
        CHECK(!"the kernel failed");
    },
};

std::string simt_text(uint64_t seed, bool has_e4m3) {
    ct::DeviceLimits limits = simt::kLimits;
    limits.compute_capability = has_e4m3 ? 89 : 80;
    simt::set_seed(seed);
    const auto dump = std::make_unique<layout::Dump>();
    testing::Device cpu;
    CHECK_OK(layout::run({cpu.stream, &limits}, dump.get()));
    CHECK_OK(ct_stream_synchronize(cpu.stream));
    return layout::text(*dump);
}

void holdsWhatIsDocumented() {
    for (uint64_t seed : {0, 1, 7}) CHECK(simt_text(seed, true) == layout::documented_text(true));
    CHECK(simt_text(0, false) == layout::documented_text(false));
}

void holdsWhatAGpuHeld(const char* file) {
    testing::context = file;
    std::ifstream stream(file);
    const std::string seen{std::istreambuf_iterator<char>(stream), {}};
    CHECK(!seen.empty());
    CHECK(simt_text(0, seen.find("mma_e4m3") != std::string::npos) == seen);
}

}  // namespace

int main(int argc, char** argv) {
    simt::set_host(&kHost);
    holdsWhatIsDocumented();
    for (int i = 1; i < argc; ++i) holdsWhatAGpuHeld(argv[i]);
    return testing::finish("simt_layout");
}
