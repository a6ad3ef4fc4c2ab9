// attention_batch.h: ragged batches in device memory, for the test of ct_paged_attention.
#pragma once

#include <algorithm>
#include <functional>
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
    int32_t q_heads() const { return kv_heads * group; }
    float scale() const { return 1.0f / std::sqrt(static_cast<float>(head_dim)); }
    std::string text() const {
        return "heads " + std::to_string(kv_heads) + "x" + std::to_string(group) + " dim " + std::to_string(head_dim) +
               " dtypes " + std::to_string(dtype) + "," + std::to_string(kv_dtype) + " window " +
               std::to_string(window) + " cap " + std::to_string(soft_cap) + " sinks " + std::to_string(sinks);
    }
};

// ---- numbers -------------------------------------------------------------------------------------------------------

inline float round_to(int32_t dtype, float x) { return dtype == CT_F32 ? x : ct::to_float(ct::to_bf16(x)); }

// A number in [-1.7, 1.7) that depends on where it stands and on nothing else.
inline float number(char what, uint64_t id, int64_t position, int64_t head, int64_t d) {
    uint64_t x = id * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(position * 131071 + head * 524287 + d * 8191 + what);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (static_cast<float>(x >> 40) / 16777216.0f - 0.5f) * 3.4f;
}

inline float sink_of(int64_t head) { return number('s', 7, 0, head, 0); }

// ---- a batch in device memory --------------------------------------------------------------------------------------

// A buffer of float32 or bf16.
struct Tensor {
    int32_t dtype;
    Array<unsigned char> bytes;
    Tensor(Device& device, int32_t type, int64_t n) : dtype(type), bytes(device, n * ct::dtype_bytes(type)) {
        bytes.poison();
    }
    void set(int64_t i, float x) {
        if (dtype == CT_F32) {
            reinterpret_cast<float*>(bytes.at)[i] = x;
        } else {
            reinterpret_cast<ct::bf16*>(bytes.at)[i] = ct::to_bf16(x);
        }
    }
    float get(int64_t i) const {
        return dtype == CT_F32 ? reinterpret_cast<const float*>(bytes.at)[i]
                               : ct::to_float(reinterpret_cast<const ct::bf16*>(bytes.at)[i]);
    }
};

// Everything that a call needs: pages in shuffled blocks, NaN wherever nothing was written, junk in unused table
// entries.
struct Batch {
    Shape shape;
    std::vector<Seq> seqs;
    ct_attention_params params{};
    Tensor out, q, k_cache, v_cache;
    Array<int32_t> table, cu, lens;
    Array<float> sinks;
    static constexpr int64_t kPadding = 8;

    static int64_t blocks_of(const Seq& seq) { return (seq.kv_len + 15) / 16; }
    static int64_t sum(const std::vector<Seq>& seqs, const std::function<int64_t(const Seq&)>& of) {
        int64_t total = 0;
        for (const Seq& seq : seqs) total += of(seq);
        return total;
    }
    static int64_t max_blocks(const std::vector<Seq>& seqs) {
        int64_t most = 1;
        for (const Seq& seq : seqs) most = std::max(most, blocks_of(seq) + 2);
        return most;
    }
    static int64_t tokens(const std::vector<Seq>& seqs) {
        return sum(seqs, [](const Seq& seq) { return seq.q_len; });
    }
    static int64_t num_blocks(const std::vector<Seq>& seqs) { return sum(seqs, blocks_of) + 3; }
    static int64_t block(const Shape& s) { return int64_t{16} * s.kv_heads * s.head_dim + kPadding; }
    int64_t row() const { return int64_t{shape.q_heads()} * shape.head_dim; }

    Batch(Device& device, const Shape& s, const std::vector<Seq>& list, uint64_t layout = 1)
        : shape(s),
          seqs(list),
          out(device, s.dtype, tokens(list) * (s.q_heads() * s.head_dim + kPadding)),
          q(device, s.dtype, tokens(list) * (s.q_heads() * s.head_dim + 2 * kPadding)),
          k_cache(device, s.kv_dtype, num_blocks(list) * block(s)),
          v_cache(device, s.kv_dtype, num_blocks(list) * block(s)),
          table(device, static_cast<int64_t>(list.size()) * max_blocks(list)),
          cu(device, static_cast<int64_t>(list.size()) + 1),
          lens(device, static_cast<int64_t>(list.size())),
          sinks(device, s.q_heads()) {
        params.struct_bytes = sizeof params;
        params.num_tokens = tokens(list);
        params.num_seqs = static_cast<int64_t>(list.size());
        params.max_blocks = max_blocks(list);
        params.num_blocks = num_blocks(list);
        params.q_stride = row() + 2 * kPadding;
        params.out_stride = row() + kPadding;
        params.block_stride = block(s);
        params.num_q_heads = s.q_heads();
        params.num_kv_heads = s.kv_heads;
        params.head_dim = s.head_dim;
        params.window = s.window;
        params.dtype = s.dtype;
        params.kv_dtype = s.kv_dtype;
        params.scale = s.scale();
        params.soft_cap = s.soft_cap;
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
            const int64_t seen = std::max(0, seq.kv_len - seq.q_len + 1 - (shape.window ? shape.window : seq.kv_len));
            for (int64_t b = 0; b < blocks_of(seq); ++b) {
                const int32_t id = free_blocks.back();
                free_blocks.pop_back();
                if (b < seen / 16) continue;  // wholly outside the window: freed, its entry stale
                table.at[static_cast<int64_t>(s) * params.max_blocks + b] = id;
                for (int64_t t = std::max(16 * b, seen); t < std::min<int64_t>(16 * b + 16, seq.kv_len); ++t) {
                    write_token(seq, t, id);
                }
            }
            for (int64_t i = 0; i < seq.q_len; ++i) {
                for (int64_t c = 0; c < row(); ++c) {
                    q.set((cu.at[s] + i) * params.q_stride + c,
                          number('q', seq.id, seq.kv_len - seq.q_len + i, c / shape.head_dim, c % shape.head_dim));
                }
            }
        }
    }

    void write_token(const Seq& seq, int64_t t, int64_t block_id) {
        for (int64_t h = 0; h < shape.kv_heads; ++h) {
            for (int64_t d = 0; d < shape.head_dim; ++d) {
                const int64_t at = block_id * params.block_stride + (h * 16 + t % 16) * shape.head_dim + d;
                k_cache.set(at, number('k', seq.id, t, h, d));
                v_cache.set(at, number('v', seq.id, t, h, d));
            }
        }
    }

    int32_t call(Device& device) {
        return ct_paged_attention(out.bytes.buffer, nullptr, q.bytes.buffer, k_cache.bytes.buffer, v_cache.bytes.buffer,
                                  table.buffer, cu.buffer, lens.buffer, shape.sinks ? sinks.buffer : nullptr, nullptr,
                                  nullptr, &params, device.stream);
    }

    void run(Device& device) {
        out.bytes.poison();
        CHECK_OK(call(device));
        CHECK_OK(ct_stream_synchronize(device.stream));
    }

    // Rows of sequence s, one after the other.
    std::vector<float> rows(size_t s) const {
        std::vector<float> result;
        for (int64_t i = cu.at[s]; i < cu.at[s + 1]; ++i) {
            for (int64_t c = 0; c < row(); ++c) result.push_back(out.get(i * params.out_stride + c));
        }
        return result;
    }

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
