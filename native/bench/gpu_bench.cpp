// gpu_bench.cpp: times the CUDA kernels through the C ABI, one JSON object a line for ci/gpu-check, which puts them over
// their floors and beside PyTorch's own (java-engine/bench/gpu/peers.py).
//   gpu_bench DEVICE [--quick]        cuda:0; simt:0 only to walk the same path (its times mean nothing)
// Method (KERNELS.md H): a graph of many calls over rotating buffers that together exceed the L2 cache, random data,
// replayed; the median over replays, divided by the calls.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace {

using namespace testing;

constexpr int64_t kBeyondL2 = int64_t{192} << 20;  // bytes that the rotating buffers of a case hold together at least
constexpr int64_t kMaxRotation = 256;              // small ones stay in the cache
constexpr double kLeastReplayUs = 2000;            // so that what a launch and a wait take does not count
constexpr int64_t kMaxCalls = 2000;                // in a graph
constexpr int64_t kPiece = int64_t{4} << 20;

bool quick = false;

#define MUST(expression)                                                               \
    do {                                                                               \
        if ((expression) != CT_OK) {                                                   \
            std::fprintf(stderr, "gpu_bench: %s: %s\n", #expression, ct_last_error()); \
            std::exit(1);                                                              \
        }                                                                              \
    } while (0)

const std::vector<unsigned char>& random_piece(int32_t dtype) {
    static std::map<int32_t, std::vector<unsigned char>> pieces;
    std::vector<unsigned char>& piece = pieces[dtype];
    if (!piece.empty()) return piece;
    piece.resize(kPiece);
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0, 1);
    for (int64_t i = 0; i < kPiece / ct::dtype_bytes(dtype); ++i) {
        const float x = normal(engine);
        const ct::bf16 rounded = ct::to_bf16(x);
        if (dtype == CT_F32) std::memcpy(piece.data() + 4 * i, &x, 4);
        if (dtype == CT_BF16) std::memcpy(piece.data() + 2 * i, &rounded, 2);
        if (dtype == CT_F8_E4M3) piece[static_cast<size_t>(i)] = static_cast<unsigned char>(engine() & 0xb7);  // < 16
    }
    return piece;
}

// Device memory, filled through a host buffer.
class Memory {
public:
    Memory(Device& device, int64_t bytes) : device_(device), bytes_(std::max<int64_t>(bytes, 64)) {
        MUST(ct_buffer_create(&buffer_, device.device, bytes_));
    }
    ~Memory() { ct_buffer_destroy(buffer_); }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    ct_buffer* get() const { return buffer_; }

    template <typename T>
    void write(const std::vector<T>& values) {
        const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(T));
        Array<T> host(device_, values);
        MUST(ct_copy(buffer_, host.buffer, 0, 0, bytes, device_.stream));
        MUST(ct_stream_synchronize(device_.stream));
    }

    // Random numbers of the dtype around zero: a random piece, repeated.
    void fill_random(int32_t dtype) {
        const std::vector<unsigned char>& piece = random_piece(dtype);
        const int64_t size = std::min(bytes_, kPiece);
        Array<unsigned char> host(device_, size);
        std::copy_n(piece.begin(), size, host.at);
        for (int64_t at = 0; at < bytes_; at += size) {
            MUST(ct_copy(buffer_, host.buffer, at, 0, std::min(size, bytes_ - at), device_.stream));
        }
        MUST(ct_stream_synchronize(device_.stream));
    }

private:
    Device& device_;
    int64_t bytes_;
    ct_buffer* buffer_ = nullptr;
};

using Rotation = std::vector<std::unique_ptr<Memory>>;

// How many buffers of a size take turns.
int64_t turns_of(int64_t bytes) {
    return quick ? 1 : std::clamp<int64_t>((kBeyondL2 + bytes - 1) / bytes, 1, kMaxRotation);
}

Rotation rotation(Device& device, int64_t bytes, int32_t dtype) {
    Rotation all;
    for (int64_t i = 0; i < turns_of(bytes); ++i) {
        all.push_back(std::make_unique<Memory>(device, bytes));
        all.back()->fill_random(dtype);
    }
    return all;
}

struct Timing {
    double median_us;
    double low_us;
    double high_us;
};

// call(i) enqueues one call on the i-th of the rotating buffers.
using Call = std::function<int32_t(int64_t)>;

// Calls of a graph, and its replays' times in us a call.
std::vector<double> replay(Device& device, int64_t rotation_size, int64_t calls, int replays, const Call& call) {
    MUST(ct_stream_begin_capture(device.stream));
    for (int64_t i = 0; i < calls; ++i) MUST(call(i % rotation_size));
    ct_graph* graph = nullptr;
    MUST(ct_stream_end_capture(&graph, device.stream));
    std::vector<double> us;
    for (int i = 0; i < replays + 1; ++i) {
        const auto start = std::chrono::steady_clock::now();
        MUST(ct_graph_launch(graph, device.stream));
        MUST(ct_stream_synchronize(device.stream));
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
        if (i > 0) us.push_back(took.count() / static_cast<double>(calls));  // the first warms up
    }
    MUST(ct_graph_destroy(graph));
    std::sort(us.begin(), us.end());
    return us;
}

Timing time_calls(Device& device, int64_t rotation_size, const Call& call) {
    MUST(call(0));  // what is made at first use is not part of the graph
    MUST(ct_stream_synchronize(device.stream));
    int64_t calls = 1;
    if (!quick) {
        calls = std::max<int64_t>(rotation_size, 24);
        const double once_us = replay(device, rotation_size, calls, 1, call).front();
        const auto wanted = static_cast<int64_t>(std::min(kLeastReplayUs / once_us, static_cast<double>(kMaxCalls)));
        calls = std::max(calls, (wanted + rotation_size - 1) / rotation_size * rotation_size);
    }
    const std::vector<double> us = replay(device, rotation_size, calls, quick ? 1 : 51, call);
    return {us[us.size() / 2], us[us.size() / 10], us[us.size() * 9 / 10]};
}

void report(const std::string& kernel, const std::string& name, const Timing& t, double bytes, double flops,
            const std::string& shape) {
    std::printf(
        "{\"kernel\":\"%s\",\"case\":\"%s\",\"us\":%.3f,\"p10_us\":%.3f,\"p90_us\":%.3f,\"bytes\":%.0f,\"flops\":%.0f,"
        "\"shape\":{%s}}\n",
        kernel.c_str(), name.c_str(), t.median_us, t.low_us, t.high_us, bytes, flops, shape.c_str());
    std::fflush(stdout);
}

std::string field(const char* name, int64_t value) {
    return std::string(1, '"').append(name).append("\":").append(std::to_string(value));
}

// ---- attention -----------------------------------------------------------------------------------------------------

struct AttentionCase {
    const char* name;
    std::vector<int32_t> kv_lens;
    int32_t q_len;
    int32_t q_heads, kv_heads, head_dim, kv_dtype, block_size;
};

std::vector<int32_t> uniform(int64_t n, int32_t length) { return std::vector<int32_t>(static_cast<size_t>(n), length); }

std::vector<int32_t> skewed(int32_t longest, int64_t others, int32_t length) {
    std::vector<int32_t> lens = uniform(others, length);
    lens.insert(lens.begin(), longest);
    return lens;
}

std::vector<AttentionCase> attention_cases() {
    if (quick) {
        return {{"decode_bf16_2x40", uniform(2, 40), 1, 4, 2, 64, CT_BF16, 16},
                {"decode_fp8_skew", skewed(70, 2, 9), 1, 4, 2, 64, CT_F8_E4M3, 16},
                {"prefill_bf16_1x33", uniform(1, 33), 33, 2, 1, 64, CT_BF16, 16}};
    }
    return {{"decode_bf16_1x1024", uniform(1, 1024), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_1x8192", uniform(1, 8192), 1, 64, 8, 128, CT_BF16, 32},
            {"decode_bf16_1x32768", uniform(1, 32768), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_8x1024", uniform(8, 1024), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_8x4096_134MB", uniform(8, 4096), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_32x4096_537MB", uniform(32, 4096), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_32x4096_page64", uniform(32, 4096), 1, 32, 8, 128, CT_BF16, 64},
            {"decode_bf16_skew_64k_31x4k", skewed(65536, 31, 4096), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_uniform_as_skew", uniform(47, 4096), 1, 32, 8, 128, CT_BF16, 16},
            {"decode_fp8_32x4096_268MB", uniform(32, 4096), 1, 32, 8, 128, CT_F8_E4M3, 16},
            {"decode_bf16_spec4_8x4096", uniform(8, 4096), 4, 32, 8, 128, CT_BF16, 16},
            {"decode_bf16_d64_32x4096", uniform(32, 4096), 1, 32, 8, 64, CT_BF16, 16},
            {"prefill_bf16_4x1024", uniform(4, 1024), 1024, 32, 8, 128, CT_BF16, 16},
            {"prefill_bf16_2x2048", uniform(2, 2048), 2048, 32, 8, 128, CT_BF16, 16},
            {"prefill_bf16_1x8192", uniform(1, 8192), 8192, 32, 8, 128, CT_BF16, 16},
            {"prefill_bf16_chunk512_of_32k", uniform(1, 32768), 512, 32, 8, 128, CT_BF16, 16},
            {"prefill_bf16_d64_2x2048", uniform(2, 2048), 2048, 32, 8, 64, CT_BF16, 16}};
}

void bench_attention(Device& device, const AttentionCase& c, bool balanced) {
    const int64_t seqs = static_cast<int64_t>(c.kv_lens.size()), tokens = seqs * c.q_len;
    int64_t max_blocks = 1, num_blocks = 0, keys = 0;
    double pairs = 0;
    for (int64_t length : c.kv_lens) {
        const int64_t blocks = (length + c.block_size - 1) / c.block_size;
        max_blocks = std::max(max_blocks, blocks);
        num_blocks += blocks;
        keys += length;
        for (int64_t row = 0; row < c.q_len; ++row) pairs += static_cast<double>(length - c.q_len + row + 1);
    }
    std::vector<int32_t> ids(static_cast<size_t>(num_blocks));
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i);
    std::shuffle(ids.begin(), ids.end(), std::mt19937(2));
    std::vector<int32_t> table(static_cast<size_t>(seqs * max_blocks)), cu{0};
    size_t next = 0;
    for (int64_t s = 0; s < seqs; ++s) {
        const int64_t blocks = (c.kv_lens[static_cast<size_t>(s)] + c.block_size - 1) / c.block_size;
        for (int64_t b = 0; b < blocks; ++b) table[static_cast<size_t>(s * max_blocks + b)] = ids[next++];
        cu.push_back(static_cast<int32_t>((s + 1) * c.q_len));
    }
    const int64_t block = int64_t{c.block_size} * c.kv_heads * c.head_dim;
    const int64_t row = int64_t{c.q_heads} * c.head_dim;
    const int64_t cache_bytes = num_blocks * block * ct::dtype_bytes(c.kv_dtype);
    Memory q(device, tokens * row * 2), out(device, tokens * row * 2);
    Memory table_memory(device, seqs * max_blocks * 4), cu_memory(device, (seqs + 1) * 4), lens(device, seqs * 4);
    q.fill_random(CT_BF16);
    table_memory.write(table);
    cu_memory.write(cu);
    lens.write(c.kv_lens);
    Rotation k = rotation(device, cache_bytes, c.kv_dtype), v = rotation(device, cache_bytes, c.kv_dtype);

    ct_attention_params p{};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.num_seqs = seqs;
    p.max_blocks = max_blocks;
    p.num_blocks = num_blocks;
    p.q_stride = p.out_stride = row;
    p.block_stride = block;
    p.num_q_heads = c.q_heads;
    p.num_kv_heads = c.kv_heads;
    p.head_dim = c.head_dim;
    p.dtype = CT_BF16;
    p.kv_dtype = c.kv_dtype;
    p.scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim));
    p.block_size = c.block_size;
    p.max_q_len = c.q_len;
    p.balanced = balanced;
    int64_t plan_bytes = 0;
    MUST(ct_attention_plan_bytes(&plan_bytes, device.device, &p));
    Memory plan(device, plan_bytes);
    MUST(ct_attention_plan(plan.get(), cu_memory.get(), lens.get(), &p, device.stream));
    const Timing timing = time_calls(device, static_cast<int64_t>(k.size()), [&](int64_t i) {
        const size_t at = static_cast<size_t>(i);
        return ct_paged_attention(out.get(), nullptr, q.get(), k[at]->get(), v[at]->get(), table_memory.get(),
                                  cu_memory.get(), lens.get(), nullptr, nullptr, plan.get(), &p, device.stream);
    });
    const double kv_bytes = 2.0 * static_cast<double>(keys * c.kv_heads * c.head_dim * ct::dtype_bytes(c.kv_dtype));
    const double qo_bytes = 4.0 * static_cast<double>(tokens * row);
    report(c.q_len > 16 ? "attention_prefill" : "attention_decode",
           std::string(c.name) + (balanced ? "_balanced" : "_fixed"), timing, kv_bytes + qo_bytes,
           4.0 * pairs * static_cast<double>(row),
           field("seqs", seqs) + "," + field("q_len", c.q_len) + "," + field("kv_len", c.kv_lens.back()) + "," +
               field("q_heads", c.q_heads) + "," + field("kv_heads", c.kv_heads) + "," + field("head_dim", c.head_dim));
}

// ---- linear --------------------------------------------------------------------------------------------------------

std::vector<uint16_t> random_weights(int64_t count) {
    std::vector<uint16_t> values(static_cast<size_t>(count));
    std::mt19937 engine(3);
    std::normal_distribution<float> normal(0, 0.02f);
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = i < 65536 ? ct::to_bf16(normal(engine)).bits : values[i - 65536];
    }
    return values;
}

void bench_linear(Device& device, int64_t n, int64_t k, const std::vector<int64_t>& row_counts) {
    const int64_t bytes = n * k * 2;
    const std::vector<uint16_t> values = random_weights(n * k);
    std::vector<ct_weights*> weights;
    const int64_t copies = turns_of(bytes);
    for (int64_t i = 0; i < copies; ++i) {
        const ct_weights_part part = testing::weights_part(values.data(), n, bytes, CT_FORMAT_BF16);
        weights.push_back(nullptr);
        MUST(ct_weights_create(&weights.back(), device.device, &part, 1, k, CT_BF16, CT_WEIGHTS_LINEAR));
    }
    for (int64_t rows : row_counts) {
        Memory x(device, rows * k * 2), y(device, rows * n * 2);
        x.fill_random(CT_BF16);
        const Timing timing = time_calls(device, copies, [&](int64_t i) {
            return ct_linear(y.get(), x.get(), weights[static_cast<size_t>(i)], nullptr, rows, n, k, CT_BF16, CT_BF16,
                             device.stream);
        });
        report("linear", "m" + std::to_string(rows) + "_n" + std::to_string(n) + "_k" + std::to_string(k), timing,
               static_cast<double>(bytes + 2 * rows * (n + k)), 2.0 * static_cast<double>(rows * n * k),
               field("m", rows) + "," + field("n", n) + "," + field("k", k));
    }
    for (ct_weights* w : weights) MUST(ct_weights_destroy(w));
}

// ---- the kernels that only move bytes ------------------------------------------------------------------------------

void bench_rows(Device& device, int64_t rows, int64_t cols) {
    const int64_t bytes = rows * cols * 2;
    Rotation x = rotation(device, 2 * bytes, CT_BF16);
    Memory y(device, 2 * bytes), residual(device, rows * cols * 4), weight(device, cols * 4);
    residual.fill_random(CT_F32);
    weight.fill_random(CT_F32);
    const std::string shape = field("rows", rows) + "," + field("cols", cols);
    const std::string name = "r" + std::to_string(rows) + "_c" + std::to_string(cols);
    const int64_t n = static_cast<int64_t>(x.size());
    auto input = [&](int64_t i) { return x[static_cast<size_t>(i)]->get(); };
    report("rms_norm", name,
           time_calls(device, n,
                      [&](int64_t i) {
                          return ct_norm(y.get(), nullptr, input(i), weight.get(), rows, cols, cols, 0, cols, CT_BF16,
                                         CT_NORM_RMS, 1e-5f, 1, device.stream);
                      }),
           2.0 * static_cast<double>(bytes), 0, shape);
    report("rms_norm_residual", name,
           time_calls(device, n,
                      [&](int64_t i) {
                          return ct_norm(y.get(), residual.get(), input(i), weight.get(), rows, cols, cols, cols, cols,
                                         CT_BF16, CT_NORM_RMS, 1e-5f, 1, device.stream);
                      }),
           6.0 * static_cast<double>(bytes), 0, shape);
    report("activation_mul", name,
           time_calls(device, n,
                      [&](int64_t i) {
                          return ct_activation_mul(y.get(), input(i), rows, cols, cols, 2 * cols, CT_BF16, CT_SILU,
                                                   device.stream);
                      }),
           3.0 * static_cast<double>(bytes), 0, shape);
    report("copy", name,
           time_calls(device, n, [&](int64_t i) { return ct_copy(y.get(), input(i), 0, 0, 2 * bytes, device.stream); }),
           4.0 * static_cast<double>(bytes), 0, shape);
}

// Tokens of a prompt, each with a slot of its own.
void bench_rope(Device& device, int64_t tokens, int32_t q_heads, int32_t kv_heads, int32_t head_dim) {
    const int64_t cols = (q_heads + 2 * int64_t{kv_heads}) * head_dim, page = int64_t{16} * kv_heads * head_dim;
    const int64_t blocks = (tokens + 15) / 16;
    Rotation qkv = rotation(device, tokens * cols * 2, CT_BF16);
    Memory q(device, tokens * q_heads * head_dim * 2), k(device, blocks * page * 2), v(device, blocks * page * 2);
    Memory positions(device, tokens * 4), slots(device, tokens * 8), cos_sin(device, tokens * head_dim * 4);
    std::vector<int32_t> position;
    std::vector<int64_t> slot;
    for (int64_t t = 0; t < tokens; ++t) {
        position.push_back(static_cast<int32_t>(t));
        slot.push_back((blocks - 1 - t / 16) * 16 + t % 16);
    }
    positions.write(position);
    slots.write(slot);
    cos_sin.fill_random(CT_F32);
    ct_rope_params p{};
    p.struct_bytes = sizeof p;
    p.num_tokens = p.num_positions = tokens;
    p.num_slots = blocks * 16;
    p.q_stride = int64_t{q_heads} * head_dim;
    p.qkv_stride = cols;
    p.block_stride = page;
    p.num_q_heads = q_heads;
    p.num_kv_heads = kv_heads;
    p.head_dim = p.rotary_dim = head_dim;
    p.style = CT_ROPE_HALVES;
    p.dtype = p.kv_dtype = CT_BF16;
    report("rope_kv_write", "t" + std::to_string(tokens),
           time_calls(device, static_cast<int64_t>(qkv.size()),
                      [&](int64_t i) {
                          return ct_rope_kv_write(q.get(), k.get(), v.get(), qkv[static_cast<size_t>(i)]->get(),
                                                  positions.get(), slots.get(), cos_sin.get(), nullptr, nullptr, &p,
                                                  device.stream);
                      }),
           4.0 * static_cast<double>(tokens * cols), 0,
           field("tokens", tokens) + "," + field("q_heads", q_heads) + "," + field("kv_heads", kv_heads) + "," +
               field("head_dim", head_dim));
}

void bench_embedding(Device& device, int64_t vocab, int64_t cols, int64_t tokens) {
    const std::vector<uint16_t> values = random_weights(vocab * cols);
    const ct_weights_part part = testing::weights_part(values.data(), vocab, vocab * cols * 2, CT_FORMAT_BF16);
    ct_weights* table = nullptr;
    MUST(ct_weights_create(&table, device.device, &part, 1, cols, CT_BF16, CT_WEIGHTS_EMBEDDING));
    std::vector<int32_t> all(static_cast<size_t>(vocab));
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    std::shuffle(all.begin(), all.end(), std::mt19937(4));
    all.resize(static_cast<size_t>(tokens));
    Memory ids(device, tokens * 4), y(device, tokens * cols * 2);
    ids.write(all);
    report("embedding", "t" + std::to_string(tokens) + "_c" + std::to_string(cols),
           time_calls(device, 1,
                      [&](int64_t) {
                          return ct_embedding(y.get(), table, ids.get(), tokens, cols, CT_BF16, 1, device.stream);
                      }),
           4.0 * static_cast<double>(tokens * cols), 0, field("tokens", tokens) + "," + field("cols", cols));
    MUST(ct_weights_destroy(table));
}

// As the prefix cache and preemption move the cache's blocks, within the device's memory.
void bench_copy_blocks(Device& device, int64_t pairs, int64_t block_bytes) {
    Rotation from = rotation(device, pairs * block_bytes, CT_BF16);
    Memory to(device, pairs * block_bytes), ids(device, pairs * 8);
    std::vector<int32_t> pair;
    for (int64_t i = 0; i < pairs; ++i) {
        pair.push_back(static_cast<int32_t>(i));
        pair.push_back(static_cast<int32_t>(pairs - 1 - i));
    }
    ids.write(pair);
    report("copy_blocks", "p" + std::to_string(pairs) + "_b" + std::to_string(block_bytes),
           time_calls(device, static_cast<int64_t>(from.size()),
                      [&](int64_t i) {
                          return ct_copy_blocks(to.get(), from[static_cast<size_t>(i)]->get(), ids.get(), pairs,
                                                block_bytes, device.stream);
                      }),
           2.0 * static_cast<double>(pairs * block_bytes), 0,
           field("pairs", pairs) + "," + field("block_bytes", block_bytes));
}

struct SampleCase {
    const char* name;
    int32_t dtype;
    float temperature, top_p;
    int32_t top_k;
    bool penalties;  // of 1,000 tokens of a prompt and 200 of an output
};

void bench_sample(Device& device, int64_t rows, int64_t vocab, const SampleCase& c) {
    const int64_t logit_bytes = c.dtype == CT_F32 ? 4 : 2, prompt = 1000, history = prompt + 200;
    Rotation logits = rotation(device, rows * vocab * logit_bytes, c.dtype);
    Memory token(device, rows * 4), logprob(device, rows * 4), rank(device, rows * 4), status(device, rows * 4);
    std::vector<ct_sample_row> params(static_cast<size_t>(rows));
    std::vector<int32_t> ids(static_cast<size_t>(rows * history));
    for (size_t i = 0; i < ids.size(); ++i)
        ids[i] = static_cast<int32_t>((i * 7919 + i / 1200) % static_cast<size_t>(vocab));
    for (int64_t r = 0; r < rows; ++r) {
        ct_sample_row& row = params[static_cast<size_t>(r)];
        row.forced = row.state_slot = row.mask_row = row.allowed_row = -1;
        row.temperature = c.temperature;
        row.top_k = c.top_k;
        row.top_p = c.top_p;
        row.seed = r;
        row.position = 7;
        if (!c.penalties) continue;
        row.repetition_penalty = 1.1f;
        row.frequency_penalty = 0.3f;
        row.presence_penalty = 0.2f;
        row.state_slot = static_cast<int32_t>(r);
        row.flags = CT_SAMPLE_RESET;
        row.prompt_begin = static_cast<int32_t>(r * history);
        row.output_begin = static_cast<int32_t>(r * history + prompt);
        row.history_end = static_cast<int32_t>((r + 1) * history);
    }
    ct_sample_params p{};
    p.struct_bytes = sizeof p;
    p.num_rows = rows;
    p.vocab_size = p.logits_stride = vocab;
    p.logits_dtype = c.dtype;
    p.num_slots = c.penalties ? rows : 0;
    p.num_history = c.penalties ? rows * history : 0;
    int64_t bytes = 0, state_bytes = 0;
    MUST(ct_sample_workspace_bytes(&bytes, device.device, &p));
    MUST(ct_sample_state_bytes(&state_bytes, device.device, p.num_slots, vocab));
    Memory workspace(device, bytes), state(device, state_bytes),
        rows_memory(device, rows * static_cast<int64_t>(sizeof(ct_sample_row)));
    Memory history_ids(device, rows * history * 4);
    history_ids.write(ids);
    MUST(ct_fill(state.get(), 0, state_bytes, 0, device.stream));
    auto call = [&](int64_t i) {
        return ct_sample(token.get(), logprob.get(), rank.get(), nullptr, nullptr, status.get(), state.get(),
                         logits[static_cast<size_t>(i)]->get(), rows_memory.get(), nullptr, nullptr, history_ids.get(),
                         nullptr, workspace.get(), &p, device.stream);
    };
    rows_memory.write(params);
    if (c.penalties) {
        // Once with the history; what is timed finds it in the state.
        MUST(call(0));
        for (ct_sample_row& row : params) {
            row.flags = 0;
            row.output_begin = row.history_end = row.prompt_begin;
        }
        rows_memory.write(params);
    }
    report("sample", std::string(c.name) + "_r" + std::to_string(rows) + "_v" + std::to_string(vocab),
           time_calls(device, static_cast<int64_t>(logits.size()), call),
           static_cast<double>(logit_bytes) * static_cast<double>(rows * vocab), 0,
           field("rows", rows) + "," + field("vocab", vocab) + "," + field("logit_bytes", logit_bytes) + "," +
               field("top_k", c.top_k) + "," + field("top_p_percent", static_cast<int64_t>(c.top_p * 100)));
}

void bench_argmax(Device& device, int64_t rows, int64_t vocab) {
    Rotation logits = rotation(device, rows * vocab * 4, CT_F32);
    Memory token(device, rows * 4);
    report("argmax", "r" + std::to_string(rows) + "_v" + std::to_string(vocab),
           time_calls(device, static_cast<int64_t>(logits.size()),
                      [&](int64_t i) {
                          return ct_argmax(token.get(), logits[static_cast<size_t>(i)]->get(), rows, vocab, vocab,
                                           device.stream);
                      }),
           4.0 * static_cast<double>(rows * vocab), 0, field("rows", rows) + "," + field("vocab", vocab));
}

void report_probes(Device& device) {
    double bandwidth = 0, bf16 = 0;
    if (ct_device_probe(&bandwidth, device.device, CT_PROBE_READ_BANDWIDTH) != CT_OK) return;  // simt has none
    MUST(ct_device_probe(&bf16, device.device, CT_PROBE_BF16_FLOPS));
    std::printf("{\"probe\":\"bandwidth\",\"per_second\":%.6g}\n{\"probe\":\"bf16_mma_sync\",\"per_second\":%.6g}\n",
                bandwidth, bf16);
}

}  // namespace

int main(int argc, char** argv) {
    const char* name = argc > 1 ? argv[1] : "cuda:0";
    quick = argc > 2 && std::strcmp(argv[2], "--quick") == 0;
    Device device(0, CT_ISA_AUTO, name);
    if (!device.present()) {
        std::fprintf(stderr, "gpu_bench: %s\n", ct_last_error());
        return 1;
    }
    report_probes(device);
    for (const AttentionCase& c : attention_cases()) {
        for (bool balanced : {true, false}) bench_attention(device, c, balanced);
    }
    if (quick) {
        bench_linear(device, 64, 128, {1, 17});
        bench_rows(device, 4, 256);
        bench_argmax(device, 2, 1000);
        bench_sample(device, 2, 1000, {"top_k_top_p_penalties_f32", CT_F32, 0.8f, 0.9f, 50, true});
        bench_rope(device, 20, 2, 1, 64);
        bench_embedding(device, 50, 64, 9);
        bench_copy_blocks(device, 3, 4096);
    } else {
        bench_linear(device, 4096, 4096, {1, 8, 16, 64, 512, 4096});
        bench_linear(device, 28672, 4096, {1, 8, 16, 64, 512, 4096});
        bench_linear(device, 4096, 14336, {1, 16, 512, 4096});
        bench_linear(device, 1024, 1024, {1, 16});
        bench_rows(device, 4096, 4096);
        bench_rows(device, 64, 4096);
        bench_argmax(device, 64, 131072);
        const SampleCase cut{"top_k_top_p_f32", CT_F32, 0.8f, 0.9f, 50, false};
        const SampleCase narrow{"top_k_top_p_bf16", CT_BF16, 0.8f, 0.9f, 50, false};
        for (int64_t rows : {1, 128, 512}) bench_sample(device, rows, 131072, cut);
        for (int64_t rows : {1, 64}) bench_sample(device, rows, 131072, narrow);
        bench_sample(device, 64, 131072, {"greedy_bf16", CT_BF16, 0, 1, 0, false});
        bench_sample(device, 64, 131072, {"top_p_bf16", CT_BF16, 0.8f, 0.9f, 0, false});
        bench_sample(device, 128, 131072, {"penalties_f32", CT_F32, 0.8f, 0.9f, 50, true});
        bench_rope(device, 8192, 32, 8, 128);
        bench_rope(device, 64, 32, 8, 128);
        bench_embedding(device, 131072, 4096, 8192);
        bench_copy_blocks(device, 1024, 65536);
    }
    return failures == 0 ? 0 : 1;
}
