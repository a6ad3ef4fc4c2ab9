// linear_bench.cpp: ct_linear against what the device can do at best (ct_device_probe), in one run.
//
//   linear_bench [threads] [isa] [format]    one ct_weights_format, or all that are kept; best of several passes over matrices of 200 MB and more together, random
// data. The machine's other tenants take memory bandwidth, so the probe is taken again between the passes.
#include <algorithm>
#include <chrono>

#include "kernels/quant/formats.h"
#include "tests/testing.h"

namespace {

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double probe(ct_device* device, int32_t which) {
    double value = 0.0;
    CHECK_OK(ct_device_probe(&value, device, which));
    return value;
}

struct Shape {
    int64_t n;
    int64_t k;
    int matrices;
};

// Random blocks in the format; scales and floats of a magnitude around 1.
std::vector<unsigned char> random_matrix(int64_t elements, int32_t format) {
    const ct::quant::Format& blocks = *ct::quant::format_of(format);
    std::vector<unsigned char> bytes(static_cast<size_t>(elements / blocks.block * blocks.bytes));
    testing::Random random(1);
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        uint64_t word = random.engine();
        if (format <= CT_FORMAT_BF16) word = (word & 0x807f807f807f807full) | 0x3f003f003f003f00ull;
        std::memcpy(bytes.data() + i, &word, sizeof word);
    }
    if (format < CT_FORMAT_Q4_0) return bytes;
    const int at = format == CT_FORMAT_Q6_K ? 208 : format == CT_FORMAT_Q3_K ? 108 : format == CT_FORMAT_Q2_K ? 80 : 0;
    const uint16_t half[2] = {0x2e66, 0x2e66};
    for (size_t block = 0; block < bytes.size(); block += static_cast<size_t>(blocks.bytes)) {
        if (format != CT_FORMAT_MXFP4) {
            std::memcpy(bytes.data() + block + at, half, blocks.has_min ? 4 : 2);
        }
    }
    return bytes;
}

void measure(testing::Device& device, const Shape& shape, int32_t format, int32_t x_dtype, int32_t flops_probe) {
    const std::vector<unsigned char> source = random_matrix(shape.n * shape.k, format);
    testing::Random random(2);
    std::vector<ct_weights*> weights(static_cast<size_t>(shape.matrices));
    const double packing_start = seconds();
    for (ct_weights*& w : weights) {
        const ct_weights_part part =
            testing::weights_part(source.data(), shape.n, static_cast<int64_t>(source.size()), format);
        CHECK_OK(ct_weights_create(&w, device.device, &part, 1, shape.k, CT_BF16, CT_WEIGHTS_LINEAR));
    }
    int64_t packed_bytes = 0;
    CHECK_OK(ct_weights_bytes(&packed_bytes, weights[0]));
    const auto bytes = static_cast<double>(packed_bytes);
    std::printf("  N=%lld K=%lld W %s, x %s (packed at %.1f GB/s)\n", static_cast<long long>(shape.n),
                static_cast<long long>(shape.k), ct::quant::format_of(format)->name,
                x_dtype == CT_BF16 ? "bf16" : "f32", bytes * shape.matrices / (seconds() - packing_start) * 1e-9);

    constexpr int64_t kMostRows = 512;
    testing::Array<uint32_t> x(device, kMostRows * shape.k);
    testing::Array<uint32_t> y(device, kMostRows * shape.n);
    for (int64_t i = 0; i < x.size; ++i) {
        x.at[i] = (static_cast<uint32_t>(random.engine()) & 0x807f807fu) | 0x3f003f00u;
    }
    for (const int64_t rows : {1, 2, 4, 6, 8, 16, 32, 64, 512}) {
        const bool few_rows = rows <= 16;
        double best = 1e30;
        double bandwidth = 0.0;
        double flops = 0.0;
        for (int round = 0; round < 3; ++round) {
            bandwidth = std::max(bandwidth, few_rows ? probe(device.device, CT_PROBE_READ_BANDWIDTH) : 0.0);
            flops = std::max(flops, few_rows ? 0.0 : probe(device.device, flops_probe));
            for (int pass = 0; pass < (few_rows ? 6 : 1); ++pass) {
                const double start = seconds();
                const int used = rows == kMostRows ? 1 : shape.matrices;
                for (int i = 0; i < used; ++i) {
                    CHECK_OK(ct_linear(y.buffer, x.buffer, weights[static_cast<size_t>(i)], nullptr, rows, shape.n,
                                       shape.k, CT_F32, x_dtype, device.stream));
                }
                CHECK_OK(ct_stream_synchronize(device.stream));
                best = std::min(best, (seconds() - start) / used);
            }
        }
        const double work = 2.0 * static_cast<double>(rows * shape.n * shape.k);
        std::printf("    M=%-4lld %8.1f us  %6.1f GB/s  %7.1f GFLOP/s  %.2f of %s\n", static_cast<long long>(rows),
                    best * 1e6, bytes / best * 1e-9, work / best * 1e-9,
                    few_rows ? bytes / best / bandwidth : work / best / flops,
                    few_rows ? "the read bandwidth" : "the peak");
    }
    for (ct_weights* w : weights) {
        CHECK_OK(ct_weights_destroy(w));
    }
}

}  // namespace

int main(int argc, char** argv) {
    testing::Device device(argc > 1 ? std::atoi(argv[1]) : 0, argc > 2 ? std::atoi(argv[2]) : CT_ISA_AUTO);
    if (!device.present()) {
        std::printf("no such device: %s\n", ct_last_error());
        return 1;
    }
    ct_device_info info{};
    info.struct_bytes = sizeof info;
    CHECK_OK(ct_device_get_info(&info, device.device));
    std::printf("%s, %d threads, isa %d: read %.1f GB/s, bf16 %.1f GFLOP/s, f32 %.1f GFLOP/s\n", info.processor,
                info.num_threads, info.isa, probe(device.device, CT_PROBE_READ_BANDWIDTH) * 1e-9,
                probe(device.device, CT_PROBE_BF16_FLOPS) * 1e-9, probe(device.device, CT_PROBE_F32_FLOPS) * 1e-9);
    const int32_t bf16_flops = info.isa == CT_ISA_AVX512 ? CT_PROBE_BF16_FLOPS : CT_PROBE_F32_FLOPS;
    measure(device, {4096, 4096, 9}, CT_BF16, CT_BF16, bf16_flops);
    if (argc > 3) {
        measure(device, {4096, 4096, 17}, std::atoi(argv[3]), CT_BF16, bf16_flops);
        return testing::finish("linear_bench");
    }
    measure(device, {4096, 4096, 9}, CT_BF16, CT_F32, CT_PROBE_F32_FLOPS);
    measure(device, {1024, 4096, 17}, CT_F32, CT_F32, CT_PROBE_F32_FLOPS);
    measure(device, {4096, 14336, 3}, CT_BF16, CT_BF16, bf16_flops);
    for (int32_t format = CT_FORMAT_Q4_0; format <= CT_FORMAT_MXFP4; ++format) {
        measure(device, {4096, 4096, 17}, format, CT_BF16, bf16_flops);
    }
    return testing::finish("linear_bench");
}
