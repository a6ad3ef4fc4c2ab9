// probe.cpp: measures what the device can do at best: the floors that benchmarks are held against.
#include "core/probe.h"

#include <algorithm>
#include <chrono>

#include "core/stream.h"

namespace ct {

namespace {

uint64_t read_scalar(const void* data, int64_t bytes) {
    const auto* words = static_cast<const uint64_t*>(data);
    uint64_t sums[8] = {};
    for (int64_t i = 0; i < bytes / 8; i += 8) {
        for (int j = 0; j < 8; ++j) sums[j] += words[i + j];
    }
    uint64_t sum = 0;
    for (uint64_t part : sums) sum += part;
    return sum;
}

float f32_scalar(int64_t iterations, float value) {
    float sums[16] = {};
    for (float& sum : sums) asm volatile("" : "+m"(sum));  // or the compiler knows that they are equal
    for (int64_t i = 0; i < iterations; ++i) {
        for (float& sum : sums) sum = sum * value + value;
    }
    float sum = 0;
    for (float part : sums) sum += part;
    return sum;
}

const Probe& probe_of(const ct_device* device) {
#if defined(__x86_64__)
    if (device->isa == CT_ISA_AVX512) return kProbeAvx512;
    if (device->isa == CT_ISA_AVX2) return kProbeAvx2;
#endif
    (void)device;
    return kProbeScalar;
}

constexpr int64_t kReadBytes = int64_t{512} << 20;
constexpr int64_t kReadPiece = int64_t{4} << 20;
constexpr int64_t kIterations = int64_t{1} << 20;
constexpr int kRuns = 5;

std::atomic<uint64_t> sink;  // keeps the results alive

template <typename Body>
double best_seconds(const Body& body) {
    double best = 1e30;
    for (int run = 0; run < kRuns; ++run) {
        auto start = std::chrono::steady_clock::now();
        body();
        best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

double read_bandwidth(Team& team, const Probe& probe, const unsigned char* memory) {
    double seconds = best_seconds([&] {
        team.run(kReadBytes / kReadPiece,
                 [&](int64_t part, int) { sink += probe.read(memory + part * kReadPiece, kReadPiece); });
    });
    return static_cast<double>(kReadBytes) / seconds;
}

double flops(Team& team, float (*loop)(int64_t, float), double flops_an_iteration) {
    int parts = team.size() * 4;
    double seconds =
        best_seconds([&] { team.run(parts, [&](int64_t, int) { sink += loop(kIterations, 0.5f) > 0 ? 1 : 0; }); });
    return flops_an_iteration * static_cast<double>(kIterations) * parts / seconds;
}

}  // namespace

constinit const Probe kProbeScalar{read_scalar, f32_scalar, nullptr, 32, 0};

}  // namespace ct

extern "C" int32_t ct_device_probe(double* per_second, ct_device* device, int32_t probe) {
    CT_REQUIRE(per_second, "per_second is null");
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(probe >= CT_PROBE_READ_BANDWIDTH && probe <= CT_PROBE_F32_FLOPS, "probe=%d must be in [%d, %d]",
               static_cast<int>(probe), CT_PROBE_READ_BANDWIDTH, CT_PROBE_F32_FLOPS);
    CT_TRY(ct::check_device(__func__, device));
    if (device->backend) {
        const auto* runtime = ct::runtime_of(device);
        if (!runtime) {
            return ct::fail(CT_UNSUPPORTED, "%s: %s computes for tests; it has no speed to measure", __func__,
                            device->name);
        }
        return runtime->probe(device->context, per_second, probe);
    }
    const ct::Probe& loops = ct::probe_of(device);
    ct::TeamLock lock(device);
    if (probe == CT_PROBE_READ_BANDWIDTH) {
        unsigned char* memory = ct::allocate_bytes(ct::kReadBytes);
        if (!memory) {
            return ct::fail(CT_OUT_OF_MEMORY, "%s: no memory for the %lld bytes to read", __func__,
                            static_cast<long long>(ct::kReadBytes));
        }
        // Pages that were never written are all the same page of zeros.
        std::memset(memory, 1, static_cast<size_t>(ct::kReadBytes));
        *per_second = ct::read_bandwidth(*device->team, loops, memory);
        ct::free_bytes(memory, ct::kReadBytes);
    } else if (probe == CT_PROBE_BF16_FLOPS && loops.bf16 && !device->halves_bf16) {
        *per_second = ct::flops(*device->team, loops.bf16, loops.bf16_flops);
    } else {
        *per_second = ct::flops(*device->team, loops.f32, loops.f32_flops);
    }
    return ct::ok();
}
