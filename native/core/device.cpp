// device.cpp: opening, describing and closing the CPU device.
#include <sched.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "core/memory.h"
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

// Intel's cores start a vdpbf16ps of 512 bits every other cycle, AMD's one each cycle; either starts two vfmadd.
bool halves_bf16(int32_t isa) {
#if defined(__x86_64__)
    return isa == CT_ISA_AVX512 && __builtin_cpu_is("intel");
#else
    (void)isa;
    return false;
#endif
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

void read_processor(char (&name)[128]) {
    std::snprintf(name, sizeof name, "unknown");
    File file = open_file("/proc/cpuinfo");
    char line[256];
    while (file && std::fgets(line, sizeof line, file.get())) {
        if (std::sscanf(line, "model name : %127[^\n]", name) == 1) return;
    }
}

// "cuda:1" is kind "cuda" and ordinal 1.
bool parse_name(const char* name, std::string* kind, int32_t* ordinal) {
    const char* colon = std::strchr(name, ':');
    if (!colon || colon[1] == '\0' || std::strlen(colon) > 4) return false;
    *ordinal = 0;
    for (const char* digit = colon + 1; *digit; ++digit) {
        if (*digit < '0' || *digit > '9') return false;
        *ordinal = *ordinal * 10 + (*digit - '0');
    }
    kind->assign(name, colon);
    return *kind == "cuda" || (*kind == "simt" && *ordinal == 0);
}

// What a device needs whatever its kind; its team and its queue follow.
std::unique_ptr<ct_device> make_device(const char* name, int32_t isa) {
    auto device = std::make_unique<ct_device>();
    device->isa = isa;
    std::snprintf(device->name, sizeof device->name, "%s", name);
    return device;
}

// Gives the device its threads and, where it has no runtime, the queue that they serve.
void start_device(ct_device* device, int threads) {
    auto health = std::make_unique<ct_device::Health>();
    auto team = std::make_unique<Team>(threads);
    device->team = team.get();
    if (!runtime_of(device)) start_queue(device);
    device->team = team.release();
    device->health = health.release();
}

int32_t open_cpu(ct_device** device, const ct_device_options& given) {
    int32_t best = best_isa();
    if (given.isa > best) {
        return fail(CT_UNAVAILABLE, "ct_device_open: isa=%s is not available; this machine has %s", isa_name(given.isa),
                    isa_name(best));
    }
    auto opened = make_device("cpu", given.isa == CT_ISA_AUTO ? best : given.isa);
    opened->halves_bf16 = halves_bf16(opened->isa);
    read_processor(opened->processor);
    start_device(opened.get(), given.num_threads > 0 ? given.num_threads : available_cores());
    *device = opened.release();
    return ok();
}

int32_t open_backend(ct_device** device, const char* name, const std::string& kind, int32_t ordinal,
                     const ct_device_options& given) {
    if (given.isa != CT_ISA_AUTO) {
        return fail(CT_INVALID, "ct_device_open: isa=%s is for the cpu; %s takes auto", isa_name(given.isa), name);
    }
    auto opened = make_device(name, best_isa());
    CT_TRY(load_backend(&opened->backend, kind.c_str()));
    auto limits = std::make_unique<DeviceLimits>(opened->backend->limits);
    const DeviceRuntime* runtime = opened->backend->runtime;
    if (runtime) {
        const int32_t status = runtime->open(&opened->context, limits.get(), opened->processor, ordinal);
        if (status != CT_OK) {
            const std::string why = ct_last_error();
            return fail(status, "ct_device_open: %s is not available: %s", name, why.c_str());
        }
    } else {
        read_processor(opened->processor);
    }
    const int threads = runtime ? 1 : given.num_threads > 0 ? given.num_threads : available_cores();
    try {
        start_device(opened.get(), threads);
    } catch (...) {
        if (runtime) runtime->close(opened->context);
        throw;
    }
    opened->limits = limits.release();
    *device = opened.release();
    return ok();
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_device_open(ct_device** device, const char* name, const ct_device_options* options) {
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(name, "name is null");
    ct_device_options given{};
    if (options) CT_TRY(ct::read_params(__func__, &given, sizeof given, options));
    CT_REQUIRE(given.num_threads >= 0 && given.num_threads <= ct::kMaxThreads, "num_threads=%d must be in [0, %d]",
               static_cast<int>(given.num_threads), ct::kMaxThreads);
    CT_REQUIRE(given.isa >= CT_ISA_AUTO && given.isa <= CT_ISA_AVX512, "isa=%d must be in [%d, %d]",
               static_cast<int>(given.isa), CT_ISA_AUTO, CT_ISA_AVX512);
    CT_GUARD({
        if (std::strcmp(name, "cpu") == 0) return ct::open_cpu(device, given);
        std::string kind;
        int32_t ordinal = 0;
        if (!ct::parse_name(name, &kind, &ordinal)) {
            return ct::fail(CT_UNAVAILABLE,
                            "%s: name=\"%.64s\" is not a device; there are \"cpu\", \"cuda:N\" and \"simt:0\"",
                            __func__, name);
        }
        return ct::open_backend(device, name, kind, ordinal, given);
    })
}

extern "C" int32_t ct_device_close(ct_device* device) {
    CT_REQUIRE(device, "device is null");
    int64_t children = device->children.load();
    CT_REQUIRE(children == 0, "%lld handles of the device are alive", static_cast<long long>(children));
    if (device->queue) ct::stop_queue(device);
    if (const auto* runtime = ct::runtime_of(device)) runtime->close(device->context);
    delete device->team;
    delete device->limits;
    delete device->health;
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
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(runtime->memory(device->context, &full.total_memory_bytes, &full.free_memory_bytes));
    } else {
        const ct::HostMemory memory = ct::host_memory();
        full.total_memory_bytes = memory.total;
        full.free_memory_bytes = memory.available;
    }
    full.num_threads = device->team->size();
    full.isa = device->isa;
    std::memcpy(full.name, device->name, sizeof full.name);
    std::memcpy(full.processor, device->processor, sizeof full.processor);
    if (device->limits) {
        full.compute_capability = device->limits->compute_capability;
        full.num_sms = device->limits->num_sms;
    }
    std::memcpy(static_cast<void*>(info), &full, static_cast<size_t>(bytes));
    return ct::ok();
}
