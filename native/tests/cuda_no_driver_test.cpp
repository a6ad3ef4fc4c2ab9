// cuda_no_driver_test.cpp: on a machine without an NVIDIA driver the CUDA backend loads, says what is missing and
// leaves the library as it was.
#include <dlfcn.h>

#include <cstring>

#include "core/backend.h"
#include "tests/testing.h"

namespace {

constexpr int kSkipped = 77;

std::string reported;

int32_t report(int32_t status, const char* text) {
    reported = text;
    return status;
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

void opens_through_the_library() {
    ct_device* device = nullptr;
    CHECK_STATUS(ct_device_open(&device, "cuda:0", nullptr), CT_UNAVAILABLE);
    CHECK(device == nullptr);
    CHECK(contains(ct_last_error(), "cuda:0 is not available: no NVIDIA driver"));
    testing::Device cpu;  // all else works
    CHECK(cpu.present());
}

void starts_only_with_a_host_of_its_build(ct::BackendEntry start) {
    ct::BackendHost host{ct::kBackendBytes + 8, report, nullptr, nullptr};
    CHECK(start(&host) == nullptr);
    CHECK(contains(reported, "another build"));
    host.backend_bytes = ct::kBackendBytes;
    const ct::Backend* backend = start(&host);
    CHECK(backend != nullptr);
    if (!backend) return;
    CHECK(std::strcmp(backend->name, "cuda") == 0);
    CHECK(backend->operations != nullptr);
    CHECK(backend->runtime != nullptr);
    void* context = nullptr;
    ct::DeviceLimits limits{};
    char processor[128] = "";
    for (int32_t ordinal : {0, 1, -1}) {
        reported.clear();
        CHECK_STATUS(backend->runtime->open(&context, &limits, processor, ordinal), CT_UNAVAILABLE);
        CHECK(contains(reported, "no NVIDIA driver"));
        CHECK(context == nullptr);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (dlopen("libcuda.so.1", RTLD_NOW)) {
        std::printf("cuda_no_driver: skipped, this machine has a driver\n");
        return kSkipped;
    }
    opens_through_the_library();
    void* library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (!library) std::fprintf(stderr, "cuda_no_driver: %s\n", argc > 1 ? dlerror() : "no library given");
    CHECK(library != nullptr);
    if (library) {
        const auto start = reinterpret_cast<ct::BackendEntry>(dlsym(library, ct::kBackendSymbol));
        CHECK(start != nullptr);
        if (start) starts_only_with_a_host_of_its_build(start);
    }
    return testing::finish("cuda_no_driver");
}
