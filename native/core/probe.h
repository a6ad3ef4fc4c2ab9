// probe.h: the loops whose speed is the machine's limit. Each does a fixed amount of work and returns something that
// depends on all of it, so that the compiler keeps it.
#pragma once

#include <cstdint>

namespace ct {

struct Probe {
    uint64_t (*read)(const void* data, int64_t bytes);  // bytes a multiple of 512
    float (*f32)(int64_t iterations, float value);
    float (*bf16)(int64_t iterations, float value);  // null: the processor has no bf16 products, f32 serves
    double f32_flops;                                // of one iteration
    double bf16_flops;
};

extern const Probe kProbeScalar;
#if defined(__x86_64__)
extern const Probe kProbeAvx2;
extern const Probe kProbeAvx512;
#endif

}  // namespace ct
