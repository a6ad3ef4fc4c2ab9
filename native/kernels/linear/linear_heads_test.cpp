// linear_heads_test.cpp: ct_linear_heads on the CPU, and what it refuses.
#include "kernels/linear/linear_heads_testing.h"

namespace {

using namespace testing;

// A head's rows are ct_linear's of the head's own matrix, bit for bit.
template <typename X>
void agreesWithLinear(Device& d, int64_t rows, int32_t heads, int64_t n, int64_t k) {
    Random random(5);
    const HeadWeights<ct::bf16> w(d, random_numbers<ct::bf16>(random, heads * n * k), heads * n, k);
    const std::vector<X> x = random_numbers<X>(random, rows * heads * k);
    const std::vector<float> y = run_heads<float>(d, {rows, heads, n, k}, w.weights, x);
    for (int64_t h = 0; h < heads; ++h) {
        const auto at = w.values.begin() + h * n * k;
        const HeadWeights<ct::bf16> own(d, {at, at + n * k}, n, k);
        Array<X> x_head(d, rows * k);
        Array<float> y_head(d, rows * n);
        for (int64_t r = 0; r < rows; ++r) std::copy_n(x.data() + (r * heads + h) * k, k, x_head.at + r * k);
        CHECK_OK(
            ct_linear(y_head.buffer, x_head.buffer, own.weights, nullptr, rows, n, k, CT_F32, kDtype<X>, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        for (int64_t r = 0; r < rows; ++r) {
            CHECK(std::memcmp(y.data() + (r * heads + h) * n, y_head.at + r * n, static_cast<size_t>(n) * 4) == 0);
        }
    }
}

void refusesWrongArguments() {
    Device d, other;
    Random random(3);
    const HeadWeights<float> w(d, random_numbers<float>(random, 64 * 8), 64, 8);
    const std::vector<float> values = random_numbers<float>(random, 64 * 32);
    const HeadWeights<float> foreign(other, values, 64, 32);
    Array<float> x(d, 3 * 32), y(d, 3 * 64);
    const ct_linear_heads_params good{sizeof good, 3, 64, 32, 16, 8, 4, CT_F32, CT_F32, 0};
    const auto call = [&](const ct_linear_heads_params* p, const ct_weights* weights) {
        return ct_linear_heads(y.buffer, x.buffer, weights, p, d.stream);
    };
    const auto refused = [&](auto change) {
        ct_linear_heads_params p = good;
        change(p);
        CHECK_STATUS(call(&p, w.weights), CT_INVALID);
        CHECK(ct_last_error()[0] != '\0');
    };
    CHECK_OK(call(&good, w.weights));
    CHECK_STATUS(call(nullptr, w.weights), CT_INVALID);
    CHECK_STATUS(call(&good, nullptr), CT_INVALID);
    CHECK_STATUS(call(&good, foreign.weights), CT_INVALID);
    CHECK_STATUS(ct_linear_heads(x.buffer, x.buffer, w.weights, &good, d.stream), CT_INVALID);
    refused([](auto& p) { p.struct_bytes = sizeof p + 8; });
    refused([](auto& p) { p.rows = -1; });
    refused([](auto& p) { p.rows = 4; });
    refused([](auto& p) { p.rows = INT64_MAX; });
    refused([](auto& p) { p.y_stride = 63; });
    refused([](auto& p) { p.x_stride = 31; });
    refused([](auto& p) { p.y_head_stride = 15; });
    refused([](auto& p) { p.y_head_stride = INT64_MAX; });
    refused([](auto& p) { p.x_head_stride = 7; });
    refused([](auto& p) { p.num_heads = 0; });
    refused([](auto& p) { p.num_heads = 3; });
    refused([](auto& p) { p.num_heads = 8; });
    refused([](auto& p) { p.y_dtype = CT_F16; });
    refused([](auto& p) { p.x_dtype = 7; });
    refused([](auto& p) { p.reserved = 1; });
    ct_weights* kept = nullptr;
    const std::vector<unsigned char> blocks(16 * 34);
    const ct_weights_part part = weights_part(blocks.data(), 16, 16 * 34, CT_FORMAT_Q8_0);
    CHECK_OK(ct_weights_create(&kept, d.device, &part, 1, 32, CT_F32, CT_WEIGHTS_LINEAR));
    const ct_linear_heads_params one{sizeof one, 1, 16, 32, 16, 32, 1, CT_F32, CT_F32, 0};
    CHECK_STATUS(call(&one, kept), CT_UNSUPPORTED);
    CHECK_OK(ct_weights_destroy(kept));
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (const HeadsCase& c :
             {HeadsCase{0, 2, 16, 8}, HeadsCase{1, 1, 16, 1}, HeadsCase{3, 5, 16, 33}, HeadsCase{7, 4, 32, 16},
              HeadsCase{100, 3, 48, 31}, HeadsCase{2, 7, 80, 128}, HeadsCase{97, 2, 128, 65}}) {
            headsAsPlainLoops<float, float, ct::bf16>(d, c);
            headsAsPlainLoops<ct::bf16, ct::bf16, ct::bf16>(d, c);
            headsAsPlainLoops<float, float, float>(d, c);
            headsAsPlainLoops<float, ct::bf16, float>(d, c);
        }
        headsDependOnTheirRowAlone<float, ct::bf16, ct::bf16>(d, 100, 3, 48, 70);
        headsDependOnTheirRowAlone<float, float, ct::bf16>(d, 100, 3, 16, 2050);
        agreesWithLinear<float>(d, 5, 3, 80, 40);
        agreesWithLinear<ct::bf16>(d, 33, 5, 16, 129);
    });
    refusesWrongArguments();
    return finish("linear_heads");
}
