// soft_cap.cpp: ct_soft_cap.
#include "kernels/activation/soft_cap.h"

#include <algorithm>
#include <cmath>

#include "core/backend.h"

namespace ct {
namespace {

constexpr int64_t kPieceCols = 4096;  // columns that one thread takes at a time; every column is on its own

}  // namespace
}  // namespace ct

extern "C" int32_t ct_soft_cap(ct_buffer* x, int64_t rows, int64_t cols, int64_t stride, float scale, float cap,
                               ct_stream* stream) {
    CT_TRY(ct::check_stream(__func__, stream));
    CT_REQUIRE(cols >= 0, "cols=%lld must be >= 0", static_cast<long long>(cols));
    CT_REQUIRE(std::isfinite(scale), "scale=%g must be finite", static_cast<double>(scale));
    CT_REQUIRE(cap >= 0 && std::isfinite(cap), "cap=%g must be finite and >= 0", static_cast<double>(cap));
    CT_TRY(ct::check_matrix(__func__, "x", x, stream, rows, cols, stride, 4));
    if (ct::has_backend(stream)) {
        return ct::launch(__func__, stream, &ct::Operations::soft_cap,
                          {ct::data<float>(x), rows, cols, stride, scale, cap});
    }
    ct::SoftCapRun run = ct::variant(stream, ct::kSoftCapScalar, ct::kSoftCapAvx2, ct::kSoftCapAvx512);
    float* at = ct::data<float>(x);
    return ct::enqueue(stream, [=](ct::Team& team) {
        int64_t pieces = (cols + ct::kPieceCols - 1) / ct::kPieceCols;
        team.run(rows * pieces, [=](int64_t part, int) {
            int64_t c = part % pieces * ct::kPieceCols;
            run(at + part / pieces * stride + c, std::min(ct::kPieceCols, cols - c), scale, cap);
        });
    });
}
