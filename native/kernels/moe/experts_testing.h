// experts_testing.h: what every device is asked about the experts' products: plain loops in double, the bits of ct_linear,
// and of every batch.
#pragma once

#include "kernels/moe/moe_testing.h"

namespace testing {

// A matrix of one of the formats and its values.
struct ExpertMatrix {
    ct_weights* weights = nullptr;
    int64_t rows, cols;
    std::vector<float> values;

    ExpertMatrix(Device& d, Random& random, int64_t n, int64_t k, int32_t format, int32_t dense_dtype, int32_t use)
        : rows(n), cols(k), values(static_cast<size_t>(n * k)) {
        std::vector<unsigned char> bytes;
        std::vector<float> scales;
        std::vector<uint8_t> zeros;
        ct_weights_part part = {};
        part.format = format;
        part.rows = n;
        if (format == CT_FORMAT_F32 || format == CT_FORMAT_BF16 || format == CT_FORMAT_F16) {
            const auto size = static_cast<size_t>(ct::dtype_bytes(format));
            bytes.resize(values.size() * size);
            for (size_t i = 0; i < values.size(); ++i) {
                const float v = random.normal(0.2f);
                const ct::bf16 b = ct::to_bf16(v);
                const ct::f16 h = ct::to_f16(v);
                const void* from = format == CT_FORMAT_F32   ? static_cast<const void*>(&v)
                                   : format == CT_FORMAT_F16 ? static_cast<const void*>(&h)
                                                             : &b;
                std::memcpy(bytes.data() + i * size, from, size);
            }
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
        } else if (format == CT_FORMAT_INT4 || format == CT_FORMAT_F8_E4M3) {
            const bool int4 = format == CT_FORMAT_INT4;
            part.scale_rows = int4 ? 1 : 128;
            part.scale_cols = !int4 || k % 128 == 0 ? 128 : 32;
            const int64_t across = (k + part.scale_cols - 1) / part.scale_cols;
            part.num_scales = (n + part.scale_rows - 1) / part.scale_rows * across;
            for (int64_t i = 0; i < part.num_scales; ++i) {
                scales.push_back(0.05f + 0.01f * std::fabs(random.normal()));
                zeros.push_back(static_cast<uint8_t>(6 + random.below(5)));
            }
            bytes.resize(int4 ? values.size() / 2 : values.size());
            for (unsigned char& byte : bytes) {
                byte = static_cast<unsigned char>(int4 ? random.below(256) : random.below(0x48) | random.below(2) << 7);
            }
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
            for (int64_t i = 0; i < n * k; ++i) {
                const auto at = static_cast<size_t>(i / k / part.scale_rows * across + i % k / part.scale_cols);
                float& v = values[static_cast<size_t>(i)];
                v = (int4 ? v + 8 - static_cast<float>(zeros[at]) : v) * scales[at];
            }
            part.scales = scales.data();
            part.zeros = int4 ? zeros.data() : nullptr;
        } else {  // a block format of ggml's
            const bool q4k = format == CT_FORMAT_Q4_K, q8 = format == CT_FORMAT_Q8_0;
            CHECK(q4k || q8 || format == CT_FORMAT_MXFP4);
            const int64_t block = q4k ? 256 : 32, size = q4k ? 144 : q8 ? 34 : 17;
            bytes.resize(static_cast<size_t>(n * k / block * size));
            for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random.below(256));
            for (size_t at = 0; at < bytes.size(); at += static_cast<size_t>(size)) {
                const uint16_t halves[2] = {ct::to_f16(q8 ? 0.003f : 0.002f).bits, ct::to_f16(0.003f).bits};
                if (q4k || q8) std::memcpy(bytes.data() + at, halves, q4k ? 4 : 2);
                if (!q4k && !q8) bytes[at] = static_cast<unsigned char>(122 + random.below(4));
            }
            CHECK_OK(ct_dequantize(values.data(), bytes.data(), n * k, static_cast<int64_t>(bytes.size()), format));
        }
        part.data = bytes.data();
        part.data_bytes = static_cast<int64_t>(bytes.size());
        CHECK_OK(ct_weights_create(&weights, d.device, &part, 1, k, dense_dtype, use));
    }
    ~ExpertMatrix() { CHECK_OK(ct_weights_destroy(weights)); }
    ExpertMatrix(const ExpertMatrix&) = delete;
    ExpertMatrix& operator=(const ExpertMatrix&) = delete;
    double at(int64_t row, int64_t col) const {
        return static_cast<double>(values[static_cast<size_t>(row * cols + col)]);
    }
};

struct Layer {
    int32_t num_experts;
    int64_t hidden, inner;
    std::vector<std::unique_ptr<ExpertMatrix>> gate, up, down;
    Array<float> gate_bias, up_bias, down_bias;
    ct_experts* experts = nullptr;

    // absent: an expert that is not there; -1: none.
    Layer(Device& d, int32_t e, int64_t h, int64_t i, int32_t format, int32_t down_format, int32_t dense_dtype,
          int32_t absent = -1, int32_t use = CT_WEIGHTS_LINEAR)
        : num_experts(e), hidden(h), inner(i), gate_bias(d, e * i), up_bias(d, e * i), down_bias(d, e * h) {
        Random random(static_cast<uint64_t>(h * 31 + i + format));
        std::vector<const ct_weights*> gates, ups, downs;
        for (int32_t n = 0; n < e; ++n) {
            gate.push_back(std::make_unique<ExpertMatrix>(d, random, i, h, format, dense_dtype, use));
            up.push_back(std::make_unique<ExpertMatrix>(d, random, i, h, format, dense_dtype, use));
            down.push_back(std::make_unique<ExpertMatrix>(d, random, h, i, down_format, dense_dtype, use));
            gates.push_back(n == absent ? nullptr : gate.back()->weights);
            ups.push_back(n == absent ? nullptr : up.back()->weights);
            downs.push_back(n == absent ? nullptr : down.back()->weights);
        }
        fill(gate_bias, random);
        fill(up_bias, random);
        fill(down_bias, random);
        CHECK_OK(ct_experts_create(&experts, d.device, gates.data(), ups.data(), downs.data(), e));
    }
    ~Layer() { CHECK_OK(ct_experts_destroy(experts)); }
    Layer(const Layer&) = delete;
    Layer& operator=(const Layer&) = delete;
};

struct ExpertsCall {
    int32_t top_k = 2;
    int32_t x_dtype = CT_BF16;
    int32_t y_dtype = CT_F32;
    int32_t activation = CT_MOE_SILU;
    bool biases = false;
    int64_t x_padding = 0;
    int64_t y_padding = 0;
};

inline double read_element(const unsigned char* bytes, int64_t i, int32_t dtype) {
    if (dtype == CT_F32) return static_cast<double>(reinterpret_cast<const float*>(bytes)[i]);
    return static_cast<double>(ct::to_float(reinterpret_cast<const ct::bf16*>(bytes)[i]));
}

inline std::vector<unsigned char> random_elements(Random& random, int64_t count, int32_t dtype) {
    std::vector<unsigned char> bytes(static_cast<size_t>(count * ct::dtype_bytes(dtype)));
    for (int64_t i = 0; i < count; ++i) {
        const float v = random.normal();
        const ct::bf16 b = ct::to_bf16(v);
        if (dtype == CT_F32) {
            std::memcpy(bytes.data() + 4 * i, &v, 4);
        } else {
            std::memcpy(bytes.data() + 2 * i, &b, 2);
        }
    }
    return bytes;
}

// The rows of y, packed; poisoned where nothing was written. x is packed.
inline std::vector<unsigned char> run_experts(Device& d, const Layer& layer, const unsigned char* x_rows,
                                              const std::vector<int32_t>& ids, const ExpertsCall& call) {
    const auto slots = static_cast<int64_t>(ids.size());
    const int64_t tokens = slots / call.top_k;
    const int64_t x_bytes = ct::dtype_bytes(call.x_dtype), y_bytes = ct::dtype_bytes(call.y_dtype);
    ct_moe_params p = {};
    p.struct_bytes = sizeof p;
    p.num_tokens = tokens;
    p.x_stride = layer.hidden + call.x_padding;
    p.y_stride = layer.hidden + call.y_padding;
    p.top_k = call.top_k;
    p.x_dtype = call.x_dtype;
    p.y_dtype = call.y_dtype;
    p.activation = call.activation;
    p.alpha = 1.702f;
    p.limit = 2.0f;
    const Array<int32_t> on_device(d, ids);
    const Plan plan(d, on_device, tokens, call.top_k, layer.num_experts);
    Array<unsigned char> x(d, tokens * p.x_stride * x_bytes), y(d, slots * p.y_stride * y_bytes);
    x.poison();
    y.poison();
    for (int64_t t = 0; t < tokens; ++t) {
        std::memcpy(x.at + t * p.x_stride * x_bytes, x_rows + t * layer.hidden * x_bytes,
                    static_cast<size_t>(layer.hidden * x_bytes));
    }
    int64_t bytes = 0;
    CHECK_OK(ct_moe_workspace_bytes(&bytes, layer.experts, &p));
    Array<unsigned char> workspace(d, bytes);
    workspace.poison();
    CHECK_OK(ct_moe_experts(y.buffer, x.buffer, plan.plan->buffer, layer.experts,
                            call.biases ? layer.gate_bias.buffer : nullptr,
                            call.biases ? layer.up_bias.buffer : nullptr,
                            call.biases ? layer.down_bias.buffer : nullptr, workspace.buffer, &p, d.stream));
    CHECK_OK(ct_stream_synchronize(d.stream));
    std::vector<unsigned char> out;
    for (int64_t s = 0; s < slots; ++s) {
        const unsigned char* row = y.at + s * p.y_stride * y_bytes;
        out.insert(out.end(), row, row + layer.hidden * y_bytes);
        const unsigned char* gap = row + layer.hidden * y_bytes;
        CHECK(std::all_of(gap, gap + call.y_padding * y_bytes, [](unsigned char b) { return b == 0xff; }));
    }
    return out;
}

inline double simple_gate(double gate, double up, int32_t activation) {
    if (activation == CT_MOE_GELU_TANH) {
        return 0.5 * gate * (1 + std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate))) * up;
    }
    if (activation == CT_MOE_SILU) return gate / (1 + std::exp(-gate)) * up;
    const double g = std::min(gate, 2.0), u = std::clamp(up, -2.0, 2.0);
    return (u + 1) * g / (1 + std::exp(-static_cast<double>(1.702f) * g));
}

inline std::vector<int32_t> random_ids(Random& random, int64_t tokens, int32_t top_k, int32_t experts) {
    std::vector<int32_t> ids;
    for (int64_t s = 0; s < tokens * top_k; ++s) ids.push_back(static_cast<int32_t>(random.below(experts)));
    return ids;
}

inline bool is_untouched(const std::vector<unsigned char>& y, int64_t row, int64_t row_bytes) {
    return std::all_of(y.begin() + row * row_bytes, y.begin() + (row + 1) * row_bytes,
                       [](unsigned char b) { return b == 0xff; });
}

inline void expertsMatchPlainLoops(Device& d, const Layer& layer, const std::vector<int32_t>& ids,
                                   const ExpertsCall& call, int32_t absent = -1) {
    const std::string outer = context;
    const auto slots = static_cast<int64_t>(ids.size());
    context += " E=" + std::to_string(layer.num_experts) + " T=" + std::to_string(slots / call.top_k) +
               " k=" + std::to_string(call.top_k) + " H=" + std::to_string(layer.hidden) +
               " I=" + std::to_string(layer.inner) + " x " + std::to_string(call.x_dtype) + " activation " +
               std::to_string(call.activation);
    Random random(static_cast<uint64_t>(slots * 131 + layer.hidden));
    const std::vector<unsigned char> x = random_elements(random, slots / call.top_k * layer.hidden, call.x_dtype);
    const std::vector<unsigned char> y = run_experts(d, layer, x.data(), ids, call);
    // Rounding of the sums, and of what is between the products.
    const double rounding = call.x_dtype == CT_BF16 ? 0x1p-8 : 0x1p-21;
    std::vector<double> between(static_cast<size_t>(layer.inner));
    const auto dot = [](double sum, int64_t n, auto term, double* magnitude) {
        for (int64_t i = 0; i < n; ++i) {
            sum += term(i);
            *magnitude += std::fabs(term(i));
        }
        return sum;
    };
    for (int64_t s = 0; s < slots; ++s) {
        const int32_t e = ids[static_cast<size_t>(s)];
        if (e < 0 || e >= layer.num_experts || e == absent) {
            CHECK(is_untouched(y, s, layer.hidden * ct::dtype_bytes(call.y_dtype)));
            continue;
        }
        const auto n = static_cast<size_t>(e);
        const auto x_at = [&](int64_t i) {
            return read_element(x.data(), s / call.top_k * layer.hidden + i, call.x_dtype);
        };
        double most = 0;
        for (int64_t i = 0; i < layer.inner; ++i) {
            double ignored = 0;
            const auto bias = [&](const Array<float>& b) {
                return call.biases ? value(b.at[e * layer.inner + i]) : 0.0;
            };
            const double g = dot(
                bias(layer.gate_bias), layer.hidden, [&](int64_t k) { return x_at(k) * layer.gate[n]->at(i, k); },
                &ignored);
            const double u = dot(
                bias(layer.up_bias), layer.hidden, [&](int64_t k) { return x_at(k) * layer.up[n]->at(i, k); },
                &ignored);
            between[static_cast<size_t>(i)] = simple_gate(g, u, call.activation);
            // The sums of gate and up are wrong by so much at most, and their product by that times the other.
            most = std::max(most, ignored * 0x1p-22 * (1 + std::fabs(g) + std::fabs(u)));
        }
        for (int64_t c = 0; c < layer.hidden; ++c) {
            double magnitude = 0, weights = 0;
            const double expected = dot(
                call.biases ? value(layer.down_bias.at[e * layer.hidden + c]) : 0.0, layer.inner,
                [&](int64_t i) { return between[static_cast<size_t>(i)] * layer.down[n]->at(c, i); }, &magnitude);
            for (int64_t i = 0; i < layer.inner; ++i) weights += std::fabs(layer.down[n]->at(c, i));
            double tolerance = magnitude * rounding + weights * most + 1e-6;
            if (call.y_dtype == CT_BF16) tolerance += std::fabs(expected) * 0x1p-8;
            CHECK_CLOSE(read_element(y.data(), s * layer.hidden + c, call.y_dtype), expected, tolerance);
        }
    }
    context = outer;
}

// Every expert's rows are those that ct_linear, the activation and ct_linear give.
inline void expertsAreLinear(Device& d, const Layer& layer, const ExpertsCall& given) {
    ExpertsCall call = given;
    call.activation = CT_MOE_SILU;
    constexpr int64_t kTokens = 37;
    Random random(23);
    const std::vector<unsigned char> x = random_elements(random, kTokens * layer.hidden, call.x_dtype);
    const std::vector<int32_t> ids = random_ids(random, kTokens, call.top_k, layer.num_experts);
    const std::vector<unsigned char> y = run_experts(d, layer, x.data(), ids, call);
    const int64_t x_row = layer.hidden * ct::dtype_bytes(call.x_dtype);
    const int64_t y_row = layer.hidden * ct::dtype_bytes(call.y_dtype);
    for (int32_t e = 0; e < layer.num_experts; ++e) {
        std::vector<size_t> slots;
        for (size_t s = 0; s < ids.size(); ++s) {
            if (ids[s] == e) slots.push_back(s);
        }
        const auto rows = static_cast<int64_t>(slots.size());
        if (rows == 0) continue;
        const auto n = static_cast<size_t>(e);
        Array<unsigned char> own_x(d, rows * x_row), own_y(d, rows * y_row);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t token = static_cast<int64_t>(slots[static_cast<size_t>(r)]) / call.top_k;
            std::copy_n(x.data() + token * x_row, x_row, own_x.at + r * x_row);
        }
        Array<float> both(d, rows * 2 * layer.inner), gated(d, rows * layer.inner), gates(d, rows * layer.inner),
            ups(d, rows * layer.inner), gate_bias(d, layer.inner), up_bias(d, layer.inner), down_bias(d, layer.hidden);
        std::copy_n(layer.gate_bias.at + e * layer.inner, layer.inner, gate_bias.at);
        std::copy_n(layer.up_bias.at + e * layer.inner, layer.inner, up_bias.at);
        std::copy_n(layer.down_bias.at + e * layer.hidden, layer.hidden, down_bias.at);
        const auto linear = [&](ct_buffer* to, const ct_buffer* from, const ExpertMatrix& w, const Array<float>& bias,
                                int32_t to_dtype) {
            CHECK_OK(ct_linear(to, from, w.weights, call.biases ? bias.buffer : nullptr, rows, w.rows, w.cols, to_dtype,
                               call.x_dtype, d.stream));
            CHECK_OK(ct_stream_synchronize(d.stream));
        };
        linear(gates.buffer, own_x.buffer, *layer.gate[n], gate_bias, CT_F32);
        linear(ups.buffer, own_x.buffer, *layer.up[n], up_bias, CT_F32);
        for (int64_t r = 0; r < rows; ++r) {
            std::copy_n(gates.at + r * layer.inner, layer.inner, both.at + r * 2 * layer.inner);
            std::copy_n(ups.at + r * layer.inner, layer.inner, both.at + (r * 2 + 1) * layer.inner);
        }
        CHECK_OK(ct_activation_mul(gated.buffer, both.buffer, rows, layer.inner, layer.inner, 2 * layer.inner, CT_F32,
                                   CT_SILU, d.stream));
        CHECK_OK(ct_stream_synchronize(d.stream));
        Array<unsigned char> between(d, rows * layer.inner * ct::dtype_bytes(call.x_dtype));
        for (int64_t i = 0; i < rows * layer.inner; ++i) {
            if (call.x_dtype == CT_F32) {
                reinterpret_cast<float*>(between.at)[i] = gated.at[i];
            } else {
                reinterpret_cast<ct::bf16*>(between.at)[i] = ct::to_bf16(gated.at[i]);
            }
        }
        linear(own_y.buffer, between.buffer, *layer.down[n], down_bias, call.y_dtype);
        for (int64_t r = 0; r < rows; ++r) {
            const int64_t s = static_cast<int64_t>(slots[static_cast<size_t>(r)]);
            CHECK(std::memcmp(own_y.at + r * y_row, y.data() + s * y_row, static_cast<size_t>(y_row)) == 0);
        }
    }
}

// With float32 activations codes that are kept give the bits that they give where they are dequantised at load.
inline void keptExpertsAreAsDequantized(Device& d, int32_t format, int64_t hidden, int64_t inner) {
    const Layer kept(d, 3, hidden, inner, format, format, CT_F32, -1, CT_WEIGHTS_EXPERT);
    const Layer dense(d, 3, hidden, inner, format, format, CT_F32);
    Random random(41);
    const std::vector<unsigned char> x = random_elements(random, 19 * hidden, CT_F32);
    const std::vector<int32_t> ids = random_ids(random, 19, 2, 3);
    const ExpertsCall call = {.x_dtype = CT_F32, .activation = CT_MOE_SILU_CLAMPED, .biases = true};
    CHECK(run_experts(d, kept, x.data(), ids, call) == run_experts(d, dense, x.data(), ids, call));
}

// A token's rows in batches of other sizes, among other tokens, one of which is NaN.
inline void expertsRowsDependOnNothingElse(Device& d, const Layer& layer, const ExpertsCall& call) {
    const int64_t tokens = reduced() ? 40 : 200;
    Random random(29);
    const std::vector<unsigned char> x = random_elements(random, tokens * layer.hidden, call.x_dtype);
    const std::vector<int32_t> ids = random_ids(random, tokens, call.top_k, layer.num_experts);
    const std::vector<unsigned char> all = run_experts(d, layer, x.data(), ids, call);
    const int64_t x_row = layer.hidden * ct::dtype_bytes(call.x_dtype);
    const int64_t y_token = call.top_k * layer.hidden * ct::dtype_bytes(call.y_dtype);
    for (const int64_t count : {1, 2, 7, 17, 33}) {
        std::vector<unsigned char> some_x;
        std::vector<int32_t> some_ids;
        std::vector<int64_t> chosen;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t t = random.below(tokens);
            chosen.push_back(t);
            some_x.insert(some_x.end(), x.begin() + t * x_row, x.begin() + (t + 1) * x_row);
            some_ids.insert(some_ids.end(), ids.begin() + t * call.top_k, ids.begin() + (t + 1) * call.top_k);
        }
        const int64_t broken = count > 1 ? random.below(count) : -1;
        if (broken >= 0) std::fill_n(some_x.begin() + broken * x_row, x_row, static_cast<unsigned char>(0xff));
        ExpertsCall padded = call;
        padded.x_padding = padded.y_padding = 8;
        const std::vector<unsigned char> some = run_experts(d, layer, some_x.data(), some_ids, padded);
        for (int64_t i = 0; i < count; ++i) {
            if (i == broken) {
                CHECK(std::isnan(read_element(some.data() + i * y_token, 0, call.y_dtype)));
            } else {
                CHECK(std::memcmp(some.data() + i * y_token, all.data() + chosen[static_cast<size_t>(i)] * y_token,
                                  static_cast<size_t>(y_token)) == 0);
            }
        }
    }
}

}  // namespace testing
