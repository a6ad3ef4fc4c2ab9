// combine.cpp: ct_moe_combine.
#include <algorithm>
#include <cmath>

#include "kernels/moe/moe.h"

namespace ct::moe {
namespace {

constexpr int64_t kPieceCols = 2048;  // that one thread takes at a time; every column is on its own

struct Combine {
    MoeCombineArgs a;
    void (*row)(const CombineRow& row, int64_t cols);

    void run(int64_t token, int64_t col, int64_t cols) const {
        const ct_moe_combine_params& p = a.p;
        const auto at = [](auto* base, int64_t element, int32_t dtype) {
            using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(base)>>, const unsigned char,
                                            unsigned char>;
            return static_cast<Byte*>(base) + element * dtype_bytes(dtype);
        };
        CombineRow r = {};
        r.out = at(a.out, token * p.out_stride + col, p.out_dtype);
        r.y = at(a.y, token * p.top_k * p.y_stride + col, p.y_dtype);
        r.ids = a.ids + token * p.top_k;
        r.weights = a.weights + token * p.top_k;
        r.present = a.present;
        r.shared = a.shared ? at(a.shared, token * p.shared_stride + col, p.shared_dtype) : nullptr;
        r.shared_factor = a.shared_gate ? 1.0f / (1.0f + std::exp(-a.shared_gate[token])) : 1.0f;
        r.y_stride = p.y_stride;
        r.top_k = p.top_k;
        r.num_experts = p.num_experts;
        row(r, cols);
    }
};

}  // namespace
}  // namespace ct::moe

extern "C" int32_t ct_moe_combine(ct_buffer* out, const ct_buffer* y, const ct_buffer* ids, const ct_buffer* weights,
                                  const ct_buffer* present, const ct_buffer* shared, const ct_buffer* shared_gate,
                                  const ct_moe_combine_params* params, ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    ct_moe_combine_params p;
    CT_TRY(ct::read_params(__func__, &p, sizeof p, params));
    CT_TRY(ct::moe::check_slots(__func__, p.num_tokens, p.top_k, p.num_experts));
    CT_TRY(ct::check_activation_dtype(__func__, "out_dtype", p.out_dtype));
    CT_TRY(ct::check_activation_dtype(__func__, "y_dtype", p.y_dtype));
    CT_REQUIRE(p.reserved == 0, "reserved=%d must be 0", static_cast<int>(p.reserved));
    const int64_t slots = p.num_tokens * p.top_k;
    CT_TRY(ct::check_matrix(__func__, "out", out, stream, p.num_tokens, p.cols, p.out_stride,
                            ct::dtype_bytes(p.out_dtype)));
    CT_TRY(ct::check_matrix(__func__, "y", y, stream, slots, p.cols, p.y_stride, ct::dtype_bytes(p.y_dtype)));
    CT_TRY(ct::check_buffer(__func__, "ids", ids, stream, slots, sizeof(int32_t)));
    CT_TRY(ct::check_buffer(__func__, "weights", weights, stream, slots, sizeof(float)));
    if (present) {
        CT_TRY(ct::check_buffer(__func__, "present", present, stream, p.num_experts, sizeof(int32_t)));
    }
    CT_REQUIRE(shared || !shared_gate, "shared_gate without shared");
    if (shared) {
        CT_TRY(ct::check_activation_dtype(__func__, "shared_dtype", p.shared_dtype));
        CT_TRY(ct::check_matrix(__func__, "shared", shared, stream, p.num_tokens, p.cols, p.shared_stride,
                                ct::dtype_bytes(p.shared_dtype)));
        CT_REQUIRE(out->data != shared->data ||
                       (p.out_dtype == p.shared_dtype && (p.out_stride == p.shared_stride || p.num_tokens < 2)),
                   "out is shared, so its stride and dtype must be shared's");
    } else {
        p.shared_dtype = CT_F32;
    }
    if (shared_gate) {
        CT_TRY(ct::check_buffer(__func__, "shared_gate", shared_gate, stream, p.num_tokens, sizeof(float)));
    }
    if (p.num_tokens == 0 || p.cols == 0) return ct::ok();
    const ct::MoeCombineArgs args = {out->data,
                                     y->data,
                                     ct::data<int32_t>(ids),
                                     ct::data<float>(weights),
                                     ct::data<int32_t>(present),
                                     ct::data<unsigned char>(shared),
                                     ct::data<float>(shared_gate),
                                     p};
    if (ct::has_backend(stream)) return ct::launch(__func__, stream, &ct::Operations::moe_combine, args);
    using namespace ct::moe;
    const Combine combine = {args,
                             ct::variant(stream, kScalar, kAvx2, kAvx512)
                                 .combine[p.out_dtype == CT_BF16][p.y_dtype == CT_BF16][p.shared_dtype == CT_BF16]};
    CT_TRY(ct::enqueue(stream, [combine](ct::Team& team) {
        const int64_t pieces = (combine.a.p.cols + kPieceCols - 1) / kPieceCols;
        team.run(combine.a.p.num_tokens * pieces, [&](int64_t part, int) {
            const int64_t col = part % pieces * kPieceCols;
            combine.run(part / pieces, col, std::min(kPieceCols, combine.a.p.cols - col));
        });
    }));
    return ct::ok();
}
