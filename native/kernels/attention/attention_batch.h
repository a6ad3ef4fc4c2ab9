// attention_batch.h: ragged batches in device memory and the same attention by plain loops in double, for the tests of
// ct_paged_attention.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <random>

#include "tests/testing.h"

namespace testing {

// The last q_len of the kv_len tokens of the sequence with this id ask; the id decides all numbers of the sequence.
struct Seq {
    int32_t q_len;
    int32_t kv_len;
    uint64_t id;
};

struct Shape {
    int32_t kv_heads = 2;
    int32_t group = 2;
    int32_t head_dim = 64;
    int32_t dtype = CT_F32;
    int32_t kv_dtype = CT_F32;
    int32_t window = 0;
    float soft_cap = 0;
    bool sinks = false;

    bool values_in_keys = false;
    int32_t head_dim_v = 0;  // 0: 512 of 576, else head_dim

    // What the cpu device does not serve.
    bool lse = false;
    bool tree = false;
    int32_t block_size = 16;
    float k_scale = 1;
    float v_scale = 1;

    int32_t balanced = 0;
    bool tells_max_q_len = false;
    int64_t block_padding = 8;  // elements between two blocks
    int64_t row_padding = 8;    // between two rows of out; of q three times as many
    float scale_times = 1;
    int64_t spare_blocks = 0;  // of the cache and columns of the table that no sequence uses

    int32_t dim_v() const { return head_dim_v > 0 ? head_dim_v : head_dim == 576 ? 512 : head_dim; }
    int32_t q_heads() const { return kv_heads * group; }
    float scale() const { return scale_times / std::sqrt(static_cast<float>(head_dim)); }
    std::string text() const {
        return "heads " + std::to_string(kv_heads) + "x" + std::to_string(group) + " dim " + std::to_string(head_dim) +
               "/" + std::to_string(dim_v()) + (values_in_keys ? " values in keys" : "") + " dtypes " +
               std::to_string(dtype) + "," + std::to_string(kv_dtype) + " block " + std::to_string(block_size) + "+" +
               std::to_string(block_padding) + " window " + std::to_string(window) + " cap " +
               std::to_string(soft_cap) + " sinks " + std::to_string(sinks) + " lse " + std::to_string(lse) + " tree " +
               std::to_string(tree) + " balanced " + std::to_string(balanced) + " rows +" +
               std::to_string(row_padding) + " scale x " + std::to_string(scale_times);
    }
};

// ---- numbers -------------------------------------------------------------------------------------------------------

template <typename Body>
auto with_dtype(int32_t dtype, const Body& body) {
    switch (dtype) {
        case CT_F32:
            return body(float{});
        case CT_BF16:
            return body(ct::bf16{});
        case CT_F16:
            return body(ct::f16{});
        default:
            return body(ct::e4m3{});
    }
}

inline float round_to(int32_t dtype, float x) {
    return with_dtype(dtype, [x](auto t) { return ct::to_float(ct::from_float<decltype(t)>(x)); });
}

// A number in [-1.7, 1.7) that depends on where it stands and on nothing else.
inline float number(char what, uint64_t id, int64_t position, int64_t head, int64_t d) {
    uint64_t x = id * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(position * 131071 + head * 524287 + d * 8191 + what);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (static_cast<float>(x >> 40) / 16777216.0f - 0.5f) * 3.4f;
}

inline float sink_of(int64_t head) { return number('s', 7, 0, head, 0); }

inline double query_number(const Shape& shape, uint64_t id, int64_t position, int64_t q_head, int64_t d) {
    return static_cast<double>(round_to(shape.dtype, number('q', id, position, q_head, d)));
}
inline double key_number(const Shape& shape, uint64_t id, int64_t position, int64_t head, int64_t d) {
    const float stored = round_to(shape.kv_dtype, number('k', id, position, head, d) / shape.k_scale);
    return static_cast<double>(stored) * static_cast<double>(shape.k_scale);
}
inline double value_number(const Shape& shape, uint64_t id, int64_t position, int64_t head, int64_t d) {
    const char what = shape.values_in_keys ? 'k' : 'v';
    const float write_scale = shape.values_in_keys ? shape.k_scale : shape.v_scale;
    const float stored = round_to(shape.kv_dtype, number(what, id, position, head, d) / write_scale);
    return static_cast<double>(stored) * static_cast<double>(shape.v_scale);
}

// The rows that row i of a sequence descends from, and itself: a random tree. A few rows see nothing new at all, a few a
// later row.
inline uint64_t tree_of(uint64_t id, int64_t i) {
    if (number('n', id, i, 0, 0) > 1.6f) return 0;
    uint64_t mask = number('l', id, i, 0, 0) > 1.0f ? uint64_t{1} << (i + 5) % 64 : 0;
    for (int64_t at = i; at >= 0;) {
        mask |= uint64_t{1} << at;
        const double below = (static_cast<double>(number('t', id, at, 0, 0)) / 3.4 + 0.5) * static_cast<double>(at + 1);
        at = std::min(static_cast<int64_t>(below), at) - 1;
    }
    return mask;
}

// ---- by the book ---------------------------------------------------------------------------------------------------

struct Expected {
    std::vector<double> out;
    double lse;
};

// Whether row i of a sequence sees a key.
inline bool sees(const Shape& shape, const Seq& seq, int64_t i, int64_t key) {
    const int64_t first_new = seq.kv_len - seq.q_len, position = first_new + i;
    if (shape.window > 0 && key <= position - shape.window) return false;
    if (key < first_new) return true;
    const bool tree = shape.tree && seq.q_len <= CT_MAX_TREE_ROWS;
    return tree ? (tree_of(seq.id, i) >> (key - first_new) & 1) != 0 : key <= position;
}

inline double score_of(const Shape& shape, const Seq& seq, int64_t position, int64_t q_head, int64_t key) {
    double score = 0;
    for (int64_t d = 0; d < shape.head_dim; ++d) {
        score +=
            query_number(shape, seq.id, position, q_head, d) * key_number(shape, seq.id, key, q_head / shape.group, d);
    }
    score *= static_cast<double>(shape.scale());
    return shape.soft_cap > 0 ? shape.soft_cap * std::tanh(score / static_cast<double>(shape.soft_cap)) : score;
}

// Row i of a sequence, one query head.
inline Expected simple_attention(const Shape& shape, const Seq& seq, int64_t i, int64_t q_head) {
    Expected expected{std::vector<double>(static_cast<size_t>(shape.dim_v()), 0.0),
                      -std::numeric_limits<double>::infinity()};
    std::vector<int64_t> keys;
    std::vector<double> scores;
    for (int64_t key = 0; key < seq.kv_len; ++key) {
        if (!sees(shape, seq, i, key)) continue;
        keys.push_back(key);
        scores.push_back(score_of(shape, seq, seq.kv_len - seq.q_len + i, q_head, key));
    }
    if (keys.empty()) return expected;
    const auto sink = static_cast<double>(sink_of(q_head));
    double max = *std::max_element(scores.begin(), scores.end());
    if (shape.sinks) max = std::max(max, sink);
    double sum = shape.sinks ? std::exp(sink - max) : 0.0;
    for (double& score : scores) sum += score = std::exp(score - max);
    for (size_t k = 0; k < keys.size(); ++k) {
        for (int64_t d = 0; d < shape.dim_v(); ++d) {
            expected.out[static_cast<size_t>(d)] +=
                scores[k] / sum * value_number(shape, seq.id, keys[k], q_head / shape.group, d);
        }
    }
    expected.lse = max + std::log(sum);
    return expected;
}

// ---- a batch in device memory --------------------------------------------------------------------------------------

// A buffer of numbers of a dtype.
struct Tensor {
    static constexpr int64_t kTooManyBytes = int64_t{1} << 30;  // stay zero, untouched
    int32_t dtype;
    Array<unsigned char> bytes;
    Tensor(Device& device, int32_t type, int64_t n) : dtype(type), bytes(device, n * ct::dtype_bytes(type)) {
        if (bytes.size < kTooManyBytes) bytes.poison();
    }
    void set(int64_t i, float x) {
        with_dtype(dtype, [&](auto t) {
            using T = decltype(t);
            reinterpret_cast<T*>(bytes.at)[i] = ct::from_float<T>(x);
        });
    }
    float get(int64_t i) const {
        return with_dtype(dtype,
                          [&](auto t) { return ct::to_float(reinterpret_cast<const decltype(t)*>(bytes.at)[i]); });
    }
};

// The device's own memory, zeros.
struct Plan {
    ct_buffer* buffer = nullptr;
    Plan(Device& device, int64_t bytes) { CHECK_OK(ct_buffer_create(&buffer, device.device, bytes)); }
    ~Plan() { CHECK_OK(ct_buffer_destroy(buffer)); }
    Plan(const Plan&) = delete;
    Plan& operator=(const Plan&) = delete;
};

// Everything that a call needs: pages in shuffled blocks, NaN wherever nothing was written, junk in unused table
// entries.
struct Batch {
    Shape shape;
    std::vector<Seq> seqs;
    ct_attention_params params{};
    Tensor out, q, k_cache, v_cache;
    Array<int32_t> table, cu, lens;
    Array<float> sinks, lse;
    Array<uint64_t> tree;
    std::unique_ptr<Plan> plan;

    static int64_t blocks_of(const Shape& s, const Seq& seq) { return (seq.kv_len + s.block_size - 1) / s.block_size; }
    static int64_t max_blocks(const Shape& s, const std::vector<Seq>& seqs) {
        int64_t most = 1;
        for (const Seq& seq : seqs) most = std::max(most, blocks_of(s, seq) + 2);
        return most + s.spare_blocks;
    }
    static int64_t tokens(const std::vector<Seq>& seqs) {
        int64_t total = 0;
        for (const Seq& seq : seqs) total += seq.q_len;
        return total;
    }
    static int64_t num_blocks(const Shape& s, const std::vector<Seq>& seqs) {
        int64_t total = 3 + s.spare_blocks;
        for (const Seq& seq : seqs) total += blocks_of(s, seq);
        return total;
    }
    static int64_t block(const Shape& s) { return int64_t{s.block_size} * s.kv_heads * s.head_dim + s.block_padding; }
    int64_t row() const { return int64_t{shape.q_heads()} * shape.dim_v(); }
    int64_t q_row() const { return int64_t{shape.q_heads()} * shape.head_dim; }

    Batch(Device& device, const Shape& s, const std::vector<Seq>& list, uint64_t layout = 1)
        : shape(s),
          seqs(list),
          out(device, s.dtype, tokens(list) * (s.q_heads() * s.dim_v() + s.row_padding)),
          q(device, s.dtype, tokens(list) * (s.q_heads() * s.head_dim + 3 * s.row_padding)),
          k_cache(device, s.kv_dtype, num_blocks(s, list) * block(s)),
          v_cache(device, s.kv_dtype, s.values_in_keys ? 1 : num_blocks(s, list) * block(s)),
          table(device, static_cast<int64_t>(list.size()) * max_blocks(s, list)),
          cu(device, static_cast<int64_t>(list.size()) + 1),
          lens(device, static_cast<int64_t>(list.size())),
          sinks(device, s.q_heads()),
          lse(device, tokens(list) * s.q_heads()),
          tree(device, tokens(list)) {
        params.struct_bytes = sizeof params;
        params.num_tokens = tokens(list);
        params.num_seqs = static_cast<int64_t>(list.size());
        params.max_blocks = max_blocks(s, list);
        params.num_blocks = num_blocks(s, list);
        params.q_stride = q_row() + 3 * s.row_padding;
        params.out_stride = row() + s.row_padding;
        params.block_stride = block(s);
        params.num_q_heads = s.q_heads();
        params.num_kv_heads = s.kv_heads;
        params.head_dim = s.head_dim;
        params.window = s.window;
        params.dtype = s.dtype;
        params.kv_dtype = s.kv_dtype;
        params.scale = s.scale();
        params.soft_cap = s.soft_cap;
        params.block_size = s.block_size;
        params.head_dim_v = s.dim_v();
        params.values_in_keys = s.values_in_keys;
        params.balanced = s.balanced;
        params.k_scale = s.k_scale;
        params.v_scale = s.v_scale;
        for (const Seq& seq : seqs) {
            if (s.tells_max_q_len) params.max_q_len = std::max(params.max_q_len, seq.q_len);
        }
        fill(layout);
    }

    void fill(uint64_t layout) {
        std::vector<int32_t> free_blocks(static_cast<size_t>(params.num_blocks));
        for (size_t i = 0; i < free_blocks.size(); ++i) free_blocks[i] = static_cast<int32_t>(i);
        std::shuffle(free_blocks.begin(), free_blocks.end(), std::mt19937_64(layout));
        for (int64_t i = 0; i < table.size; ++i) table.at[i] = i % 2 ? -77 : INT32_MAX;
        for (int64_t h = 0; h < sinks.size; ++h) sinks.at[h] = sink_of(h);
        cu.at[0] = 0;
        for (size_t s = 0; s < seqs.size(); ++s) {
            const Seq& seq = seqs[s];
            cu.at[s + 1] = cu.at[s] + seq.q_len;
            lens.at[s] = seq.kv_len;
            fill_pages(s, free_blocks);
            fill_rows(s);
        }
    }

    void fill_pages(size_t s, std::vector<int32_t>& free_blocks) {
        const Seq& seq = seqs[s];
        const int64_t size = shape.block_size;
        const int64_t seen = std::max(0, seq.kv_len - seq.q_len + 1 - (shape.window ? shape.window : seq.kv_len));
        for (int64_t b = 0; b < blocks_of(shape, seq); ++b) {
            const int32_t id = free_blocks.back();
            free_blocks.pop_back();
            if (b < seen / size) continue;  // wholly outside the window: freed, its entry stale
            table.at[static_cast<int64_t>(s) * params.max_blocks + b] = id;
            for (int64_t t = std::max(size * b, seen); t < std::min<int64_t>(size * (b + 1), seq.kv_len); ++t) {
                write_token(seq, t, id);
            }
        }
    }

    void fill_rows(size_t s) {
        const Seq& seq = seqs[s];
        for (int64_t i = 0; i < seq.q_len; ++i) {
            for (int64_t c = 0; c < q_row(); ++c) {
                q.set((cu.at[s] + i) * params.q_stride + c,
                      number('q', seq.id, seq.kv_len - seq.q_len + i, c / shape.head_dim, c % shape.head_dim));
            }
            // Bits of rows that are not there change nothing.
            const uint64_t absent = seq.q_len < 64 ? ~uint64_t{0} << seq.q_len : 0;
            tree.at[cu.at[s] + i] = seq.q_len <= CT_MAX_TREE_ROWS ? tree_of(seq.id, i) | absent : 0;
        }
    }

    // Elements where a token's key and value of a head begin.
    int64_t key_at(int64_t block_id, int64_t t, int64_t head) const {
        return block_id * params.block_stride + (head * shape.block_size + t % shape.block_size) * shape.head_dim;
    }
    int64_t value_at(int64_t block_id, int64_t t, int64_t head) const {
        return block_id * params.block_stride + (head * shape.block_size + t % shape.block_size) * shape.dim_v();
    }

    void write_token(const Seq& seq, int64_t t, int64_t block_id) {
        for (int64_t h = 0; h < shape.kv_heads; ++h) {
            for (int64_t d = 0; d < shape.head_dim; ++d) {
                k_cache.set(key_at(block_id, t, h) + d, number('k', seq.id, t, h, d) / shape.k_scale);
            }
            for (int64_t d = 0; d < shape.dim_v() && !shape.values_in_keys; ++d) {
                v_cache.set(value_at(block_id, t, h) + d, number('v', seq.id, t, h, d) / shape.v_scale);
            }
        }
    }

    int32_t make_plan(Device& device) {
        int64_t bytes = 0;
        CT_TRY(ct_attention_plan_bytes(&bytes, device.device, &params));
        if (bytes == 0) return CT_OK;
        if (!plan) plan = std::make_unique<Plan>(device, bytes);
        return ct_attention_plan(plan->buffer, cu.buffer, lens.buffer, &params, device.stream);
    }

    int32_t call(Device& device) {
        return ct_paged_attention(out.bytes.buffer, shape.lse ? lse.buffer : nullptr, q.bytes.buffer,
                                  k_cache.bytes.buffer, shape.values_in_keys ? nullptr : v_cache.bytes.buffer,
                                  table.buffer, cu.buffer, lens.buffer, shape.sinks ? sinks.buffer : nullptr,
                                  shape.tree ? tree.buffer : nullptr, plan ? plan->buffer : nullptr, &params,
                                  device.stream);
    }

    void run(Device& device) {
        out.bytes.poison();
        lse.poison();
        CHECK_OK(make_plan(device));
        CHECK_OK(call(device));
        CHECK_OK(ct_stream_synchronize(device.stream));
    }

    // Rows of sequence s, one after the other; their lse behind them, where it is asked for.
    std::vector<float> rows(size_t s) const {
        std::vector<float> result;
        for (int64_t i = cu.at[s]; i < cu.at[s + 1]; ++i) {
            for (int64_t c = 0; c < row(); ++c) result.push_back(out.get(i * params.out_stride + c));
            for (int64_t h = 0; h < shape.q_heads() && shape.lse; ++h) {
                result.push_back(lse.at[i * shape.q_heads() + h]);
            }
        }
        return result;
    }
    int64_t result_row() const { return row() + (shape.lse ? shape.q_heads() : 0); }

    bool padding_is_untouched() const {
        for (int64_t i = 0; i < params.num_tokens; ++i) {
            for (int64_t c = row(); c < params.out_stride; ++c) {
                if (!std::isnan(out.get(i * params.out_stride + c))) return false;
            }
        }
        return true;
    }
};

}  // namespace testing
