// moe_gpu_test.cpp: the CUDA kernels of mixture of experts.
#include "kernels/moe/experts_testing.h"

namespace {

using namespace testing;

// Few rows and many (tile_height of moe_gpu.h: 8, 16, 64 rows), tensor cores and not, around the edges of tiles.
void expertsOfEveryShape(Device& d) {
    struct Shape {
        int32_t experts;
        int64_t hidden, inner;
        int32_t format;
    };
    for (const Shape& s :
         {Shape{3, 64, 72, CT_FORMAT_BF16}, Shape{2, 136, 40, CT_FORMAT_BF16}, Shape{2, 33, 17, CT_FORMAT_BF16},
          Shape{2, 40, 65, CT_FORMAT_F32}, Shape{1, 8, 8, CT_FORMAT_BF16}}) {
        const Layer layer(d, s.experts, s.hidden, s.inner, s.format, s.format, CT_BF16);
        for (const int64_t tokens : {0, 1, 7, 9, 64, 65}) {
            if (reduced() && tokens > 10 && s.hidden > 64) continue;
            for (const int32_t x : {CT_F32, CT_BF16}) {
                Random random(static_cast<uint64_t>(tokens));
                ExpertsCall call = {.top_k = 2, .x_dtype = x, .y_dtype = tokens % 2 == 0 ? CT_F32 : CT_BF16};
                call.activation = static_cast<int32_t>(tokens % 3);
                call.biases = tokens % 2 == 1;
                call.x_padding = tokens == 7 ? 3 : 8;
                call.y_padding = 5;
                expertsMatchPlainLoops(d, layer, random_ids(random, tokens, 2, s.experts), call);
            }
        }
    }
}

void expertsOfEveryLoad(Device& d) {
    const Layer layer(d, 9, 40, 24, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16);
    Random random(5);
    const int64_t most = reduced() ? 80 : 513;
    expertsMatchPlainLoops(d, layer, random_ids(random, most, 4, 9), {.top_k = 4});
    expertsMatchPlainLoops(d, layer, std::vector<int32_t>(static_cast<size_t>(most), 4), {.top_k = 1});
    expertsMatchPlainLoops(d, layer, {0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1, 0}, {.top_k = 9});
    expertsMatchPlainLoops(d, layer, {3, 3, -1, 2, 9, 3, -1, -1, INT32_MAX, INT32_MIN}, {.top_k = 2});
    const Layer without(d, 9, 40, 24, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16, 4);
    expertsMatchPlainLoops(d, without, random_ids(random, 33, 4, 9), {.top_k = 4}, 4);
    if (reduced()) return;
    const Layer many(d, 512, 8, 8, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16);
    expertsMatchPlainLoops(d, many, random_ids(random, 70, 8, 512), {.top_k = 8});
}

// The bits of ct_linear, and of every batch; two, four and eight ranges of k.
void expertsAreLinearInEveryBatch(Device& d) {
    struct Shape {
        int64_t hidden, inner;
        int32_t format;
    };
    for (const Shape& s : {Shape{1096, 40, CT_FORMAT_BF16}, Shape{136, 520, CT_FORMAT_BF16},
                           Shape{300, 33, CT_FORMAT_F32}, Shape{96, 160, CT_FORMAT_MXFP4}}) {
        const Layer layer(d, 2, s.hidden, s.inner, s.format, s.format, CT_BF16);
        for (const int32_t x : {CT_F32, CT_BF16}) {
            if (reduced() && s.hidden > 200 && x == CT_F32) continue;
            expertsAreLinear(d, layer, {.top_k = 2, .x_dtype = x, .y_dtype = x, .biases = true});
            expertsRowsDependOnNothingElse(d, layer, {.x_dtype = x});
        }
    }
    const Layer one(d, 1, 2056, 16, CT_FORMAT_BF16, CT_FORMAT_BF16, CT_BF16);
    expertsAreLinear(d, one, {.top_k = 1});
}

// Weights whose codes are kept: every format and size of groups, few rows and many, around the edges of tiles and steps.
void keptExpertsOfEveryShape(Device& d) {
    struct Shape {
        int32_t experts;
        int64_t hidden, inner;
        int32_t format;
    };
    for (const Shape& s :
         {Shape{3, 64, 96, CT_FORMAT_MXFP4}, Shape{2, 160, 32, CT_FORMAT_MXFP4}, Shape{3, 128, 40, CT_FORMAT_INT4},
          Shape{2, 72, 256, CT_FORMAT_INT4}, Shape{3, 136, 65, CT_FORMAT_F8_E4M3}, Shape{2, 33, 64, CT_FORMAT_F8_E4M3},
          Shape{2, 264, 200, CT_FORMAT_F8_E4M3}, Shape{1, 32, 32, CT_FORMAT_MXFP4}, Shape{1, 8, 8, CT_FORMAT_INT4}}) {
        const Layer layer(d, s.experts, s.hidden, s.inner, s.format, s.format, CT_BF16, -1, CT_WEIGHTS_EXPERT);
        for (const int64_t tokens : {0, 1, 7, 9, 64, 65}) {
            if (reduced() && tokens > 10 && s.hidden > 64) continue;
            for (const int32_t x : {CT_F32, CT_BF16}) {
                Random random(static_cast<uint64_t>(tokens));
                ExpertsCall call = {.top_k = 2, .x_dtype = x, .y_dtype = tokens % 2 == 0 ? CT_F32 : CT_BF16};
                call.activation = static_cast<int32_t>((tokens + s.experts) % 3);
                call.biases = tokens % 2 == 1;
                call.x_padding = tokens == 7 ? 3 : 8;
                call.y_padding = 5;
                expertsMatchPlainLoops(d, layer, random_ids(random, tokens, 2, s.experts), call);
            }
        }
    }
    // Gates of one format, downs of another; a format that is not kept between them.
    for (const int32_t down : {CT_FORMAT_INT4, CT_FORMAT_BF16, CT_FORMAT_Q8_0}) {
        const Layer mixed(d, 2, 64, 32, CT_FORMAT_MXFP4, down, CT_F32, -1, CT_WEIGHTS_EXPERT);
        Random random(3);
        expertsMatchPlainLoops(d, mixed, random_ids(random, 20, 2, 2), {});
    }
}

void keptExpertsOfEveryLoad(Device& d) {
    for (const int32_t format : {CT_FORMAT_MXFP4, CT_FORMAT_INT4, CT_FORMAT_F8_E4M3}) {
        const Layer layer(d, 5, 64, 32, format, format, CT_BF16, -1, CT_WEIGHTS_EXPERT);
        Random random(5);
        const int64_t most = reduced() ? 80 : 257;
        expertsMatchPlainLoops(d, layer, random_ids(random, most, 4, 5), {.top_k = 4});
        expertsMatchPlainLoops(d, layer, std::vector<int32_t>(static_cast<size_t>(most), 4), {.top_k = 1});
        expertsMatchPlainLoops(d, layer, {0, 1, 2, 3, 4, 4, 3, 2, 1, 0}, {.top_k = 5});
        expertsMatchPlainLoops(d, layer, {3, 3, -1, 2, 5, 3, -1, -1, INT32_MAX, INT32_MIN}, {.top_k = 2});
        const Layer without(d, 5, 64, 32, format, format, CT_BF16, 4, CT_WEIGHTS_EXPERT);
        expertsMatchPlainLoops(d, without, random_ids(random, 33, 4, 5), {.top_k = 4}, 4);
        keptExpertsAreAsDequantized(d, format, 96, 160);
    }
}

// Two, four and eight ranges of k.
void keptExpertsInEveryBatch(Device& d) {
    for (const int32_t format : {CT_FORMAT_MXFP4, CT_FORMAT_INT4, CT_FORMAT_F8_E4M3}) {
        for (const int64_t hidden : {1088, 2080, 512}) {
            if (reduced() && hidden > 512) continue;
            const Layer layer(d, 2, hidden, 64, format, format, CT_BF16, -1, CT_WEIGHTS_EXPERT);
            for (const int32_t x : {CT_F32, CT_BF16}) {
                if (x == CT_F32 && hidden > 512) continue;
                expertsRowsDependOnNothingElse(d, layer, {.x_dtype = x});
            }
        }
    }
}

}  // namespace

int main() {
    for_gpu_devices([](Device& d) {
        routesEveryWay(d);
        routesTiesAndBrokenRows(d);
        routesRowsAlone(d);
        routesNoPadding(d);
        plansEveryWay(d);
        combinesEveryWay(d);
        expertsOfEveryShape(d);
        expertsOfEveryLoad(d);
        expertsAreLinearInEveryBatch(d);
        keptExpertsOfEveryShape(d);
        keptExpertsOfEveryLoad(d);
        keptExpertsInEveryBatch(d);
    });
    return finish("moe_gpu");
}
