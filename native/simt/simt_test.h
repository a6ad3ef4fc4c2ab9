// simt_test.h: what the tests of the runtime share: running a kernel without a device.
#pragma once

#include <string>

#include "gpu/gpu.h"
#include "tests/testing.h"

namespace simt_test {

inline ct::Team& team() {
    static ct::Team two(2);
    return two;
}

// Runs a grid; "" or the report.
template <typename Argument>
std::string run(const char* expression, const gpu::LaunchShape& shape, void (*kernel)(Argument),
                const std::type_identity_t<Argument>& argument) {
    simt::Launch launch = simt::make_launch(expression, simt::Site::current(), kernel, argument);
    std::string wrong = simt::set_shape(launch, shape, simt::kLimits);
    return wrong.empty() ? simt::run_grid(launch, team()) : wrong;
}

#define RUN(shape, ...) ::simt_test::run(#__VA_ARGS__, (shape), __VA_ARGS__)

// Prints the report of a failed run with the check.
#define CHECK_CLEAN(report)                               \
    do {                                                  \
        std::string report_ = (report);                   \
        CHECK(report_.empty());                           \
        if (!report_.empty()) std::puts(report_.c_str()); \
    } while (0)

inline constexpr uint64_t kSeeds[] = {0, 1, 2, 3, 7};

// Every seed, its number in the context of failures.
template <typename Body>
void for_seeds(const Body& body) {
    for (uint64_t seed : kSeeds) {
        simt::set_seed(seed);
        testing::context = "simt seed " + std::to_string(seed);
        body(seed);
    }
    simt::set_seed(0);
    testing::context.clear();
}

// No wait for kernels before, as there are none.
inline gpu::LaunchShape shape(int64_t blocks, int32_t threads, int64_t shared_bytes = 0) {
    gpu::LaunchShape made;
    made.blocks_x = blocks;
    made.threads = threads;
    made.shared_bytes = shared_bytes;
    made.overlap = false;
    return made;
}

// simt_copies_test.cpp
void matrices_are_right();
void copies_arrive();

// planted_bugs.cpp
void planted_bugs_are_found(const char* program);
// Runs one planted bug, for the sanitizer to report; 2 where there is none of that name.
int run_planted_bug(const char* name);

}  // namespace simt_test
