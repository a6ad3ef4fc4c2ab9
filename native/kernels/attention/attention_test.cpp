// attention_test.cpp: ct_paged_attention against plain loops in double, bit for bit against itself in other batches,
// and against callers that lie.
#include "kernels/attention/attention_batch.h"
#include "tests/kernel_testing.h"

namespace {

using namespace testing;

void check_against_simple(const Batch& batch) {
    const Shape& shape = batch.shape;
    for (size_t s = 0; s < batch.seqs.size(); ++s) {
        const Seq& seq = batch.seqs[s];
        const std::vector<float> rows = batch.rows(s);
        for (int64_t i = 0; i < seq.q_len; ++i) {
            // All rows near the piece boundaries and the ends, some of the rest.
            if (i > 2 && i + 3 < seq.q_len && i % 29 != 0) continue;
            for (int64_t h = 0; h < shape.q_heads(); ++h) {
                if (reduced() && (i + h) % 4 != 0) continue;  // the plain loops are most of a sanitized run
                const std::vector<double> expected = simple_attention(shape, seq, i, h).out;
                double worst = 0;
                for (int64_t d = 0; d < shape.dim_v(); ++d) {
                    const double actual =
                        static_cast<double>(rows[static_cast<size_t>(i * batch.row() + h * shape.dim_v() + d)]);
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
    for (int32_t isa : tested_isas()) {
        for (int threads : {1, 2}) {
            Device device(threads, isa);
            for (int32_t types = 0; types < 8; ++types) {
                Shape shape;
                shape.dtype = types & 1;
                shape.kv_dtype = types >> 1;
                shape.window = threads == 2 && types % 4 == 3 ? 300 : 0;
                if (shape.kv_dtype == CT_F8_E4M3) {
                    shape.k_scale = 0.25f;
                    shape.v_scale = 0.011f;
                }
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
    for (int32_t isa : tested_isas()) {
        Device device(2, isa);
        for (int32_t head_dim : {16, 32, 64, 80, 96, 128, 256}) {
            for (int32_t group : {1, 2, 3, 4, 7, 8, 56}) {
                if (group == 56 && head_dim != 16) continue;  // more heads than a tile has rows
                Shape shape;
                shape.head_dim = head_dim;
                shape.group = group;
                shape.kv_heads = static_cast<int32_t>(1 + random.below(2));
                shape.dtype = static_cast<int32_t>(random.below(2));
                shape.kv_dtype = static_cast<int32_t>(random.below(4));
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

// Values that lie in their keys, and the widest head.
void matches_plain_loops_with_latent_attention() {
    struct Dims {
        int32_t key, value;
        bool values_in_keys;
    };
    Random random(2);
    for (int32_t isa : tested_isas()) {
        Device device(2, isa);
        for (const Dims& dims : {Dims{48, 32, true},
                                 {16, 16, true},
                                 {80, 16, true},
                                 {272, 240, true},
                                 {576, 512, true},
                                 {576, 512, false}}) {
            for (int32_t types = 0; types < 8; ++types) {
                Shape shape;
                shape.head_dim = dims.key;
                shape.head_dim_v = dims.value;
                shape.values_in_keys = dims.values_in_keys;
                shape.kv_heads = dims.key == 80 ? 2 : 1;
                shape.group = types % 2 ? 5 : 16;
                shape.dtype = types & 1;
                shape.kv_dtype = types >> 1;
                if (shape.kv_dtype == CT_F8_E4M3) shape.k_scale = shape.v_scale = 0.25f;
                shape.window = types == 3 ? 20 : 0;
                shape.sinks = types == 5;
                const std::vector<Seq> seqs{{1, 300, 1}, {7, 7, 2}, {2, 0, 3}, {0, 9, 4}, {5, 40, 5}, {1, 1, 6}};
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
    for (int32_t isa : tested_isas()) {
        Device one(1, isa), two(2, isa), five(5, isa);
        for (int32_t variant = 0; variant < 9; ++variant) {
            Shape shape;
            shape.kv_heads = variant == 4 || variant == 8 ? 1 : 2;
            shape.group = variant == 1 ? 3 : 4;
            shape.head_dim = variant == 2 ? 80 : 32;
            shape.dtype = variant != 1;
            shape.kv_dtype = variant == 1 || variant == 3 ? CT_F32 : variant < 5 ? CT_BF16 : CT_F8_E4M3;
            if (variant == 7) shape.kv_dtype = CT_F16;
            if (variant == 8) shape.head_dim = 48, shape.head_dim_v = 32, shape.values_in_keys = true;
            shape.window = variant == 2 || variant == 6 ? 290 : 0;
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
    for (int32_t isa : tested_isas()) {
        Device device(2, isa);
        for (int32_t kv_dtype : {CT_F32, CT_BF16, CT_F16, CT_F8_E4M3}) {
            Shape shape;
            shape.window = 20;
            shape.kv_dtype = kv_dtype;
            context = "isa " + std::to_string(isa) + " " + shape.text();
            Batch batch(device, shape, {{30, 60, 1}});
            batch.run(device);
            const std::vector<float> clean = batch.rows(0);
            // Position 45, head 0.
            const int64_t at = batch.table.at[2] * batch.params.block_stride + 13 * shape.head_dim;
            for (int64_t d = 0; d < shape.head_dim; ++d)
                batch.v_cache.set(at + d, kNan), batch.k_cache.set(at + d, kNan);
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
}

// Of a single key the value comes out as it is stored.
void every_byte_is_its_number() {
    for (int32_t isa : tested_isas()) {
        Device device(1, isa);
        Shape shape;
        shape.kv_heads = shape.group = 1;
        shape.head_dim = 256;
        shape.kv_dtype = CT_F8_E4M3;
        context = "isa " + std::to_string(isa);
        for (int32_t dtype : {CT_F32, CT_BF16}) {
            shape.dtype = dtype;
            Batch batch(device, shape, {{1, 1, 1}});
            const int64_t at = batch.table.at[0] * batch.params.block_stride;
            for (int64_t d = 0; d < 256; ++d) batch.v_cache.bytes.at[at + d] = static_cast<unsigned char>(d);
            batch.run(device);
            for (int64_t d = 0; d < 256; ++d) {
                const float stored = ct::to_float(ct::e4m3{static_cast<uint8_t>(d)}), actual = batch.out.get(d);
                CHECK(std::isnan(stored) ? std::isnan(actual) : actual == stored);
            }
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
    for (int32_t isa : tested_isas()) {
        Device device(2, isa);
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
        [](auto& p) { p.max_blocks = (int64_t{1} << 27) - 1; },
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
        [](auto& p) { p.head_dim_v = 32; },
        [](auto& p) { p.values_in_keys = 1; },  // and a v_cache
        [](auto& p) { p.values_in_keys = 2; },
        [](auto& p) { p.values_in_keys = 1, p.head_dim_v = 80; },
        [](auto& p) { p.values_in_keys = 1, p.head_dim_v = 24; },
        [](auto& p) { p.values_in_keys = 1, p.head_dim = 592; },
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
            ct_paged_attention(unless(0, good.out.bytes.buffer), nullptr, unless(1, good.q.bytes.buffer),
                               unless(2, good.k_cache.bytes.buffer), unless(3, good.v_cache.bytes.buffer),
                               unless(4, good.table.buffer), unless(5, good.cu.buffer), unless(6, good.lens.buffer),
                               nullptr, nullptr, nullptr, &good.params, missing == 7 ? nullptr : device.stream),
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
    matches_plain_loops_with_latent_attention();
    rows_do_not_depend_on_the_batch();
    does_not_touch_what_a_row_does_not_see();
    every_byte_is_its_number();
    contradictory_data_spoil_their_own_sequence_only();
    refuses_wrong_arguments();
    return finish("attention");
}
