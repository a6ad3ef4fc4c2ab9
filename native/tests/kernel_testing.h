// kernel_testing.h: what the tests of kernels share: devices of every instruction set, random fill, tolerances.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/testing.h"

namespace testing {

template <typename T>
inline constexpr int32_t kDtype = std::is_same_v<T, float> ? CT_F32 : CT_BF16;

// Around the widths of vectors.
inline constexpr int64_t kEdges[] = {1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, 1025};

template <typename T>
double value(T x) {
    return static_cast<double>(ct::to_float(x));
}

// A few roundings of the result.
template <typename T>
double tolerance(double expected, double float_error = 4e-6) {
    return (std::is_same_v<T, float> ? float_error : 0.005) * (std::fabs(expected) + 1e-2);
}

template <typename T>
bool same_bits(T a, T b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

// Still as Array::poison left it.
template <typename T>
bool untouched(T x) {
    unsigned char bytes[sizeof x];
    std::memcpy(bytes, &x, sizeof x);
    return std::all_of(bytes, bytes + sizeof x, [](unsigned char byte) { return byte == 0xff; });
}

template <typename T>
void fill(Array<T>& array, Random& random, float scale = 1) {
    for (int64_t i = 0; i < array.size; ++i) array.at[i] = ct::from_float<T>(random.normal(scale));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kThreads[] = {2};  // one alone races with nobody, and reads what two read
#else
constexpr int kThreads[] = {1, 2};
#endif

// Every instruction set of this machine; under ThreadSanitizer the best one, as all share out work alike.
inline std::vector<int32_t> tested_isas() {
    std::vector<int32_t> present;
    for (int32_t isa : {CT_ISA_AVX512, CT_ISA_AVX2, CT_ISA_SCALAR}) {
        if (Device(1, isa).present()) present.push_back(isa);
#if defined(__SANITIZE_THREAD__)
        if (!present.empty()) break;
#endif
    }
    return present;
}

// Each of them with each number of threads.
template <typename Body>
void for_devices(const Body& body) {
    for (int32_t isa : tested_isas()) {
        for (int threads : kThreads) {
            Device device(threads, isa);
            context = "isa " + std::to_string(isa) + ", threads " + std::to_string(threads);
            body(device, isa);
        }
    }
    context.clear();
}

// Fewer and smaller shapes: in sanitized builds, and where CORTADO_QUICK is set.
inline bool reduced() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return std::getenv("CORTADO_QUICK") != nullptr;
#endif
}

// Devices that run the CUDA kernels: simt:0 where it is built, cuda:0 where there is a GPU. CORTADO_DEVICES names others
// (separated by commas), so that a run can be kept to one.
template <typename Body>
void for_gpu_devices(const Body& body) {
    const char* chosen = std::getenv("CORTADO_DEVICES");
    std::string names = chosen ? chosen : "simt:0,cuda:0";
    for (size_t begin = 0; begin < names.size();) {
        size_t end = std::min(names.find(',', begin), names.size());
        std::string name = names.substr(begin, end - begin);
        begin = end + 1;
        if (name == "cpu") continue;
        Device device(2, CT_ISA_AUTO, name.c_str());
        if (!device.present()) {
            std::printf("not tested on %s: %s\n", name.c_str(), ct_last_error());
            CHECK(chosen == nullptr && "a device that CORTADO_DEVICES names must be there");
            continue;
        }
        context = name;
        body(device);
    }
    context.clear();
}

}  // namespace testing
