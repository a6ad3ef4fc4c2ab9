// attention_bench.cpp: ct_paged_attention against the device's own probes.
//   attention_bench [threads] [isa]      0: all cores, the best instruction set
// Decode prints the share of READ_BANDWIDTH at which K and V are read; prefill the share of F32_FLOPS, masked pairs not
// counted. Probe and operation alternate, and the best of each counts, for the sake of machines that others use too.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <random>
#include <vector>

#include "tests/testing.h"

namespace {

using namespace testing;

struct Case {
    const char* name;
    int64_t num_seqs, q_len, kv_len;
    int32_t kv_heads, group, head_dim, dtype, kv_dtype, window;
};

constexpr Case kCases[] = {
    {"decode bf16 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 1 x 32768, 8x4x128", 1, 1, 32768, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 64 x 512, 8x4x128", 64, 1, 512, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 8 x 4096, 8x1x128", 8, 1, 4096, 8, 1, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 8 x 4096, 8x2x128", 8, 1, 4096, 8, 2, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 8 x 4096, 8x8x128", 8, 1, 4096, 8, 8, 128, CT_BF16, CT_BF16, 0},
    {"decode bf16 8 x 8192, 8x4x64", 8, 1, 8192, 8, 4, 64, CT_BF16, CT_BF16, 0},
    {"decode f32/bf16 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_F32, CT_BF16, 0},
    {"decode bf16/fp8 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_BF16, CT_F8_E4M3, 0},
    {"decode bf16/fp8 1 x 32768, 8x4x128", 1, 1, 32768, 8, 4, 128, CT_BF16, CT_F8_E4M3, 0},
    {"decode bf16/fp8 8 x 4096, 8x1x128", 8, 1, 4096, 8, 1, 128, CT_BF16, CT_F8_E4M3, 0},
    {"decode bf16/fp8 8 x 4096, 8x8x128", 8, 1, 4096, 8, 8, 128, CT_BF16, CT_F8_E4M3, 0},
    {"decode f32/fp8 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_F32, CT_F8_E4M3, 0},
    {"decode f32/f16 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_F32, CT_F16, 0},
    {"decode f32 8 x 4096, 8x4x128", 8, 1, 4096, 8, 4, 128, CT_F32, CT_F32, 0},
    {"prefill bf16 2048, 8x4x128", 1, 2048, 2048, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"prefill bf16/fp8 2048, 8x4x128", 1, 2048, 2048, 8, 4, 128, CT_BF16, CT_F8_E4M3, 0},
    {"prefill bf16 512 of 8192, 8x4x128", 1, 512, 8192, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"prefill bf16 16 x 128, 8x4x128", 16, 128, 128, 8, 4, 128, CT_BF16, CT_BF16, 0},
    {"prefill bf16 2048, 8x2x64", 1, 2048, 2048, 8, 2, 64, CT_BF16, CT_BF16, 0},
    {"prefill bf16 2048 window 512", 1, 2048, 2048, 8, 4, 128, CT_BF16, CT_BF16, 512},
    {"prefill f32 2048, 8x4x128", 1, 2048, 2048, 8, 4, 128, CT_F32, CT_F32, 0},
};

// Random numbers: a random megabyte, repeated.
void fill_random(Array<unsigned char>& array, int32_t dtype) {
    std::mt19937 engine(1);
    std::uniform_real_distribution<float> uniform(-1.7f, 1.7f);
    const int64_t bytes = array.size, first = std::min<int64_t>(bytes, 1 << 20), size = ct::dtype_bytes(dtype);
    for (int64_t i = 0; i + size <= first; i += size) {
        const float x = uniform(engine);
        const auto put = [&](auto stored) { std::memcpy(array.at + i, &stored, sizeof stored); };
        switch (dtype) {
            case CT_F32:
                put(x);
                break;
            case CT_BF16:
                put(ct::to_bf16(x));
                break;
            case CT_F16:
                put(ct::to_f16(x));
                break;
            default:
                put(ct::to_e4m3(x));
        }
    }
    for (int64_t i = first; i < bytes; ++i) array.at[i] = array.at[i - first];
}

void bench(Device& device, const Case& c) {
    const int64_t blocks_each = (c.kv_len + 15) / 16, num_blocks = blocks_each * c.num_seqs;
    const int64_t block = int64_t{16} * c.kv_heads * c.head_dim, tokens = c.num_seqs * c.q_len;
    const int64_t row = int64_t{c.kv_heads} * c.group * c.head_dim;
    Array<unsigned char> out(device, tokens * row * ct::dtype_bytes(c.dtype)), q(device, out.size);
    Array<unsigned char> k(device, num_blocks * block * ct::dtype_bytes(c.kv_dtype)), v(device, k.size);
    Array<int32_t> table(device, num_blocks), cu(device, c.num_seqs + 1), lens(device, c.num_seqs);
    fill_random(q, c.dtype);
    fill_random(k, c.kv_dtype);
    fill_random(v, c.kv_dtype);
    std::iota(table.at, table.at + num_blocks, 0);
    std::shuffle(table.at, table.at + num_blocks, std::mt19937(2));
    for (int64_t i = 0; i <= c.num_seqs; ++i) cu.at[i] = static_cast<int32_t>(i * c.q_len);
    for (int64_t i = 0; i < c.num_seqs; ++i) lens.at[i] = static_cast<int32_t>(c.kv_len);
    ct_attention_params p{};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.num_seqs = c.num_seqs;
    p.max_blocks = blocks_each;
    p.num_blocks = num_blocks;
    p.q_stride = p.out_stride = row;
    p.block_stride = block;
    p.num_q_heads = c.kv_heads * c.group;
    p.num_kv_heads = c.kv_heads;
    p.head_dim = c.head_dim;
    p.window = c.window;
    p.dtype = c.dtype;
    p.kv_dtype = c.kv_dtype;
    p.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));

    double seconds = 1e9, probe = 0;
    for (int round = 0; round < 3; ++round) {
        double now = 0;
        CHECK_OK(ct_device_probe(&now, device.device, c.q_len == 1 ? CT_PROBE_READ_BANDWIDTH : CT_PROBE_F32_FLOPS));
        probe = std::max(probe, now);
        for (int run = 0; run < 5; ++run) {
            const auto start = std::chrono::steady_clock::now();
            CHECK_OK(ct_paged_attention(out.buffer, nullptr, q.buffer, k.buffer, v.buffer, table.buffer, cu.buffer,
                                        lens.buffer, nullptr, nullptr, nullptr, &p, device.stream));
            CHECK_OK(ct_stream_synchronize(device.stream));
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
            seconds = std::min(seconds, took.count());
        }
    }
    double pairs = 0;  // of a row and a key that it sees
    for (int64_t i = 0; i < c.q_len; ++i) {
        const int64_t seen = c.kv_len - c.q_len + i + 1;
        pairs += static_cast<double>(c.window > 0 ? std::min<int64_t>(seen, c.window) : seen);
    }
    const double flops = 4.0 * pairs * static_cast<double>(c.num_seqs * row);
    const double work = c.q_len == 1 ? static_cast<double>(k.size + v.size) : flops;
    std::printf("%-36s %9.3f ms %8.1f %s, probe %8.1f, ratio %.2f\n", c.name, seconds * 1e3, work / seconds * 1e-9,
                c.q_len == 1 ? "GB/s  " : "GFLOP/s", probe * 1e-9, work / seconds / probe);
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    Device device(argc > 1 ? std::atoi(argv[1]) : 0, argc > 2 ? std::atoi(argv[2]) : CT_ISA_AUTO);
    if (!device.present()) {
        std::fprintf(stderr, "%s\n", ct_last_error());
        return 1;
    }
    const int only = argc > 3 ? std::atoi(argv[3]) : -1;
    for (int i = 0; i < static_cast<int>(std::size(kCases)); ++i) {
        if (only < 0 || only == i) bench(device, kCases[i]);
    }
    return failures == 0 ? 0 : 1;
}
