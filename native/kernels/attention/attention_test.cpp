// attention_test.cpp: ct_paged_attention against plain loops in double, bit for bit against itself in other batches,
// and against callers that lie.
#include <algorithm>
#include <functional>

#include "tests/testing.h"

namespace {

using namespace testing;

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

float round_to(int32_t dtype, float x) { return dtype == CT_F32 ? x : ct::to_float(ct::to_bf16(x)); }

// A number in [-1.7, 1.7) that depends on where it stands and on nothing else.
float number(char what, uint64_t id, int64_t position, int64_t head, int64_t d) {
    uint64_t x = id * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(position * 131071 + head * 524287 + d * 8191 + what);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return (static_cast<float>(x >> 40) / 16777216.0f - 0.5f) * 3.4f;
}

float sink_of(int64_t head) { return number('s', 7, 0, head, 0); }

// One row by the book, in double.
std::vector<double> simple_attention(const Shape& shape, const Seq& seq, int64_t position, int64_t q_head) {
    const int64_t head = q_head / shape.group;
    const int64_t begin = shape.window > 0 ? std::max<int64_t>(0, position - shape.window + 1) : 0;
    std::vector<double> scores, out(static_cast<size_t>(shape.head_dim), 0.0);
    for (int64_t t = begin; t <= position; ++t) {
        double score = 0;
        for (int64_t d = 0; d < shape.head_dim; ++d) {
            score += static_cast<double>(round_to(shape.dtype, number('q', seq.id, position, q_head, d))) *
                     static_cast<double>(round_to(shape.kv_dtype, number('k', seq.id, t, head, d)));
        }
        score *= static_cast<double>(shape.scale());
        if (shape.soft_cap > 0) score = shape.soft_cap * std::tanh(score / static_cast<double>(shape.soft_cap));
        scores.push_back(score);
    }
    double max = *std::max_element(scores.begin(), scores.end());
    if (shape.sinks) max = std::max(max, static_cast<double>(sink_of(q_head)));
    double sum = shape.sinks ? std::exp(static_cast<double>(sink_of(q_head)) - max) : 0.0;
    for (double& score : scores) sum += score = std::exp(score - max);
    for (int64_t t = begin; t <= position; ++t) {
        const double p = scores[static_cast<size_t>(t - begin)] / sum;
        for (int64_t d = 0; d < shape.head_dim; ++d) {
            out[static_cast<size_t>(d)] +=
                p * static_cast<double>(round_to(shape.kv_dtype, number('v', seq.id, t, head, d)));
        }
    }
    return out;
}

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
        return ct_paged_attention(out.bytes.buffer, q.bytes.buffer, k_cache.bytes.buffer, v_cache.bytes.buffer,
                                  table.buffer, cu.buffer, lens.buffer, shape.sinks ? sinks.buffer : nullptr, &params,
                                  device.stream);
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

void check_against_simple(const Batch& batch) {
    const Shape& shape = batch.shape;
    for (size_t s = 0; s < batch.seqs.size(); ++s) {
        const Seq& seq = batch.seqs[s];
        const std::vector<float> rows = batch.rows(s);
        for (int64_t i = 0; i < seq.q_len; ++i) {
            // All rows near the piece boundaries and the ends, some of the rest.
            if (i > 2 && i + 3 < seq.q_len && i % 29 != 0) continue;
            for (int64_t h = 0; h < shape.q_heads(); ++h) {
                std::vector<double> expected(static_cast<size_t>(shape.head_dim), 0.0);
                if (seq.kv_len > 0) expected = simple_attention(shape, seq, seq.kv_len - seq.q_len + i, h);
                double worst = 0;
                for (int64_t d = 0; d < shape.head_dim; ++d) {
                    const double actual =
                        static_cast<double>(rows[static_cast<size_t>(i * batch.row() + h * shape.head_dim + d)]);
                    const double wanted = expected[static_cast<size_t>(d)];
                    const double tolerance = 3e-6 + (shape.dtype == CT_BF16 ? std::fabs(wanted) / 256 : 0.0);
                    const double error = std::fabs(actual - wanted) / tolerance;
                    if (!(error <= worst)) worst = error;
                }
                CHECK_CLOSE(worst, 0.0, 1.0);
            }
        }
    }
    CHECK(batch.padding_is_untouched());
}

const std::vector<int32_t> kIsas = {CT_ISA_SCALAR, CT_ISA_AVX2, CT_ISA_AVX512};

// ---- tests ---------------------------------------------------------------------------------------------------------

void matches_plain_loops_at_every_length() {
    std::vector<Seq> decode, mixed;
    for (int32_t length : {1, 15, 16, 17, 255, 256, 257, 511, 512, 513, 1000}) {
        decode.push_back({1, length, static_cast<uint64_t>(length)});
        mixed.push_back({std::min(length, length % 3 == 0 ? 40 : 3), length, static_cast<uint64_t>(length)});
    }
    mixed.push_back({0, 0, 1});
    mixed.push_back({2, 0, 1});   // a padded sequence with rows: zeros
    mixed.push_back({0, 40, 2});  // in the batch, but nothing asked
    mixed.push_back({17, 17, 3});
    mixed.push_back({129, 129, 4});
    for (int32_t isa : kIsas) {
        for (int threads : {1, 2}) {
            Device device(threads, isa);
            if (!device.present()) continue;
            for (int32_t types = 0; types < 4; ++types) {
                Shape shape;
                shape.dtype = types & 1;
                shape.kv_dtype = types >> 1;
                shape.window = threads == 2 && types == 3 ? 300 : 0;
                for (const auto& seqs : {decode, mixed}) {
                    context = "isa " + std::to_string(isa) + " " + shape.text();
                    Batch batch(device, shape, seqs);
                    batch.run(device);
                    check_against_simple(batch);
                }
            }
        }
    }
}

void matches_plain_loops_in_every_shape() {
    Random random(1);
    for (int32_t isa : kIsas) {
        Device device(2, isa);
        if (!device.present()) continue;
        for (int32_t head_dim : {16, 32, 64, 80, 96, 128, 256}) {
            for (int32_t group : {1, 2, 3, 4, 7, 8, 56}) {
                if (group == 56 && head_dim != 16) continue;  // more heads than a tile has rows
                Shape shape;
                shape.head_dim = head_dim;
                shape.group = group;
                shape.kv_heads = static_cast<int32_t>(1 + random.below(2));
                shape.dtype = static_cast<int32_t>(random.below(2));
                shape.kv_dtype = static_cast<int32_t>(random.below(2));
                const int32_t windows[] = {0, 1, 16, 17, 270};
                shape.window = windows[random.below(5)];
                shape.soft_cap = random.below(2) ? 1.5f : 0.0f;
                shape.sinks = random.below(2) == 1;
                std::vector<Seq> seqs;
                for (uint64_t s = 0; s < 4; ++s) {
                    const auto kv = static_cast<int32_t>(random.below(s == 3 ? 600 : 70));
                    const int64_t asked = random.below(2) ? 1 : random.below(std::min(kv, 50) + 1);
                    seqs.push_back({std::min(kv, static_cast<int32_t>(asked)), kv, s + 10});
                }
                context = "isa " + std::to_string(isa) + " " + shape.text();
                Batch batch(device, shape, seqs, random.engine());
                batch.run(device);
                check_against_simple(batch);
            }
        }
    }
}

// The rows of a sequence computed whole must be those of any chunks, neighbours, tables and threads.
void rows_do_not_depend_on_the_batch() {
    constexpr int32_t kLength = 600;
    for (int32_t isa : kIsas) {
        Device one(1, isa), two(2, isa), five(5, isa);
        if (!one.present()) continue;
        for (int32_t variant = 0; variant < 5; ++variant) {
            Shape shape;
            shape.kv_heads = variant == 4 ? 1 : 2;
            shape.group = variant == 1 ? 3 : 4;
            shape.head_dim = variant == 2 ? 80 : 32;
            shape.dtype = variant != 1;
            shape.kv_dtype = variant != 1 && variant != 3;
            shape.window = variant == 2 ? 290 : 0;
            shape.soft_cap = variant == 3 ? 2.0f : 0.0f;
            shape.sinks = variant == 3;
            context = "isa " + std::to_string(isa) + " " + shape.text();
            Batch whole(one, shape, {{kLength, kLength, 5}});
            whole.run(one);
            const std::vector<float> expected = whole.rows(0);
            const auto row = static_cast<size_t>(whole.row());
            const auto check_rows = [&](const Batch& batch, size_t s) {
                const std::vector<float> actual = batch.rows(s);
                const size_t first = static_cast<size_t>(batch.seqs[s].kv_len - batch.seqs[s].q_len) * row;
                CHECK(std::memcmp(actual.data(), expected.data() + first, actual.size() * sizeof(float)) == 0);
            };
            int32_t turn = 0;
            for (int32_t chunk : {1, 3, 16, 64, kLength}) {
                for (int32_t end = std::max(chunk, chunk == 1 ? 1 : 0); end <= kLength;
                     end += chunk < 16 ? 37 : chunk) {
                    Device& device = turn % 3 == 0 ? one : turn % 3 == 1 ? two : five;
                    const Seq asked{chunk, end, 5}, neighbour{1 + turn % 5, 20 + turn % 300, 99};
                    std::vector<Seq> seqs{asked};
                    if (turn % 2) seqs = {neighbour, asked, {turn % 3, 700, 98}};
                    Batch batch(device, shape, seqs, static_cast<uint64_t>(turn));
                    batch.run(device);
                    check_rows(batch, turn % 2 ? 1 : 0);
                    ++turn;
                }
            }
            for (Device* device : {&two, &five}) {  // long decode alone: its pieces are shared out
                Batch batch(*device, shape, {{1, kLength, 5}});
                batch.run(*device);
                check_rows(batch, 0);
            }
        }
    }
}

// A row sees neither the NaN of a later token nor the one before its window.
void does_not_touch_what_a_row_does_not_see() {
    for (int32_t isa : kIsas) {
        Device device(2, isa);
        if (!device.present()) continue;
        Shape shape;
        shape.window = 20;
        context = "isa " + std::to_string(isa);
        Batch batch(device, shape, {{30, 60, 1}});
        batch.run(device);
        const std::vector<float> clean = batch.rows(0);
        const int64_t at = batch.table.at[2] * batch.params.block_stride + 13 * shape.head_dim;  // position 45, head 0
        for (int64_t d = 0; d < shape.head_dim; ++d) batch.v_cache.set(at + d, kNan), batch.k_cache.set(at + d, kNan);
        batch.run(device);
        const std::vector<float> dirty = batch.rows(0);
        for (size_t i = 0; i < clean.size(); ++i) {
            const int64_t position = 30 + static_cast<int64_t>(i) / batch.row();
            const bool sees =
                position >= 45 && position < 65 && static_cast<int64_t>(i) % batch.row() < 2 * shape.head_dim;
            CHECK(sees ? std::isnan(dirty[i]) : dirty[i] == clean[i]);
        }
    }
}

void contradictory_data_spoil_their_own_sequence_only() {
    const std::vector<Seq> seqs{{3, 40, 1}, {5, 300, 2}, {1, 17, 3}};
    using Spoil = std::function<void(Batch&)>;
    const std::vector<Spoil> spoils{
        [](Batch& b) { b.table.at[b.params.max_blocks + 3] = -1; },
        [](Batch& b) { b.table.at[b.params.max_blocks + 18] = static_cast<int32_t>(b.params.num_blocks); },
        [](Batch& b) { b.table.at[b.params.max_blocks] = INT32_MIN; },
        [](Batch& b) { b.lens.at[1] = 4; },
        [](Batch& b) { b.lens.at[1] = -1; },
        [](Batch& b) { b.lens.at[1] = INT32_MAX; },
        [](Batch& b) { b.lens.at[1] = static_cast<int32_t>(b.params.max_blocks * 16 + 1); },
    };
    for (int32_t isa : kIsas) {
        Device device(2, isa);
        if (!device.present()) continue;
        for (size_t i = 0; i < spoils.size(); ++i) {
            context = "isa " + std::to_string(isa) + " spoil " + std::to_string(i);
            Batch clean(device, Shape{}, seqs), batch(device, Shape{}, seqs);
            spoils[i](batch);
            clean.run(device);
            batch.run(device);
            for (float x : batch.rows(1)) CHECK(std::isnan(x));
            CHECK(batch.rows(0) == clean.rows(0));
            CHECK(batch.rows(2) == clean.rows(2));
            CHECK(batch.padding_is_untouched());
        }
        // Row offsets: whatever they say, nothing outside out is written and no row has two owners.
        const std::vector<std::vector<int32_t>> offsets{{0, 3, 2, 9},          {0, 3, INT32_MAX, 9}, {0, -5, 8, 9},
                                                        {2, 3, 8, 9},          {0, 3, 8, INT32_MIN}, {0, 9, 9, 9},
                                                        {INT32_MIN, -1, 8, 9}, {9, 8, 3, 0},         {0, 3, 8, 7}};
        for (const auto& cu : offsets) {
            context = "isa " + std::to_string(isa) + " offsets " + std::to_string(cu[1]) + " " + std::to_string(cu[2]);
            Batch clean(device, Shape{}, seqs), batch(device, Shape{}, seqs);
            std::copy(cu.begin(), cu.end(), batch.cu.at);
            clean.run(device);
            batch.run(device);
            CHECK(batch.padding_is_untouched());
            std::copy(clean.cu.at, clean.cu.at + 4, batch.cu.at);
            if (cu[0] == 0 && cu[1] == 3) CHECK(batch.rows(0) == clean.rows(0));
        }
    }
}

void refuses_wrong_arguments() {
    Device device(1), other(1);
    Batch good(device, Shape{}, {{3, 40, 1}});
    CHECK_OK(good.call(device));
    CHECK_OK(ct_stream_synchronize(device.stream));
    using Break = std::function<void(ct_attention_params&)>;
    const std::vector<Break> breaks{
        [](auto& p) { p.struct_bytes = sizeof p + 8; },
        [](auto& p) { p.num_tokens = -1; },
        [](auto& p) { p.num_tokens = 4; },
        [](auto& p) { p.num_tokens = INT64_MAX; },
        [](auto& p) { p.num_seqs = -1; },
        [](auto& p) { p.num_seqs = INT32_MAX; },
        [](auto& p) { p.num_seqs = 100; },
        [](auto& p) { p.max_blocks = -1; },
        [](auto& p) { p.max_blocks = INT64_MAX; },
        [](auto& p) { p.num_blocks = -1; },
        [](auto& p) { p.num_blocks = 100; },
        [](auto& p) { p.num_blocks = INT64_MAX; },
        [](auto& p) { p.q_stride = 255; },
        [](auto& p) { p.q_stride = INT64_MAX; },
        [](auto& p) { p.out_stride = 255; },
        [](auto& p) { p.out_stride = -256; },
        [](auto& p) { p.block_stride = 2047; },
        [](auto& p) { p.block_stride = INT64_MAX; },
        [](auto& p) { p.num_q_heads = 3; },
        [](auto& p) { p.num_q_heads = 0; },
        [](auto& p) { p.num_q_heads = 1000; },
        [](auto& p) { p.num_kv_heads = 0; },
        [](auto& p) { p.num_kv_heads = -2; },
        [](auto& p) { p.head_dim = 0; },
        [](auto& p) { p.head_dim = 24; },
        [](auto& p) { p.head_dim = 272; },
        [](auto& p) { p.head_dim = -16; },
        [](auto& p) { p.window = -1; },
        [](auto& p) { p.dtype = CT_F16; },
        [](auto& p) { p.kv_dtype = 9; },
        [](auto& p) { p.scale = kNan; },
        [](auto& p) { p.soft_cap = -1; },
        [](auto& p) { p.soft_cap = kNan; },
    };
    for (size_t i = 0; i < breaks.size(); ++i) {
        context = "break " + std::to_string(i);
        const ct_attention_params before = good.params;
        breaks[i](good.params);
        CHECK_STATUS(good.call(device), CT_INVALID);
        CHECK(std::string(ct_last_error()).find("ct_paged_attention") == 0);
        good.params = before;
    }
    for (int missing = 0; missing < 8; ++missing) {
        context = "null " + std::to_string(missing);
        const auto unless = [&](int i, ct_buffer* buffer) { return missing == i ? nullptr : buffer; };
        CHECK_STATUS(
            ct_paged_attention(unless(0, good.out.bytes.buffer), unless(1, good.q.bytes.buffer),
                               unless(2, good.k_cache.bytes.buffer), unless(3, good.v_cache.bytes.buffer),
                               unless(4, good.table.buffer), unless(5, good.cu.buffer), unless(6, good.lens.buffer),
                               nullptr, &good.params, missing == 7 ? nullptr : device.stream),
            CT_INVALID);
    }
    context = "";
    CHECK_STATUS(good.call(other), CT_INVALID);
    good.params.num_tokens = good.params.num_seqs = 0;  // an empty batch is legal
    CHECK_OK(good.call(device));
    CHECK_OK(ct_stream_synchronize(device.stream));
}

}  // namespace

int main() {
    matches_plain_loops_at_every_length();
    matches_plain_loops_in_every_shape();
    rows_do_not_depend_on_the_batch();
    does_not_touch_what_a_row_does_not_see();
    contradictory_data_spoil_their_own_sequence_only();
    refuses_wrong_arguments();
    return finish("attention");
}
