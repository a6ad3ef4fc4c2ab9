// device.cpp: opening, describing and closing the CPU device.
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/core.h"
#include "core/stream.h"

namespace ct {

namespace {

constexpr int kMaxThreads = 1024;

// __builtin_cpu_supports also asks whether the operating system saves the wide registers.
int32_t best_isa() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
                __builtin_cpu_supports("bmi2");
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
    if (avx2 && avx512) return CT_ISA_AVX512;
    if (avx2) return CT_ISA_AVX2;
#endif
    return CT_ISA_SCALAR;
}

const char* isa_name(int32_t isa) {
    switch (isa) {
        case CT_ISA_SCALAR:
            return "scalar";
        case CT_ISA_AVX2:
            return "avx2";
        case CT_ISA_AVX512:
            return "avx512";
        default:
            return "auto";
    }
}

int available_cores() {
    cpu_set_t set;
    CPU_ZERO(&set);
    int cores = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cores < 1 ? 1 : cores < kMaxThreads ? cores : kMaxThreads;
}

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File open_file(const char* path) { return {std::fopen(path, "r"), std::fclose}; }

void read_memory(int64_t* total, int64_t* available) {
    *total = 0;
    *available = 0;
    File file = open_file("/proc/meminfo");
    char line[256];
    auto read = [&](std::string_view key, int64_t* bytes) {
        if (std::string_view(line).starts_with(key)) *bytes = std::strtoll(line + key.size(), nullptr, 10) * 1024;
    };
    while (file && std::fgets(line, sizeof line, file.get())) {
        read("MemTotal:", total);
        read("MemAvailable:", available);
    }
}

void read_processor(char (&name)[128]) {
    std::snprintf(name, sizeof name, "unknown");
    File file = open_file("/proc/cpuinfo");
    char line[256];
    while (file && std::fgets(line, sizeof line, file.get())) {
        if (std::sscanf(line, "model name : %127[^\n]", name) == 1) return;
    }
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_device_open(ct_device** device, const char* name, const ct_device_options* options) {
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(name, "name is null");
    if (std::strcmp(name, "cpu") != 0) {
        return ct::fail(CT_UNAVAILABLE, "%s: name=\"%.64s\" is not available; this library serves \"cpu\"", __func__,
                        name);
    }
    ct_device_options given{};
    if (options) CT_TRY(ct::read_params(__func__, &given, sizeof given, options));
    CT_REQUIRE(given.num_threads >= 0 && given.num_threads <= ct::kMaxThreads, "num_threads=%d must be in [0, %d]",
               static_cast<int>(given.num_threads), ct::kMaxThreads);
    CT_REQUIRE(given.isa >= CT_ISA_AUTO && given.isa <= CT_ISA_AVX512, "isa=%d must be in [%d, %d]",
               static_cast<int>(given.isa), CT_ISA_AUTO, CT_ISA_AVX512);
    int32_t best = ct::best_isa();
    if (given.isa > best) {
        return ct::fail(CT_UNAVAILABLE, "%s: isa=%s is not available; this machine has %s", __func__,
                        ct::isa_name(given.isa), ct::isa_name(best));
    }
    int threads = given.num_threads > 0 ? given.num_threads : ct::available_cores();
    CT_GUARD({
        auto team = std::make_unique<ct::Team>(threads);
        auto opened = std::unique_ptr<ct_device>(
            new ct_device{team.get(), given.isa == CT_ISA_AUTO ? best : given.isa, 0, nullptr});
        ct::start_queue(opened.get());
        opened->team = team.release();  // the device owns it now
        *device = opened.release();
        return ct::ok();
    })
}

extern "C" int32_t ct_device_close(ct_device* device) {
    CT_REQUIRE(device, "device is null");
    int64_t children = device->children.load();
    CT_REQUIRE(children == 0, "%lld handles of the device are alive", static_cast<long long>(children));
    ct::stop_queue(device);
    delete device->team;
    delete device;
    return ct::ok();
}

extern "C" int32_t ct_device_get_info(ct_device_info* info, const ct_device* device) {
    CT_REQUIRE(info, "info is null");
    CT_REQUIRE(device, "device is null");
    int64_t bytes = info->struct_bytes;
    CT_TRY(ct::check_struct_bytes(__func__, bytes, sizeof(ct_device_info)));
    ct_device_info full{};
    full.struct_bytes = bytes;
    ct::read_memory(&full.total_memory_bytes, &full.free_memory_bytes);
    full.num_threads = device->team->size();
    full.isa = device->isa;
    std::snprintf(full.name, sizeof full.name, "cpu");
    ct::read_processor(full.processor);
    std::memcpy(static_cast<void*>(info), &full, static_cast<size_t>(bytes));
    return ct::ok();
}
