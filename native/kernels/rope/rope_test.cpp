// rope_test.cpp: ct_rope_kv_write on the CPU, and what it refuses.
#include "kernels/rope/rope_testing.h"

namespace {

using namespace testing;

void refusesWrongArguments() {
    Device d;
    Array<float> qkv(d, 4 * 64), q(d, 4 * 32), cache(d, 16 * 16), angles(d, 10 * 16), norm(d, 16);
    Array<int32_t> positions(d, 4);
    Array<int64_t> slots(d, 4);
    ct_rope_params good{sizeof good, 4, 10, 16, 32, 64, 256, 2, 1, 16, 16, CT_ROPE_HALVES, CT_F32, CT_F32, 0, 0, 0, 0};
    auto call = [&](const ct_rope_params* p, ct_buffer* k_norm, ct_buffer* cos_sin) {
        return ct_rope_kv_write(q.buffer, cache.buffer, cache.buffer, qkv.buffer, positions.buffer, slots.buffer,
                                cos_sin, norm.buffer, k_norm, p, d.stream);
    };
    auto refused = [&](auto change) {
        ct_rope_params p = good;
        change(p);
        CHECK_STATUS(call(&p, norm.buffer, angles.buffer), CT_INVALID);
        CHECK(ct_last_error()[0] != '\0');
    };
    CHECK_OK(call(&good, norm.buffer, angles.buffer));
    CHECK_STATUS(call(nullptr, norm.buffer, angles.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, nullptr, angles.buffer), CT_INVALID);
    CHECK_STATUS(call(&good, norm.buffer, nullptr), CT_INVALID);
    refused([](auto& p) { p.struct_bytes = sizeof p + 8; });
    refused([](auto& p) { p.struct_bytes = 8; });
    refused([](auto& p) { p.num_tokens = 5; });
    refused([](auto& p) { p.num_tokens = INT64_MAX; });
    refused([](auto& p) { p.num_positions = 11; });
    refused([](auto& p) { p.num_slots = 17; });
    refused([](auto& p) { p.num_slots = INT64_MAX - 15; });
    refused([](auto& p) { p.q_stride = 31; });
    refused([](auto& p) { p.block_stride = 255; });
    refused([](auto& p) { p.num_q_heads = INT32_MAX; });
    refused([](auto& p) { p.num_kv_heads = 0; });
    refused([](auto& p) { p.head_dim = 24; });
    refused([](auto& p) { p.head_dim = 272; });
    refused([](auto& p) { p.rotary_dim = 15; });
    refused([](auto& p) { p.rotary_dim = 18; });
    refused([](auto& p) { p.style = 3; });
    refused([](auto& p) { p.dtype = CT_F16; });
    refused([](auto& p) { p.kv_dtype = -1; });
    CHECK_OK(ct_stream_synchronize(d.stream));
}

}  // namespace

int main() {
    for_devices([](Device& d, int32_t) {
        for (int32_t style : {CT_ROPE_NONE, CT_ROPE_HALVES, CT_ROPE_NEIGHBOURS}) {
            for (int32_t dim : {16, 48, 128, 256}) {
                for (int option = 0; option < 4; ++option) {
                    RopeCase c{5, 2, dim, option & 1 ? dim : dim / 2 - 2, style, (option & 1) != 0, (option & 2) != 0};
                    ropesAsPlainLoops<float, float>(d, c);
                    ropesAsPlainLoops<float, ct::bf16>(d, c);
                    ropesAsPlainLoops<ct::bf16, float>(d, c);
                    ropesAsPlainLoops<ct::bf16, ct::bf16>(d, c);
                }
            }
        }
    });
    refusesWrongArguments();
    return finish("rope");
}
