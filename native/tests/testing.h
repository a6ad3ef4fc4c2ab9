// testing.h: the little that every native test needs: checks that count, seeded random numbers, NaN poison, close
// floats.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/core.h"
#include "cortado.h"

namespace testing {

inline int failures = 0;
inline int64_t checks = 0;

// The seed of this run: CORTADO_SEED, else 1. A failure prints it.
inline uint64_t seed() {
    const char* text = std::getenv("CORTADO_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 1;
}

inline std::string context;  // what is being tried now; printed with a failure

inline void check(bool condition, const char* what, const char* file, int line) {
    ++checks;
    if (!condition && ++failures <= 20) {
        std::fprintf(stderr, "%s:%d: %s [%s] (re-run with CORTADO_SEED=%llu); last error: %s\n", file, line, what,
                     context.c_str(), static_cast<unsigned long long>(seed()), ct_last_error());
    }
}

// Not std::max: NaN must fail.
inline void check_close(double actual, double expected, double tolerance, const char* what, const char* file,
                        int line) {
    ++checks;
    bool same =
        actual == expected || (std::isnan(actual) && std::isnan(expected)) || std::fabs(actual - expected) <= tolerance;
    if (!same && ++failures <= 20) {
        std::fprintf(stderr, "%s:%d: %s: %.9g, expected %.9g +- %.3g [%s] (re-run with CORTADO_SEED=%llu)\n", file,
                     line, what, actual, expected, tolerance, context.c_str(), static_cast<unsigned long long>(seed()));
    }
}

#define CHECK(condition) ::testing::check((condition), #condition, __FILE__, __LINE__)
#define CHECK_OK(expression) ::testing::check((expression) == CT_OK, #expression " == CT_OK", __FILE__, __LINE__)
#define CHECK_STATUS(expression, status) \
    ::testing::check((expression) == (status), #expression " == " #status, __FILE__, __LINE__)
#define CHECK_CLOSE(actual, expected, tolerance) \
    ::testing::check_close((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)

inline int finish(const char* name) {
    std::printf("%s: %lld checks, %d failures\n", name, static_cast<long long>(checks), failures);
    return failures == 0 ? 0 : 1;
}

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// A device and its stream, closed in order.
struct Device {
    ct_device* device = nullptr;
    ct_stream* stream = nullptr;
    explicit Device(int threads = 2, int32_t isa = CT_ISA_AUTO, const char* name = "cpu") {
        ct_device_options options{};
        options.struct_bytes = sizeof options;
        options.num_threads = threads;
        options.isa = isa;
        if (ct_device_open(&device, name, &options) == CT_OK) {
            CHECK_OK(ct_stream_create(&stream, device));
        }
    }
    bool present() const { return device != nullptr; }  // false: this machine lacks the device or the ISA
    ~Device() {
        if (device) {
            CHECK_OK(ct_stream_destroy(stream));
            CHECK_OK(ct_device_close(device));
        }
    }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;
};

// A buffer of n T that the host and the device both reach.
template <typename T>
struct Array {
    ct_buffer* buffer = nullptr;
    T* at = nullptr;
    int64_t size;
    Array(Device& device, int64_t n) : size(n) {
        CHECK_OK(ct_buffer_create_host(&buffer, device.device, (n > 0 ? n : 1) * static_cast<int64_t>(sizeof(T))));
        void* address = nullptr;
        CHECK_OK(ct_buffer_host_address(&address, buffer));
        at = static_cast<T*>(address);
    }
    Array(Device& device, const std::vector<T>& values) : Array(device, static_cast<int64_t>(values.size())) {
        for (int64_t i = 0; i < size; ++i) at[i] = values[static_cast<size_t>(i)];
    }
    ~Array() { CHECK_OK(ct_buffer_destroy(buffer)); }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    void poison() {
        std::memset(static_cast<void*>(at), 0xff, static_cast<size_t>(size) * sizeof(T));
    }  // NaN as f32 and bf16
};

// Rows in a format without scales beside.
inline ct_weights_part weights_part(const void* data, int64_t rows, int64_t data_bytes, int32_t format) {
    ct_weights_part part = {};
    part.data = data;
    part.rows = rows;
    part.data_bytes = data_bytes;
    part.format = format;
    return part;
}

struct Random {
    std::mt19937_64 engine;
    explicit Random(uint64_t stream) : engine(seed() * 1000003 + stream) {}
    float normal(float scale = 1.0f) { return std::normal_distribution<float>(0.0f, scale)(engine); }
    int64_t below(int64_t n) { return std::uniform_int_distribution<int64_t>(0, n - 1)(engine); }
};

}  // namespace testing
