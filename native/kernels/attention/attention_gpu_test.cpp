// attention_gpu_test.cpp: ct_paged_attention of the devices that run CUDA kernels, against plain loops in double, bit for
// bit against itself in other batches, and against what is in memory but must not matter.
#include "kernels/attention/attention_batch.h"
#include "tests/kernel_testing.h"

namespace {

using namespace testing;

// bf16 rows go through tensor cores, where weights are rounded to the type of the values.
double value_tolerance(const Shape& shape, double wanted) {
    return shape.dtype == CT_F32 ? 1e-5 : (1.7 + std::fabs(wanted)) / 256;
}
double lse_tolerance(const Shape& shape, double wanted) {
    return shape.dtype == CT_F32 ? 1e-5 * (1 + std::fabs(wanted)) : 4e-3;
}

void check_row(const Batch& batch, const std::vector<float>& rows, const Seq& seq, int64_t i, int64_t head) {
    const Shape& shape = batch.shape;
    const Expected expected = simple_attention(shape, seq, i, head);
    const float* row = rows.data() + i * batch.result_row();
    double worst = 0;
    for (int64_t d = 0; d < shape.dim_v(); ++d) {
        const double wanted = expected.out[static_cast<size_t>(d)];
        const double actual = static_cast<double>(row[head * shape.dim_v() + d]);
        const double error = std::fabs(actual - wanted) / value_tolerance(shape, wanted);
        if (!(error <= worst)) worst = error;
    }
    CHECK_CLOSE(worst, 0.0, 1.0);
    if (shape.lse) {
        CHECK_CLOSE(static_cast<double>(row[batch.row() + head]), expected.lse, lse_tolerance(shape, expected.lse));
    }
}

void check_against_simple(const Batch& batch) {
    for (size_t s = 0; s < batch.seqs.size(); ++s) {
        const Seq& seq = batch.seqs[s];
        const std::vector<float> rows = batch.rows(s);
        for (int64_t i = 0; i < seq.q_len; ++i) {
            // The first and last rows, some of the rest.
            if (i > 2 && i + 3 < seq.q_len && i % 13 != 0) continue;
            for (int64_t h = 0; h < batch.shape.q_heads(); ++h) {
                if (seq.q_len > 8 && (h + i) % 3 != 0) continue;
                check_row(batch, rows, seq, i, h);
            }
        }
    }
    CHECK(batch.padding_is_untouched());
}

// Names what is tried, behind the device's name, as long as it lives.
struct Trying {
    std::string before = context;
    explicit Trying(const std::string& what) { context += " " + what; }
    ~Trying() { context = before; }
    Trying(const Trying&) = delete;
    Trying& operator=(const Trying&) = delete;
};

void run_and_check(Device& device, const Shape& shape, const std::vector<Seq>& seqs, uint64_t layout = 1) {
    const Trying trying(shape.text());
    Batch batch(device, shape, seqs, layout);
    batch.run(device);
    check_against_simple(batch);
}

constexpr int32_t kDtypes[] = {CT_F32, CT_BF16};
constexpr int32_t kKvDtypes[] = {CT_F32, CT_BF16, CT_F16, CT_F8_E4M3};

Shape with_kv_dtype(Shape shape, int32_t kv_dtype) {
    shape.kv_dtype = kv_dtype;
    if (kv_dtype == CT_F8_E4M3) shape.k_scale = 0.5f, shape.v_scale = 0.25f;
    return shape;
}

// ---- plain loops ---------------------------------------------------------------------------------------------------

void matches_plain_loops_at_every_length(Device& device) {
    std::vector<Seq> decode, mixed;
    for (int32_t length : {1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255, 256, 257, 511, 513}) {
        if (reduced() && length > 65 && length != 257) continue;
        decode.push_back({1, length, static_cast<uint64_t>(length)});
        mixed.push_back({std::min(length, length % 3 == 0 ? 21 : 2), length, static_cast<uint64_t>(length)});
    }
    mixed.push_back({0, 0, 1});
    mixed.push_back({2, 0, 1});   // a padded sequence with rows: zeros
    mixed.push_back({0, 40, 2});  // in the batch, but nothing asked
    mixed.push_back({17, 17, 3});
    int32_t turn = 0;
    for (int32_t dtype : kDtypes) {
        for (int32_t kv_dtype : kKvDtypes) {
            Shape shape = with_kv_dtype({}, kv_dtype);
            shape.dtype = dtype;
            shape.kv_heads = 1 + turn % 2;
            shape.group = dtype == CT_F32 ? 2 : 4;
            shape.block_size = 16 << turn % 3;
            shape.block_padding = 16;
            shape.lse = true;
            shape.balanced = turn % 2;
            run_and_check(device, shape, decode);
            run_and_check(device, shape, mixed);
            if (reduced()) return;
            ++turn;
        }
    }
}

std::vector<Seq> random_sequences(Random& random, const Shape& shape, int32_t longest) {
    std::vector<Seq> seqs;
    for (uint64_t s = 0; s < 4; ++s) {
        const auto kv = static_cast<int32_t>(random.below(s == 3 ? longest : 70));
        const int64_t most = shape.tree ? 13 : shape.group > 4 ? 9 : 40;
        const int64_t asked = random.below(2) ? 1 : random.below(std::min<int64_t>(kv, most) + 1);
        seqs.push_back({std::min(kv, static_cast<int32_t>(asked)), kv, s + 10});
    }
    return seqs;
}

Shape random_shape(Random& random, int32_t head_dim, int32_t group) {
    Shape shape = with_kv_dtype({}, kKvDtypes[random.below(4)]);
    shape.head_dim = head_dim;
    shape.group = group;
    shape.kv_heads = static_cast<int32_t>(1 + random.below(2));
    shape.dtype = static_cast<int32_t>(random.below(3) > 0);
    if (shape.dtype == CT_BF16 && shape.kv_dtype == CT_F32) shape.kv_dtype = CT_BF16;
    shape.block_size = 16 << random.below(3);
    const int32_t windows[] = {0, 1, 16, 17, 63, 64, 270};
    shape.window = windows[random.below(7)];
    shape.soft_cap = random.below(2) ? 1.5f : 0.0f;
    shape.sinks = random.below(2) == 1;
    shape.lse = random.below(2) == 1;
    shape.tree = random.below(3) == 0;
    shape.balanced = static_cast<int32_t>(random.below(2));
    shape.tells_max_q_len = random.below(2) == 1;
    shape.block_padding = 8 * random.below(3);  // of 8-bit pages: not a multiple of 16 bytes
    return shape;
}

void matches_plain_loops_in_every_shape(Device& device) {
    Random random(1);
    for (int32_t head_dim : {16, 48, 64, 80, 96, 128, 192, 256}) {
        for (int32_t group : {1, 3, 4, 7, 8, 16}) {
            if (reduced() && (head_dim + group) % 3 != 0) continue;
            const Shape shape = random_shape(random, head_dim, group);
            run_and_check(device, shape, random_sequences(random, shape, reduced() ? 100 : 400), random.engine());
        }
    }
}

void matches_plain_loops_with_latent_attention(Device& device) {
    Random random(2);
    for (int32_t turn = 0; turn < (reduced() ? 2 : 8); ++turn) {
        Shape shape = random_shape(random, 576, turn % 2 ? 16 : 3);
        shape.kv_heads = 1;
        shape.values_in_keys = turn % 4 != 3;
        if (shape.values_in_keys) shape.v_scale = shape.k_scale;
        run_and_check(device, shape, random_sequences(random, shape, 300), random.engine());
    }
    for (const auto& [key, value] : {std::pair{48, 32}, std::pair{272, 240}, std::pair{80, 16}}) {
        if (reduced() && key != 48) continue;
        Shape shape = random_shape(random, key, 5);
        shape.head_dim_v = value;
        shape.values_in_keys = true;
        shape.v_scale = shape.k_scale;
        run_and_check(device, shape, random_sequences(random, shape, 300), random.engine());
    }
}

void matches_plain_loops_in_long_prompts(Device& device) {
    struct Case {
        int32_t head_dim, group, kv_dtype, q_len, kv_len, window;
    };
    const std::vector<Case> cases{
        {128, 4, CT_BF16, 130, 130, 0},      {64, 1, CT_F16, 300, 300, 0},    {96, 3, CT_BF16, 70, 400, 0},
        {192, 2, CT_BF16, 90, 333, 0},       {256, 1, CT_BF16, 100, 257, 0},  {128, 2, CT_F8_E4M3, 129, 513, 0},
        {64, 7, CT_BF16, 40, 700, 90},       {128, 1, CT_BF16, 200, 300, 64}, {64, 2, CT_F8_E4M3, 65, 129, 63},
        {128, 16, CT_BF16, 17, 290, 100000},
    };
    for (const Case& c : cases) {
        if (reduced() && c.q_len > 70) continue;
        Shape shape = with_kv_dtype({}, c.kv_dtype);
        shape.head_dim = c.head_dim;
        shape.group = c.group;
        shape.kv_heads = 1;
        shape.dtype = CT_BF16;
        shape.window = c.window;
        shape.block_padding = 16;
        shape.lse = true;
        shape.sinks = c.group == 4;
        shape.soft_cap = c.group == 3 ? 2.0f : 0.0f;
        shape.balanced = c.group == 2;
        for (int32_t block_size : {16, 32, 64}) {
            shape.block_size = block_size;
            run_and_check(device, shape, {{1, 30, 5}, {c.q_len, c.kv_len, 6}, {3, 9, 7}});
            if (reduced()) break;
        }
    }
}

// What the tensor cores do not take, by rows that begin anywhere or by a scale that does not grow with the product.
void strides_and_scales_may_be_any(Device& device) {
    const std::vector<Seq> seqs{{1, 70, 1}, {9, 40, 2}, {20, 20, 3}};
    for (int32_t kv_dtype : {CT_BF16, CT_F8_E4M3}) {
        Shape shape = with_kv_dtype({}, kv_dtype);
        shape.dtype = CT_BF16;
        shape.lse = shape.sinks = true;
        shape.block_padding = 16;
        for (int64_t padding : {0, 1, 2, 4}) {
            shape.row_padding = padding;
            run_and_check(device, shape, seqs);
        }
        for (float times : {-1.0f, 0.0f, 1e-31f, 3.0f}) {
            shape.scale_times = times;
            run_and_check(device, shape, seqs);
        }
    }
}

// The plan takes 512 sequences at a time and carries over what they amount to.
void a_plan_may_have_any_number_of_sequences(Device& device) {
    std::vector<int32_t> counts{600};
    if (!reduced()) counts = {511, 512, 513, 1100};
    for (int32_t count : counts) {
        std::vector<Seq> seqs;
        for (int32_t s = 0; s < count; ++s) {
            const int32_t kv_len = s % 13 == 7 ? 0 : 1 + s * 31 % 40;
            const int32_t q_len = s % 17 == 3 ? 0 : s % 97 == 5 ? 19 : 1 + s % 3;
            seqs.push_back({kv_len == 0 ? q_len : std::min(q_len, kv_len), kv_len, static_cast<uint64_t>(s)});
        }
        Shape shape;
        shape.dtype = shape.kv_dtype = CT_BF16;
        shape.kv_heads = shape.group = 1;
        shape.lse = true;
        shape.balanced = count % 2;
        run_and_check(device, shape, seqs);
    }
}

// A window that begins at, one before and one behind each edge of a tile, a split and a page.
void windows_begin_where_they_should(Device& device) {
    for (int32_t dtype : kDtypes) {
        for (int32_t window : {1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 300}) {
            if (reduced() && window % 16 != 1) continue;
            // 32: not for tensor cores; 192: tiles of 32 keys.
            std::vector<int32_t> dims{dtype == CT_F32 ? 32 : 64};
            if (dtype != CT_F32 && !reduced()) dims = {32, 64, 192};
            for (int32_t head_dim : dims) {
                Shape shape;
                shape.dtype = dtype;
                shape.kv_dtype = dtype;
                shape.head_dim = head_dim;
                shape.kv_heads = 1;
                shape.window = window;
                run_and_check(device, shape,
                              {{1, 320, 1}, {9, 321, 2}, {5, 64, 3}, {3, 65, 4}, {20, 20, 5}, {1, 257, 6}});
            }
        }
    }
}

// ---- what must not matter ------------------------------------------------------------------------------------------

// Every kernel of the choice: tensor-core decode, prefill and latent, plain float32.
std::vector<Shape> some_shapes() {
    std::vector<Shape> shapes(4);
    shapes[1].dtype = shapes[1].kv_dtype = CT_BF16;
    shapes[1].group = 4;
    shapes[1].sinks = shapes[1].lse = true;
    shapes[2] = with_kv_dtype(shapes[2], CT_F8_E4M3);
    shapes[2].dtype = CT_BF16;
    shapes[2].head_dim = 128;
    shapes[2].block_padding = 16;
    shapes[2].kv_heads = 1;
    shapes[3].dtype = shapes[3].kv_dtype = CT_BF16;
    shapes[3].head_dim = 192;
    shapes[3].kv_heads = 1;
    shapes[3].lse = true;
    return shapes;
}

// A page's tail holds NaN of other requests: bits are those over a page of zeros.
void stale_nan_in_unwritten_tails_is_never_seen(Device& device) {
    std::vector<Seq> seqs;
    for (int32_t length : {1, 2, 15, 17, 31, 33, 47, 63, 65, 100}) {
        seqs.push_back({std::min(length, 1 + length % 3 * 8), length, static_cast<uint64_t>(length)});
    }
    for (const Shape& shape : some_shapes()) {
        const Trying trying("stale " + shape.text());
        Batch dirty(device, shape, seqs), clean(device, shape, seqs);
        for (Tensor* cache : {&clean.k_cache, &clean.v_cache}) {
            for (int64_t i = 0; i < cache->bytes.size / ct::dtype_bytes(cache->dtype); ++i) {
                if (std::isnan(cache->get(i))) cache->set(i, 0);
            }
        }
        dirty.run(device);
        clean.run(device);
        for (size_t s = 0; s < seqs.size(); ++s) {
            const std::vector<float> rows = dirty.rows(s);
            CHECK(rows == clean.rows(s));
            for (float x : rows) CHECK(!std::isnan(x));
        }
    }
}

// In strict float32 the NaN of a token is seen by the rows that see the token, and by no other.
void a_hidden_token_does_not_matter(Device& device) {
    Shape shape;
    shape.window = 20;
    const Trying trying("hidden token");
    Batch batch(device, shape, {{30, 60, 1}});
    batch.run(device);
    const std::vector<float> clean = batch.rows(0);
    const int64_t at = batch.value_at(batch.table.at[2], 45, 0);
    for (int64_t d = 0; d < shape.head_dim; ++d) batch.v_cache.set(at + d, kNan), batch.k_cache.set(at + d, kNan);
    batch.run(device);
    const std::vector<float> dirty = batch.rows(0);
    for (size_t i = 0; i < clean.size(); ++i) {
        const int64_t position = 30 + static_cast<int64_t>(i) / batch.row();
        const bool sees_it =
            position >= 45 && position < 65 && static_cast<int64_t>(i) % batch.row() < 2 * shape.head_dim;
        CHECK(sees_it ? std::isnan(dirty[i]) : dirty[i] == clean[i]);
    }
}

void a_branch_of_the_tree_does_not_matter_to_others(Device& device) {
    Shape shape;
    shape.tree = true;
    const Trying trying("hidden branch");
    const Seq seq{40, 70, 1};
    Batch batch(device, shape, {seq});
    batch.run(device);
    const std::vector<float> clean = batch.rows(0);
    const int64_t hidden = 45, at = batch.value_at(batch.table.at[2], hidden, 1);
    for (int64_t d = 0; d < shape.head_dim; ++d) batch.v_cache.set(at + d, kNan), batch.k_cache.set(at + d, kNan);
    batch.run(device);
    const std::vector<float> dirty = batch.rows(0);
    for (size_t i = 0; i < clean.size(); ++i) {
        const auto row = static_cast<int64_t>(i) / batch.row();
        const bool sees_it =
            sees(shape, seq, row, hidden) && static_cast<int64_t>(i) % batch.row() >= 2 * shape.head_dim;
        CHECK(sees_it ? std::isnan(dirty[i]) : dirty[i] == clean[i]);
    }
}

void rows_that_see_nothing_are_zeros(Device& device) {
    for (Shape shape : some_shapes()) {
        for (bool sinks : {false, true}) {
            shape.sinks = sinks;
            shape.lse = true;
            const Trying trying("nothing to see " + shape.text());
            // Dead rows of a padded batch: length 0; their table names a valid page.
            Batch batch(device, shape, {{1, 0, 1}, {3, 0, 2}, {1, 20, 3}, {40, 0, 4}, {0, 0, 5}, {1, 0, 6}});
            for (int64_t i = 0; i < batch.table.size; ++i) {
                if (batch.table.at[i] < 0 || batch.table.at[i] >= batch.params.num_blocks) batch.table.at[i] = 0;
            }
            batch.run(device);
            check_against_simple(batch);
            // Rows behind the last sequence belong to none.
            const int32_t end = batch.cu.at[6];
            for (int s = 3; s <= 6; ++s) batch.cu.at[s] = batch.cu.at[2] + 1;
            batch.run(device);
            for (int64_t i = batch.cu.at[6]; i < end; ++i) {
                for (int64_t c = 0; c < batch.row(); ++c) CHECK(batch.out.get(i * batch.params.out_stride + c) == 0);
                for (int64_t h = 0; h < shape.q_heads(); ++h) {
                    CHECK(batch.lse.at[i * shape.q_heads() + h] == -std::numeric_limits<float>::infinity());
                }
            }
        }
    }
}

// A tree row with no bits and a window that ends before it sees nothing.
void trees_hide_what_they_should(Device& device) {
    for (Shape shape : some_shapes()) {
        for (int32_t window : {0, 1, 3, 20}) {
            for (bool sinks : {false, true}) {
                shape.tree = shape.lse = true;
                shape.window = window;
                shape.sinks = sinks;
                run_and_check(device, shape,
                              {{64, 64, 1}, {7, 300, 2}, {1, 5, 3}, {33, 90, 4}, {65, 70, 5}, {64, 66, 6}});
                if (reduced()) break;
            }
        }
        if (reduced()) return;
    }
}

// One row to 64, in the kernels for few rows and for more.
void trees_may_have_any_number_of_rows(Device& device) {
    for (int32_t group : {1, 4}) {
        Shape shape;
        shape.dtype = shape.kv_dtype = CT_BF16;
        shape.kv_heads = 1;
        shape.group = group;
        shape.tree = shape.lse = true;
        std::vector<Seq> seqs;
        for (int32_t rows = 1; rows <= CT_MAX_TREE_ROWS; rows += reduced() ? 7 : 1) {
            seqs.push_back({rows, rows + rows * 29 % 70, static_cast<uint64_t>(rows)});
        }
        run_and_check(device, shape, seqs);
    }
}

// Scores of -inf weigh nothing; a row of nothing else is zeros, not NaN.
void scores_of_minus_infinity_weigh_nothing(Device& device) {
    for (const Shape& shape : some_shapes()) {
        if (shape.kv_dtype == CT_F8_E4M3) continue;  // has no values so large
        const Trying trying("-inf " + shape.text());
        Batch batch(device, shape, {{1, 40, 1}, {1, 300, 2}});
        for (int64_t c = 0; c < batch.q_row(); ++c) batch.q.set(c, c % shape.head_dim == 0 ? -3e38f : 0.0f);
        for (int64_t t = 0; t < 40; ++t) {
            for (int64_t h = 0; h < shape.kv_heads; ++h) {
                batch.k_cache.set(batch.key_at(batch.table.at[t / shape.block_size], t, h), 3e38f);
            }
        }
        batch.run(device);
        const std::vector<float> rows = batch.rows(0);
        for (int64_t c = 0; c < batch.row(); ++c) CHECK(rows[static_cast<size_t>(c)] == 0);
        check_row(batch, batch.rows(1), batch.seqs[1], 0, 0);
        // One finite score among them takes it all.
        const int64_t t = 21;
        for (int64_t h = 0; h < shape.kv_heads; ++h) {
            batch.k_cache.set(batch.key_at(batch.table.at[t / shape.block_size], t, h), 0.0f);
        }
        batch.shape.sinks = false;
        batch.run(device);
        const std::vector<float> one = batch.rows(0);
        for (int64_t c = 0; c < batch.row(); ++c) {
            const int64_t head = c / shape.head_dim / shape.group;
            const double wanted = value_number(shape, 1, t, head, c % shape.head_dim);
            CHECK_CLOSE(static_cast<double>(one[static_cast<size_t>(c)]), wanted, value_tolerance(shape, wanted));
        }
    }
}

// 8-bit pages hold +-448 where something saturated: numbers like others. Their NaN is a NaN.
void saturated_bytes_are_numbers(Device& device) {
    Shape shape = with_kv_dtype({}, CT_F8_E4M3);
    shape.dtype = CT_BF16;
    shape.head_dim = 128;
    shape.kv_heads = 1;
    shape.block_padding = 16;
    for (bool strict : {true, false}) {
        shape.dtype = strict ? CT_F32 : CT_BF16;
        const Trying trying("saturated " + shape.text());
        Batch batch(device, shape, {{1, 1, 1}, {1, 1, 2}});
        for (size_t s = 0; s < 2; ++s) {
            const int64_t at = batch.value_at(batch.table.at[static_cast<int64_t>(s) * batch.params.max_blocks], 0, 0);
            for (int64_t d = 0; d < shape.head_dim; ++d) {
                batch.k_cache.set(at + d, 1e9f);
                batch.v_cache.set(at + d, s == 1 ? kNan : d % 2 ? -1e9f : 448.0f);
            }
        }
        batch.run(device);
        const std::vector<float> numbers = batch.rows(0);
        for (size_t i = 0; i < numbers.size(); ++i) CHECK(numbers[i] == (i % 2 ? -112.0f : 112.0f));
        for (float x : batch.rows(1)) CHECK(std::isnan(x));
    }
}

// Elements behind 2^31 of a cache that all layers share.
void tensors_may_be_longer_than_two_to_the_31(Device& device) {
    if (reduced()) return;  // takes address space that the sanitizers' own books would fill
    for (int32_t dtype : kDtypes) {
        Shape shape = with_kv_dtype({}, CT_F8_E4M3);
        shape.dtype = dtype;
        shape.head_dim = 128;
        shape.kv_heads = 1;
        shape.block_padding = int64_t{400} << 20;
        run_and_check(device, shape, {{1, 40, 1}, {2, 17, 2}, {40, 47, 3}});
    }
}

// ---- callers that lie ----------------------------------------------------------------------------------------------

void contradictory_data_spoil_their_own_sequence_only(Device& device) {
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
    // Row offsets: whatever they say, nothing outside out is written and no row has two owners.
    const std::vector<std::vector<int32_t>> offsets{{0, 3, 2, 9},          {0, 3, INT32_MAX, 9}, {0, -5, 8, 9},
                                                    {2, 3, 8, 9},          {0, 3, 8, INT32_MIN}, {0, 9, 9, 9},
                                                    {INT32_MIN, -1, 8, 9}, {9, 8, 3, 0},         {0, 3, 8, 7}};
    for (Shape shape : some_shapes()) {
        for (int32_t rows : {5, 21}) {
            const std::vector<Seq> seqs{{3, 40, 1}, {rows, 300, 2}, {1, 17, 3}};
            Batch clean(device, shape, seqs);
            clean.run(device);
            for (size_t i = 0; i < spoils.size(); ++i) {
                const Trying trying("spoil " + std::to_string(i) + " " + shape.text());
                Batch batch(device, shape, seqs);
                spoils[i](batch);
                batch.run(device);
                for (float x : batch.rows(1)) CHECK(std::isnan(x));
                CHECK(batch.rows(0) == clean.rows(0));
                CHECK(batch.rows(2) == clean.rows(2));
                CHECK(batch.padding_is_untouched());
                if (reduced()) break;
            }
            for (const auto& cu : offsets) {
                const Trying trying("offsets " + std::to_string(cu[1]) + " " + std::to_string(cu[2]) + " " +
                                    shape.text());
                if (rows != 5) break;
                Batch batch(device, shape, seqs);
                std::copy(cu.begin(), cu.end(), batch.cu.at);
                batch.run(device);
                CHECK(batch.padding_is_untouched());
                for (int64_t i = 0; i < batch.params.num_tokens;
                     ++i) {  // poison that stayed would be a row without owner
                    uint32_t bits = 0;
                    std::memcpy(&bits, batch.out.bytes.at + i * batch.params.out_stride * ct::dtype_bytes(shape.dtype),
                                2);
                    CHECK(bits != 0xffff);
                }
                std::copy(clean.cu.at, clean.cu.at + 4, batch.cu.at);
                if (cu[0] == 0 && cu[1] == 3) CHECK(batch.rows(0) == clean.rows(0));
            }
        }
    }
}

// ---- determinism ---------------------------------------------------------------------------------------------------

// The rows of a sequence computed whole are those of any chunks, neighbours, tables and orders of sequences.
void rows_do_not_depend_on_the_batch(Device& device) {
    const int32_t length = reduced() ? 90 : 330;
    std::vector<Shape> shapes = some_shapes();
    shapes[0].soft_cap = 2.0f;
    shapes[2].window = 70;
    shapes[3].block_size = 32;
    if (reduced()) shapes.resize(2);
    for (const Shape& shape : shapes) {
        const Trying trying("chunks " + shape.text());
        Batch whole(device, shape, {{length, length, 5}});
        whole.run(device);
        const std::vector<float> expected = whole.rows(0);
        int32_t turn = 0;
        for (int32_t chunk : {1, 3, 5, 16, 100}) {
            for (int32_t end = chunk; end <= length; end += chunk < 16 ? 53 : chunk) {
                const Seq asked{chunk, end, 5}, neighbour{1 + turn % 5, 20 + turn % 300, 99};
                std::vector<Seq> seqs{asked};
                if (turn % 2) seqs = {neighbour, asked, {turn % 3, 100, 98}};
                if (turn % 4 == 3) std::swap(seqs[0], seqs[1]);
                Batch batch(device, shape, seqs, static_cast<uint64_t>(turn));
                batch.run(device);
                const std::vector<float> actual = batch.rows(turn % 4 == 1 ? 1 : 0);
                const auto first = static_cast<size_t>((end - chunk) * whole.result_row());
                const Trying trying_chunk("chunk of " + std::to_string(chunk) + " to " + std::to_string(end));
                CHECK(std::memcmp(actual.data(), expected.data() + first, actual.size() * sizeof(float)) == 0);
                ++turn;
            }
        }
    }
}

// ---- decode on tensor cores ----------------------------------------------------------------------------------------

constexpr int32_t kTensorCoreKvDtypes[] = {CT_BF16, CT_F16, CT_F8_E4M3};

Shape decode_shape(int32_t head_dim, int32_t kv_dtype, int32_t group) {
    Shape shape = with_kv_dtype({}, kv_dtype);
    shape.head_dim = head_dim;
    shape.group = group;
    shape.kv_heads = 1;
    shape.dtype = CT_BF16;
    shape.block_padding = 16;
    shape.lse = true;
    shape.tells_max_q_len = true;
    return shape;
}

void decode_matches_plain_loops(Device& device) {
    Random random(3);
    int32_t turn = 0;
    for (int32_t head_dim : {64, 96, 128, 192, 256}) {
        for (int32_t kv_dtype : kTensorCoreKvDtypes) {
            for (int32_t group : {1, 3, 4, 7, 8, 16}) {
                ++turn;
                if (reduced() && turn % 13 != 0) continue;
                Shape shape = decode_shape(head_dim, kv_dtype, group);
                shape.kv_heads = static_cast<int32_t>(1 + random.below(2));
                shape.block_size = 16 << random.below(3);
                const int32_t windows[] = {0, 0, 1, 31, 64, 257};
                shape.window = windows[random.below(6)];
                shape.soft_cap = random.below(3) == 0 ? 1.5f : 0.0f;
                shape.sinks = random.below(2) == 1;
                shape.tree = random.below(3) == 0;
                shape.balanced = static_cast<int32_t>(random.below(2));
                const int32_t edges[] = {16, 32, 64, 256, 512};
                std::vector<Seq> seqs{{1, 0, 1}, {0, 9, 2}};
                for (uint64_t s = 0; s < 4; ++s) {
                    const auto kv = static_cast<int32_t>(edges[random.below(s == 0 ? 5 : 3)] + random.below(3) - 1);
                    const auto q_len = static_cast<int32_t>(1 + random.below(16 / group));
                    seqs.push_back({std::min(q_len, kv), kv, s + 10});
                }
                run_and_check(device, shape, seqs, random.engine());
            }
        }
    }
}

// Sequences of several row tiles (17 to 64 packed rows): few of them are decoded, many prefilled, with the same bits.
void decode_takes_more_rows_of_few_sequences(Device& device) {
    int32_t turn = 0;
    for (int32_t head_dim : {64, 128, 192, 256}) {
        for (int32_t kv_dtype : kTensorCoreKvDtypes) {
            for (int32_t balanced : {0, 1}) {
                if (reduced() && turn++ % 7 != 0) continue;
                Shape shape = decode_shape(head_dim, kv_dtype, 4);
                shape.balanced = balanced;
                shape.spare_blocks = 400;  // room for the partial results of each row tile
                shape.tree = kv_dtype == CT_F16;
                shape.window = kv_dtype == CT_F8_E4M3 ? 300 : 0;
                shape.sinks = head_dim == 64;
                for (int32_t q_len : {5, 11, 16}) {
                    const Seq asked{q_len, 700 + q_len * 20, static_cast<uint64_t>(q_len)};
                    run_and_check(device, shape, {asked});
                    run_and_check(device, shape, {{1, 900, 1}, {0, 5, 2}, asked, {3, 0, 3}, {2, 40, 4}});
                    if (balanced) continue;
                    Batch alone(device, shape, {asked});
                    alone.run(device);
                    std::vector<Seq> many(10, {6, 30, 9});
                    many[4] = asked;
                    Batch crowd(device, shape, many);
                    crowd.run(device);
                    const std::vector<float> a = alone.rows(0), b = crowd.rows(4);
                    CHECK(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
                }
            }
        }
    }
}

// One long request among short ones: its keys are shared out among all workers.
void decode_shares_out_a_long_request(Device& device) {
    for (int32_t balanced : {0, 1}) {
        for (int32_t window : {0, 700}) {
            for (int32_t kv_dtype : kTensorCoreKvDtypes) {
                Shape shape = decode_shape(64, kv_dtype, 4);
                shape.balanced = balanced;
                shape.window = window;
                shape.kv_heads = 2;
                shape.sinks = kv_dtype == CT_BF16;
                run_and_check(device, shape, {{1, 30, 1}, {3, 3000, 2}, {1, 65, 3}, {2, 257, 4}, {1, 1, 5}});
                if (reduced()) break;
            }
        }
    }
}

// The rows of a sequence with whatever neighbours, tables and shares are those of the sequence alone.
void decoded_rows_do_not_depend_on_the_batch(Device& device) {
    for (int32_t head_dim : {64, 128, 256}) {
        for (int32_t kv_dtype : kTensorCoreKvDtypes) {
            Shape shape = decode_shape(head_dim, kv_dtype, 4);
            shape.kv_heads = head_dim == 64 ? 2 : 1;
            shape.window = kv_dtype == CT_F16 ? 600 : 0;
            const Seq asked{2, 1300, 5};
            Batch alone(device, shape, {asked});
            alone.run(device);
            const std::vector<float> expected = alone.rows(0);
            for (uint64_t others : {1u, 2u, 5u, 13u}) {
                const Trying trying("with " + std::to_string(others) + " others " + shape.text());
                std::vector<Seq> seqs;
                for (uint64_t s = 0; s < others; ++s) {
                    seqs.push_back({static_cast<int32_t>(s % 4), static_cast<int32_t>(20 + s * 97 % 500), 50 + s});
                }
                const size_t at = others / 2;
                seqs.insert(seqs.begin() + static_cast<std::ptrdiff_t>(at), asked);
                Batch batch(device, shape, seqs, others);
                batch.run(device);
                const std::vector<float> actual = batch.rows(at);
                CHECK(std::memcmp(actual.data(), expected.data(), actual.size() * sizeof(float)) == 0);
                if (reduced()) return;
            }
        }
    }
}

// Many sequences that share blocks have more splits than the plan has room for: bits are the same.
void decoded_rows_do_not_depend_on_shared_blocks(Device& device) {
    const Shape shape = decode_shape(64, CT_BF16, 4);
    const Trying trying("shared blocks");
    const Seq asked{1, reduced() ? 300 : 900, 5};
    Batch alone(device, shape, {asked});
    alone.run(device);
    Batch batch(device, shape, std::vector<Seq>(reduced() ? 20 : 40, asked));
    // The first sequence's pages move to the first blocks, where all sequences find them.
    const int64_t stride = batch.params.block_stride * ct::dtype_bytes(shape.kv_dtype);
    const int64_t blocks = Batch::blocks_of(shape, asked);
    for (Tensor* cache : {&batch.k_cache, &batch.v_cache}) {
        std::vector<unsigned char> pages;
        for (int64_t b = 0; b < blocks; ++b) {
            const unsigned char* page = cache->bytes.at + batch.table.at[b] * stride;
            pages.insert(pages.end(), page, page + stride);
        }
        std::copy(pages.begin(), pages.end(), cache->bytes.at);
    }
    for (int64_t s = 0; s < batch.params.num_seqs; ++s) {
        for (int64_t b = 0; b < blocks; ++b) {
            batch.table.at[s * batch.params.max_blocks + b] = static_cast<int32_t>(b);
        }
    }
    batch.params.num_blocks = blocks;
    batch.run(device);
    for (size_t s = 0; s < batch.seqs.size(); ++s) CHECK(batch.rows(s) == alone.rows(0));
}

// Layers share a plan and differ in their window: each finds the plan as the one before it did.
void layers_share_a_plan(Device& device) {
    for (int32_t balanced : {0, 1}) {
        Shape shape = decode_shape(64, CT_BF16, 2);
        shape.balanced = balanced;
        shape.window = 300;
        const std::vector<Seq> seqs{{1, 1100, 1}, {4, 600, 2}, {1, 20, 3}};
        Batch planned(device, shape, seqs);
        CHECK_OK(planned.make_plan(device));
        for (int32_t window : {300, 0, 300, 500, 70, 0}) {
            const Trying trying("layer with window " + std::to_string(window));
            Shape layer = shape;
            layer.window = window;
            Batch batch(device, layer, seqs);
            std::swap(batch.plan, planned.plan);
            batch.out.bytes.poison();
            CHECK_OK(batch.call(device));
            CHECK_OK(ct_stream_synchronize(device.stream));
            std::swap(batch.plan, planned.plan);
            check_against_simple(batch);
        }
    }
}

// ---- prefill on tensor cores ---------------------------------------------------------------------------------------

// A row is the same whether it is decoded or prefilled, over several splits and whatever begins and ends within a tile.
void prefilled_rows_are_decoded_rows(Device& device) {
    int32_t turn = 0;
    for (int32_t head_dim : {64, 96, 128, 192, 256}) {
        for (int32_t kv_dtype : kTensorCoreKvDtypes) {
            if (reduced() && ++turn % 5 != 1) continue;
            Shape shape = decode_shape(head_dim, kv_dtype, 2);
            shape.block_size = head_dim == 64 ? 64 : 16;
            shape.window = kv_dtype == CT_F16 ? 300 : 0;
            shape.soft_cap = kv_dtype == CT_F8_E4M3 ? 2.0f : 0.0f;
            shape.sinks = head_dim == 96;
            const Trying trying("prefill and decode " + shape.text());
            constexpr int32_t kRows = 70, kLength = 805;
            Batch prefill(device, shape, {{kRows, kLength, 5}, {9, 9, 6}});
            prefill.run(device);
            const std::vector<float> expected = prefill.rows(0);
            for (int32_t end : {kLength - kRows + 3, 769, kLength}) {
                for (int32_t q_len : {1, 3, 8}) {
                    if (end - q_len < kLength - kRows) continue;
                    Batch decode(device, shape, {{q_len, end, 5}});
                    decode.run(device);
                    const std::vector<float> actual = decode.rows(0);
                    const auto first = static_cast<size_t>((end - q_len - kLength + kRows) * decode.result_row());
                    CHECK(std::memcmp(actual.data(), expected.data() + first, actual.size() * sizeof(float)) == 0);
                }
            }
        }
    }
}

// Work of both kernels in one call, known lengths or not, with and without equal shares.
void prefill_and_decode_share_a_call(Device& device) {
    for (int32_t turn = 0; turn < 8; ++turn) {
        Shape shape = decode_shape(turn % 2 ? 64 : 256, kTensorCoreKvDtypes[turn % 3], turn % 4 < 2 ? 3 : 8);
        shape.tells_max_q_len = turn % 3 == 0;
        shape.balanced = turn / 4;
        shape.tree = turn == 5;
        shape.kv_heads = 1 + turn % 2;
        run_and_check(
            device, shape,
            {{1, 270, 1}, {5, 65, 2}, {0, 30, 3}, {6, 6, 4}, {30, 0, 5}, {22, 300, 6}, {1, 1, 7}, {64, 64, 8}});
        if (reduced() && turn == 1) return;
    }
}

// What lies in a page's tail, beyond a window or in a block that does not exist never reaches another row.
void decode_reads_what_is_seen_only(Device& device) {
    std::vector<Seq> seqs;
    for (int32_t length : {1, 15, 17, 33, 63, 65, 100, 257}) {
        seqs.push_back({1 + length % 2, length, static_cast<uint64_t>(length)});
    }
    seqs[0].q_len = 1;
    for (int32_t kv_dtype : kTensorCoreKvDtypes) {
        for (int32_t window : {0, 20}) {
            Shape shape = decode_shape(kv_dtype == CT_F16 ? 192 : 64, kv_dtype, 4);
            shape.window = window;
            const Trying trying("decode, stale " + shape.text());
            Batch dirty(device, shape, seqs), clean(device, shape, seqs);
            for (Tensor* cache : {&clean.k_cache, &clean.v_cache}) {
                for (int64_t i = 0; i < cache->bytes.size / ct::dtype_bytes(cache->dtype); ++i) {
                    if (std::isnan(cache->get(i))) cache->set(i, 0);
                }
            }
            dirty.run(device);
            clean.run(device);
            for (size_t s = 0; s < seqs.size(); ++s) {
                const std::vector<float> rows = dirty.rows(s);
                CHECK(rows == clean.rows(s));
                for (float x : rows) CHECK(!std::isnan(x));
            }
            if (reduced()) return;
        }
    }
}

void decode_of_contradictory_data_spoils_its_own_sequence_only(Device& device) {
    using Spoil = std::function<void(Batch&)>;
    const std::vector<Spoil> spoils{
        [](Batch& b) { b.table.at[b.params.max_blocks + 3] = -1; },
        [](Batch& b) { b.table.at[b.params.max_blocks + 50] = static_cast<int32_t>(b.params.num_blocks); },
        [](Batch& b) { b.table.at[b.params.max_blocks] = INT32_MIN; },
        [](Batch& b) { b.lens.at[1] = 2; },
        [](Batch& b) { b.lens.at[1] = -1; },
        [](Batch& b) { b.lens.at[1] = INT32_MAX; },
        [](Batch& b) { b.lens.at[1] = static_cast<int32_t>(b.params.max_blocks * 16 + 1); },
        [](Batch& b) { b.params.max_q_len = 2; },  // sequence 1 has 3 rows
    };
    const std::vector<std::vector<int32_t>> offsets{{0, 2, 1, 6},          {0, 2, INT32_MAX, 6}, {0, -5, 5, 6},
                                                    {2, 2, 5, 6},          {0, 2, 5, INT32_MIN}, {0, 6, 6, 6},
                                                    {INT32_MIN, -1, 5, 6}, {6, 5, 2, 0},         {0, 2, 5, 3}};
    for (int32_t balanced : {0, 1}) {
        Shape shape = decode_shape(64, CT_BF16, 4);
        shape.balanced = balanced;
        const std::vector<Seq> seqs{{2, 40, 1}, {3, 900, 2}, {1, 17, 3}};
        Batch clean(device, shape, seqs);
        clean.run(device);
        for (size_t i = 0; i < spoils.size(); ++i) {
            const Trying trying("decode, spoil " + std::to_string(i) + " balanced " + std::to_string(balanced));
            Batch batch(device, shape, seqs);
            spoils[i](batch);
            batch.run(device);
            for (float x : batch.rows(1)) CHECK(std::isnan(x));
            CHECK(batch.rows(0) == clean.rows(0));
            CHECK(batch.rows(2) == clean.rows(2));
            CHECK(batch.padding_is_untouched());
        }
        for (const auto& cu : offsets) {
            const Trying trying("decode, offsets " + std::to_string(cu[1]) + " " + std::to_string(cu[2]));
            Batch batch(device, shape, seqs);
            std::copy(cu.begin(), cu.end(), batch.cu.at);
            batch.run(device);
            CHECK(batch.padding_is_untouched());
            for (int64_t i = 0; i < batch.params.num_tokens; ++i) {  // poison that stayed: a row without owner
                uint16_t bits = 0;
                std::memcpy(&bits, batch.out.bytes.at + i * batch.params.out_stride * 2, 2);
                CHECK(bits != 0xffff);
            }
            std::copy(clean.cu.at, clean.cu.at + 4, batch.cu.at);
            if (cu[0] == 0 && cu[1] == 2) CHECK(batch.rows(0) == clean.rows(0));
        }
    }
}

void decoded_rows_that_see_nothing_are_zeros(Device& device) {
    for (bool sinks : {false, true}) {
        Shape shape = decode_shape(64, CT_BF16, 4);
        shape.sinks = sinks;
        const Trying trying("decode, nothing to see");
        Batch batch(device, shape, {{1, 0, 1}, {3, 0, 2}, {1, 20, 3}, {4, 0, 4}, {0, 0, 5}, {1, 0, 6}});
        batch.run(device);
        check_against_simple(batch);
        for (int s = 4; s <= 6; ++s) batch.cu.at[s] = batch.cu.at[3];  // rows behind belong to nobody
        batch.run(device);
        for (int64_t i = batch.cu.at[3]; i < batch.params.num_tokens; ++i) {
            for (int64_t c = 0; c < batch.row(); ++c) CHECK(batch.out.get(i * batch.params.out_stride + c) == 0);
            for (int64_t h = 0; h < shape.q_heads(); ++h) {
                CHECK(batch.lse.at[i * shape.q_heads() + h] == -std::numeric_limits<float>::infinity());
            }
        }
    }
}

// Scores of -inf weigh nothing; a tree row without bits, behind its window, sees nothing; blocks lie beyond 2^31.
void decode_meets_the_other_traps(Device& device) {
    Shape shape = decode_shape(64, CT_BF16, 4);
    {
        const Trying trying("decode, -inf");
        Batch batch(device, shape, {{1, 40, 1}, {1, 300, 2}});
        for (int64_t c = 0; c < batch.q_row(); ++c) batch.q.set(c, c % shape.head_dim == 0 ? -3e38f : 0.0f);
        for (int64_t t = 0; t < 40; ++t) {
            batch.k_cache.set(batch.key_at(batch.table.at[t / shape.block_size], t, 0), 3e38f);
        }
        batch.run(device);
        const std::vector<float> rows = batch.rows(0);
        for (int64_t c = 0; c < batch.row(); ++c) CHECK(rows[static_cast<size_t>(c)] == 0);
        check_row(batch, batch.rows(1), batch.seqs[1], 0, 0);
    }
    shape.tree = true;
    for (int32_t window : {0, 1, 3, 20}) {
        shape.window = window;
        run_and_check(device, shape, {{4, 64, 1}, {3, 300, 2}, {1, 5, 3}, {4, 4, 4}, {4, 66, 5}, {2, 257, 6}});
    }
    if (reduced()) return;  // takes address space that the sanitizers' own books would fill
    shape = decode_shape(128, CT_F8_E4M3, 8);
    shape.block_padding = int64_t{400} << 20;
    run_and_check(device, shape, {{1, 40, 1}, {2, 17, 2}, {1, 47, 3}});
}

}  // namespace

int main() {
    for_gpu_devices([](Device& device) {
        matches_plain_loops_at_every_length(device);
        matches_plain_loops_in_every_shape(device);
        matches_plain_loops_with_latent_attention(device);
        matches_plain_loops_in_long_prompts(device);
        strides_and_scales_may_be_any(device);
        a_plan_may_have_any_number_of_sequences(device);
        windows_begin_where_they_should(device);
        stale_nan_in_unwritten_tails_is_never_seen(device);
        a_hidden_token_does_not_matter(device);
        a_branch_of_the_tree_does_not_matter_to_others(device);
        rows_that_see_nothing_are_zeros(device);
        trees_hide_what_they_should(device);
        trees_may_have_any_number_of_rows(device);
        scores_of_minus_infinity_weigh_nothing(device);
        saturated_bytes_are_numbers(device);
        tensors_may_be_longer_than_two_to_the_31(device);
        contradictory_data_spoil_their_own_sequence_only(device);
        rows_do_not_depend_on_the_batch(device);
        prefilled_rows_are_decoded_rows(device);
        prefill_and_decode_share_a_call(device);
        decode_matches_plain_loops(device);
        decode_takes_more_rows_of_few_sequences(device);
        decode_shares_out_a_long_request(device);
        decoded_rows_do_not_depend_on_the_batch(device);
        decoded_rows_do_not_depend_on_shared_blocks(device);
        layers_share_a_plan(device);
        decode_reads_what_is_seen_only(device);
        decode_of_contradictory_data_spoils_its_own_sequence_only(device);
        decoded_rows_that_see_nothing_are_zeros(device);
        decode_meets_the_other_traps(device);
    });
    return finish("attention_gpu");
}
