// latent_test.cpp: ct_latent_kv_write on the CPU, and what it refuses.
#include "kernels/rope/latent_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    Array<float> q(d, 4 * 64), cache(d, 2 * 16 * 32), queries(d, 4 * 64), kv(d, 4 * 32), angles(d, 10 * 16),
        norm(d, 16);
    Array<int32_t> positions(d, 4);
    Array<int64_t> slots(d, 4);
    for (int64_t t = 0; t < 4; ++t) slots.at[t] = t;
    const ct_latent_params good{sizeof good,        4,      10,     32, 64, 64, 32, 512, 2, 16, 16, 16,
                                CT_ROPE_NEIGHBOURS, CT_F32, CT_F32, 0,  0,  0};
    const auto call = [&](const ct_latent_params* p, ct_buffer* cos_sin, ct_buffer* kv_norm) {
        return ct_latent_kv_write(q.buffer, cache.buffer, queries.buffer, kv.buffer, positions.buffer, slots.buffer,
                                  cos_sin, kv_norm, p, d.stream);
    };
    const auto refused = [&](auto change, int32_t status = CT_INVALID) {
        ct_latent_params p = good;
        change(p);
        CHECK_STATUS(call(&p, angles.buffer, norm.buffer), status);
        CHECK(ct_last_error()[0] != '\0');
    };
    CHECK_OK(call(&good, angles.buffer, norm.buffer));
    CHECK_STATUS(call(nullptr, angles.buffer, norm.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, nullptr, norm.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, angles.buffer, nullptr), CT_INVALID);
    refused([](auto& p) { p.struct_bytes = sizeof p + 8; });
    refused([](auto& p) { p.num_tokens = 5; });
    refused([](auto& p) { p.num_tokens = INT64_MAX; });
    refused([](auto& p) { p.num_positions = 11; });
    refused([](auto& p) { p.num_slots = 17; });
    refused([](auto& p) { p.num_slots = 48; });
    refused([](auto& p) { p.q_stride = 63; });
    refused([](auto& p) { p.queries_stride = 63; });
    refused([](auto& p) { p.kv_stride = 31; });
    refused([](auto& p) { p.block_stride = 511; });
    refused([](auto& p) { p.num_heads = 0; });
    refused([](auto& p) { p.num_heads = INT32_MAX; });
    refused([](auto& p) { p.nope_dim = 24; });
    refused([](auto& p) { p.nope_dim = -16; });
    refused([](auto& p) { p.latent_dim = 24; });
    refused([](auto& p) { p.latent_dim = 528; });
    refused([](auto& p) { p.rope_dim = 8; });
    refused([](auto& p) { p.rope_dim = 272; });
    refused([](auto& p) { p.style = CT_ROPE_NONE; });
    refused([](auto& p) { p.dtype = CT_F16; });
    refused([](auto& p) { p.kv_dtype = -1; });
    refused([](auto& p) { p.eps = -1; });
    refused([](auto& p) { p.k_scale = 2; });
    refused([](auto& p) { p.block_size = 32; }, CT_UNSUPPORTED);
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int32_t style : {CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            for (const LatentCase& c : {LatentCase{1, 16, 32, 16, style}, LatentCase{4, 0, 16, 48, style},
                                        LatentCase{17, 32, 80, 32, style}, LatentCase{33, 128, 512, 64, style}}) {
                latentsOfEveryCache<float>(d, c);
                latentsOfEveryCache<ct::bf16>(d, c);
            }
        }
        latentsDependOnNothingElse<float, float>(d);
        latentsDependOnNothingElse<ct::bf16, ct::e4m3>(d);
    });
    refusesWrongArguments();
    return finish("latent");
}
