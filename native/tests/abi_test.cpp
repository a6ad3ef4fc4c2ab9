// abi_test.cpp: the table of the ABI against the header's text, and every function with arguments that are wrong:
// always an error code with a text, never a crash.
// GCC 12 takes std::regex for uninitialised when it is compiled with the sanitizers.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/testing.h"

// A branch that has not got the kernel yet still runs the rest.
#pragma weak ct_paged_attention

namespace {

using testing::Array;
using testing::Device;

std::string header_text() {
    std::string path = __FILE__;
    path = path.substr(0, path.rfind("tests/")) + "include/cortado.h";
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    // By hand: std::regex takes stack for every character of a comment, which the sanitizers have not got.
    const std::string all = text.str();
    std::string code;
    for (size_t at = 0; at < all.size();) {
        const size_t comment = std::min(all.find("/*", at), all.size());
        code.append(all, at, comment - at);
        const size_t end = all.find("*/", comment);
        at = end == std::string::npos ? all.size() : end + 2;
    }
    return code;
}

std::set<std::string> matches(const std::string& text, const char* pattern) {
    std::set<std::string> found;
    std::regex regex(pattern);
    for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it) found.insert((*it)[1]);
    return found;
}

void tableNamesAllOfTheHeader() {
    CHECK(ct_abi_version() == CT_ABI_VERSION);
    std::string header = header_text();
    CHECK(!header.empty());
    std::set<std::string> functions, enums, defines, structs;
    size_t fields = 0;
    std::istringstream lines(ct_abi_table());
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string kind, name;
        words >> kind >> name;
        if (kind == "field") ++fields;
        if (kind == "function") functions.insert(name);
        if (kind == "enum") enums.insert(name);
        if (kind == "define") defines.insert(name);
        if (kind == "struct") structs.insert(name);
    }
    CHECK(functions == matches(header, R"(CT_API [^(;]*?(ct_\w+)\()"));
    CHECK(enums == matches(header, R"((CT_\w+) = )"));
    CHECK(defines == matches(header, R"(#define (CT_\w+) \d)"));
    CHECK(structs == matches(header, R"(\} (ct_\w+);)"));
    size_t declared = 0;
    std::regex regex(R"(typedef struct ct_\w+ \{)");
    for (std::sregex_iterator it(header.begin(), header.end(), regex), end; it != end; ++it) {
        const auto body = header.begin() + it->position() + it->length();
        declared += static_cast<size_t>(std::count(body, std::find(body, header.end(), '}'), ';'));
    }
    CHECK(fields == declared);
    std::string table = ct_abi_table();
    CHECK(table.find("struct ct_device_options 16\n") != std::string::npos);
    CHECK(table.find("field ct_device_options isa 12 4\n") != std::string::npos);
    CHECK(table.find("enum CT_TIMEOUT 5\n") != std::string::npos);
    CHECK(table.find("define CT_KV_BLOCK_SIZE 16\n") != std::string::npos);
}

#define REFUSED(call)                            \
    do {                                         \
        CHECK_STATUS(call, CT_INVALID);          \
        CHECK(std::strlen(ct_last_error()) > 8); \
    } while (0)

void refusesNullHandles(Device& d, ct_buffer* b) {
    ct_stream* s = d.stream;
    ct_event* event = nullptr;
    ct_stream* stream = nullptr;
    ct_graph* graph = nullptr;
    ct_buffer* buffer = nullptr;
    ct_weights* weights = nullptr;
    ct_device* device = nullptr;
    int64_t bytes = 0;
    double rate = 0;
    void* address = nullptr;
    ct_device_info info{};
    info.struct_bytes = sizeof info;
    REFUSED(ct_device_open(nullptr, "cpu", nullptr));
    REFUSED(ct_device_open(&device, nullptr, nullptr));
    REFUSED(ct_device_close(nullptr));
    REFUSED(ct_device_get_info(nullptr, d.device));
    REFUSED(ct_device_get_info(&info, nullptr));
    REFUSED(ct_device_probe(nullptr, d.device, 0));
    REFUSED(ct_device_probe(&rate, nullptr, 0));
    REFUSED(ct_device_probe(&rate, d.device, 3));
    REFUSED(ct_device_probe(&rate, d.device, -1));
    REFUSED(ct_buffer_create(nullptr, d.device, 8));
    REFUSED(ct_buffer_create(&buffer, nullptr, 8));
    REFUSED(ct_buffer_create(&buffer, d.device, -8));
    REFUSED(ct_buffer_view(nullptr, b, 0, 8));
    REFUSED(ct_buffer_view(&buffer, nullptr, 0, 8));
    REFUSED(ct_buffer_view(&buffer, b, -64, 8));
    REFUSED(ct_buffer_view(&buffer, b, 0, 0));
    REFUSED(ct_buffer_view(&buffer, b, 4, 8));
    REFUSED(ct_buffer_destroy(nullptr));
    REFUSED(ct_buffer_host_address(nullptr, b));
    REFUSED(ct_buffer_host_address(&address, nullptr));
    REFUSED(ct_buffer_bytes(nullptr, b));
    REFUSED(ct_buffer_bytes(&bytes, nullptr));
    REFUSED(ct_copy(nullptr, b, 0, 0, 0, s));
    REFUSED(ct_copy(b, nullptr, 0, 0, 0, s));
    REFUSED(ct_copy(b, b, 0, 0, 0, nullptr));
    REFUSED(ct_copy(b, b, -1, 8, 4, s));
    REFUSED(ct_copy(b, b, 0, 8, -4, s));
    REFUSED(ct_copy(b, b, INT64_MAX, 8, 4, s));
    REFUSED(ct_fill(nullptr, 0, 1, 0, s));
    REFUSED(ct_fill(b, 0, 1, 0, nullptr));
    REFUSED(ct_fill(b, 1, INT64_MAX, 0, s));
    REFUSED(ct_fill(b, 0, 1, -1, s));
    REFUSED(ct_stream_create(nullptr, d.device));
    REFUSED(ct_stream_create(&stream, nullptr));
    REFUSED(ct_stream_destroy(nullptr));
    REFUSED(ct_stream_synchronize(nullptr));
    REFUSED(ct_event_create(nullptr, d.device));
    REFUSED(ct_event_create(&event, nullptr));
    REFUSED(ct_event_destroy(nullptr));
    REFUSED(ct_event_record(nullptr, s));
    REFUSED(ct_event_wait(nullptr, 0));
    REFUSED(ct_stream_begin_capture(nullptr));
    REFUSED(ct_stream_end_capture(nullptr, s));
    REFUSED(ct_stream_end_capture(&graph, nullptr));
    REFUSED(ct_stream_end_capture(&graph, s));
    REFUSED(ct_graph_launch(nullptr, s));
    REFUSED(ct_graph_destroy(nullptr));
    float values[16] = {};
    const ct_weights_part part = testing::weights_part(values, 4, 64, CT_FORMAT_F32);
    REFUSED(ct_weights_create(nullptr, d.device, &part, 1, 4, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, nullptr, &part, 1, 4, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, nullptr, 1, 4, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, &part, -1, 4, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, &part, 1, 5, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, &part, 1, INT64_MAX, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, &part, 1, 4, 9, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_create(&weights, d.device, &part, 1, 4, CT_F32, 9));
    REFUSED(ct_weights_destroy(nullptr));
    REFUSED(ct_weights_bytes(&bytes, nullptr));
    CHECK(!event && !stream && !graph && !buffer && !weights && !device);
}

void refusesWrongOperations(Device& d, ct_buffer* b) {
    ct_stream* s = d.stream;
    ct_weights* w = nullptr;
    float values[16] = {};
    const ct_weights_part part = testing::weights_part(values, 4, 64, CT_FORMAT_F32);
    CHECK_OK(ct_weights_create(&w, d.device, &part, 1, 4, CT_F32, CT_WEIGHTS_LINEAR));
    REFUSED(ct_weights_bytes(nullptr, w));
    REFUSED(ct_embedding(b, w, b, 1, 4, CT_F32, 1, nullptr));
    REFUSED(ct_embedding(b, nullptr, b, 1, 4, CT_F32, 1, s));
    REFUSED(ct_embedding(b, w, b, INT64_MAX, 4, CT_F32, 1, s));
    REFUSED(ct_embedding(b, w, b, -1, 4, CT_F32, 1, s));
    REFUSED(ct_gather_rows(b, b, b, 1, 4, 4, 4, 4, CT_F32, nullptr));
    REFUSED(ct_gather_rows(nullptr, b, b, 1, 4, 4, 4, 4, CT_F32, s));
    REFUSED(ct_norm(b, nullptr, b, b, 1, 4, 4, 4, 4, CT_F32, CT_NORM_RMS, 0, 1, nullptr));
    REFUSED(ct_norm(b, nullptr, b, b, 1, INT64_MAX, INT64_MAX, 4, INT64_MAX, CT_F32, CT_NORM_RMS, 0, 1, s));
    REFUSED(ct_norm(b, nullptr, b, b, 1, 0, 0, 0, 0, CT_F32, CT_NORM_RMS, 0, 1, s));
    REFUSED(ct_soft_cap(b, 1, 4, 4, 1, 1, nullptr));
    REFUSED(ct_soft_cap(b, INT64_MAX, 4, 4, 1, 1, s));
    REFUSED(ct_activation_mul(b, b, 1, 4, 4, 8, CT_F32, 0, nullptr));
    REFUSED(ct_activation_mul(b, b, 1, INT64_MIN, 4, 8, CT_F32, 0, s));
    REFUSED(ct_linear(b, b, w, nullptr, 1, 4, 4, CT_F32, CT_F32, nullptr));
    REFUSED(ct_linear(nullptr, b, w, nullptr, 1, 4, 4, CT_F32, CT_F32, s));
    REFUSED(ct_linear(b, b, nullptr, nullptr, 1, 4, 4, CT_F32, CT_F32, s));
    REFUSED(ct_linear(b, b, w, nullptr, INT64_MAX, 4, 4, CT_F32, CT_F32, s));
    REFUSED(ct_linear(b, b, w, nullptr, 1, 3, 4, CT_F32, CT_F32, s));
    REFUSED(ct_linear(b, b, w, nullptr, 1, 4, 4, CT_F32, 7, s));
    ct_rope_params rope{};
    rope.struct_bytes = sizeof rope;
    REFUSED(ct_rope_kv_write(b, b, b, b, b, b, b, b, b, &rope, s));
    REFUSED(ct_rope_kv_write(b, b, b, b, b, b, b, b, b, nullptr, s));
    REFUSED(ct_rope_kv_write(b, b, b, b, b, b, b, b, b, &rope, nullptr));
    ct_attention_params attention{};
    attention.struct_bytes = sizeof attention;
    REFUSED(ct_paged_attention(b, nullptr, b, b, b, b, b, b, b, nullptr, nullptr, &attention, s));
    REFUSED(ct_paged_attention(b, nullptr, b, b, b, b, b, b, b, nullptr, nullptr, nullptr, s));
    REFUSED(ct_paged_attention(b, nullptr, b, b, b, b, b, b, b, nullptr, nullptr, &attention, nullptr));
    REFUSED(ct_feed_tokens(nullptr, b, b, 1, 1, s));
    REFUSED(ct_feed_tokens(b, nullptr, b, 1, 1, s));
    REFUSED(ct_feed_tokens(b, b, nullptr, 1, 1, s));
    REFUSED(ct_feed_tokens(b, b, b, INT64_MAX, 1, s));
    REFUSED(ct_feed_tokens(b, b, b, 1, -1, s));
    REFUSED(ct_feed_tokens(b, b, b, 1, 1, nullptr));
    REFUSED(ct_sum_rows(nullptr, b, b, 1, 4, 1, 1, 4, CT_F32, s));
    REFUSED(ct_sum_rows(b, nullptr, b, 1, 4, 1, 1, 4, CT_F32, s));
    REFUSED(ct_sum_rows(b, b, nullptr, 1, 4, 1, 1, 4, CT_F32, s));
    REFUSED(ct_sum_rows(b, b, b, INT64_MAX, 4, 1, 1, 4, CT_F32, s));
    REFUSED(ct_sum_rows(b, b, b, 1, INT64_MIN, 1, 1, 4, CT_F32, s));
    REFUSED(ct_sum_rows(b, b, b, 1, 4, 1, 1, 4, CT_F32, nullptr));
    REFUSED(ct_copy_blocks(b, b, b, 1, 15, s));
    REFUSED(ct_copy_blocks(b, b, b, 1, 0, s));
    REFUSED(ct_copy_blocks(b, b, b, -1, 16, s));
    REFUSED(ct_copy_blocks(b, b, b, INT64_MAX, 16, s));
    REFUSED(ct_copy_blocks(b, b, nullptr, 1, 16, s));
    REFUSED(ct_copy_blocks(nullptr, b, b, 1, 16, s));
    REFUSED(ct_copy_blocks(b, nullptr, b, 1, 16, s));
    REFUSED(ct_argmax(nullptr, b, 1, 4, 4, s));
    REFUSED(ct_argmax(b, nullptr, 1, 4, 4, s));
    REFUSED(ct_argmax(b, b, 1, 0, 4, s));
    REFUSED(ct_argmax(b, b, INT64_MAX, 4, 4, s));
    REFUSED(ct_argmax(b, b, 1, 4, 3, s));
    CHECK_OK(ct_weights_destroy(w));
}

ct_attention_params small_attention() {
    ct_attention_params p{};
    p.struct_bytes = sizeof p;
    p.num_tokens = p.num_seqs = p.max_blocks = p.num_blocks = 1;
    p.num_q_heads = p.num_kv_heads = 1;
    p.head_dim = 16;
    p.q_stride = p.out_stride = 16;
    p.block_stride = 256;
    p.scale = 1;
    return p;
}

void refusesWrongAttentionPlans(Device& d, ct_buffer* b) {
    int64_t bytes = -1;
    const ct_attention_params good = small_attention();
    CHECK_OK(ct_attention_plan_bytes(&bytes, d.device, &good));
    CHECK(bytes == 0);  // the cpu needs none
    CHECK_OK(ct_attention_plan(nullptr, b, b, &good, d.stream));
    REFUSED(ct_attention_plan_bytes(nullptr, d.device, &good));
    REFUSED(ct_attention_plan_bytes(&bytes, nullptr, &good));
    REFUSED(ct_attention_plan_bytes(&bytes, d.device, nullptr));
    REFUSED(ct_attention_plan(nullptr, nullptr, b, &good, d.stream));
    REFUSED(ct_attention_plan(nullptr, b, nullptr, &good, d.stream));
    REFUSED(ct_attention_plan(nullptr, b, b, nullptr, d.stream));
    REFUSED(ct_attention_plan(nullptr, b, b, &good, nullptr));
    auto status_of = [&](auto change) {
        ct_attention_params p = good;
        change(p);
        return ct_attention_plan_bytes(&bytes, d.device, &p);
    };
    CHECK_STATUS(status_of([](auto& p) { p.block_size = 17; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.block_size = 32; }), CT_UNSUPPORTED);
    CHECK_STATUS(status_of([](auto& p) { p.kv_dtype = 9; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.kv_dtype = CT_F8_E4M3, p.v_scale = 2; }), CT_OK);
    CHECK_STATUS(status_of([](auto& p) { p.k_scale = testing::kNan; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.v_scale = 2; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.head_dim = 576; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.head_dim = 576, p.head_dim_v = 512; }), CT_OK);
    CHECK_STATUS(status_of([](auto& p) { p.values_in_keys = 1; }), CT_OK);
    CHECK_STATUS(status_of([](auto& p) { p.values_in_keys = 2; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.balanced = 2; }), CT_INVALID);
    // Places of keys, and of a piece of work behind the last, are int32.
    CHECK_STATUS(status_of([](auto& p) { p.max_blocks = (int64_t{1} << 27) - 255; }), CT_INVALID);
    CHECK_STATUS(status_of([](auto& p) { p.max_blocks = (int64_t{1} << 27) - 256; }), CT_OK);
    CHECK_STATUS(status_of([](auto& p) { p.max_q_len = -1; }), CT_INVALID);
}

// The k'th call fails, and every later one but destroying; what was made before goes all the same.
void aLostDeviceStaysLost() {
    Device d;
    Array<float> kept(d, 64);
    ct_event* event = nullptr;
    CHECK_OK(ct_event_create(&event, d.device));
    CHECK_OK(ct_device_inject_fault(d.device, 3));
    CHECK_OK(ct_fill(kept.buffer, 0, 64, 1, d.stream));
    CHECK_OK(ct_event_wait(event, 0));
    CHECK_STATUS(ct_fill(kept.buffer, 0, 64, 2, d.stream), CT_DEVICE_LOST);
    CHECK(std::string(ct_last_error()).find("a fault was injected") != std::string::npos);
    ct_buffer* buffer = nullptr;
    ct_stream* stream = nullptr;
    ct_event* other = nullptr;
    ct_graph* graph = nullptr;
    CHECK_STATUS(ct_buffer_create(&buffer, d.device, 64), CT_DEVICE_LOST);
    CHECK_STATUS(ct_stream_create(&stream, d.device), CT_DEVICE_LOST);
    CHECK_STATUS(ct_event_create(&other, d.device), CT_DEVICE_LOST);
    CHECK_STATUS(ct_event_record(event, d.stream), CT_DEVICE_LOST);
    CHECK_STATUS(ct_event_wait(event, 0), CT_DEVICE_LOST);
    CHECK_STATUS(ct_stream_begin_capture(d.stream), CT_DEVICE_LOST);
    CHECK_STATUS(ct_stream_synchronize(d.stream), CT_DEVICE_LOST);
    CHECK(!buffer && !stream && !other && !graph);
    CHECK_OK(ct_event_destroy(event));
}

void theCpuHasNoRuntimeOfItsOwn(Device& d, ct_buffer* b) {
    void* native = nullptr;
    CHECK_STATUS(ct_stream_native(&native, d.stream), CT_UNSUPPORTED);
    CHECK_STATUS(ct_buffer_device_address(&native, b), CT_UNSUPPORTED);
    CHECK(native == nullptr);
    REFUSED(ct_stream_native(nullptr, d.stream));
    REFUSED(ct_stream_native(&native, nullptr));
    REFUSED(ct_buffer_device_address(nullptr, b));
    REFUSED(ct_buffer_device_address(&native, nullptr));
    int64_t stride = 0;
    REFUSED(ct_weights_device_address(&native, &stride, nullptr));
    REFUSED(ct_device_inject_fault(nullptr, 1));
    REFUSED(ct_device_inject_fault(d.device, -1));
}

int32_t sample(ct_buffer* b, const ct_sample_params* p, ct_stream* s, int missing = -1) {
    ct_buffer* a[13];
    for (int i = 0; i < 13; ++i) a[i] = i == missing ? nullptr : b;
    return ct_sample(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], nullptr, p, s);
}

void refusesWrongSampling(Device& d, ct_buffer* b) {
    ct_sample_params good{};
    good.struct_bytes = sizeof good;
    good.num_rows = 1;
    good.vocab_size = good.logits_stride = 4;
    good.num_bias = good.max_top_logprobs = good.num_history = good.num_masks = good.mask_stride = 1;
    good.num_slots = 1;
    for (int missing = 0; missing < 13; ++missing) REFUSED(sample(b, &good, d.stream, missing));
    REFUSED(sample(b, nullptr, d.stream));
    REFUSED(sample(b, &good, nullptr));
    auto refused = [&](auto change) {
        ct_sample_params p = good;
        change(p);
        REFUSED(sample(b, &p, d.stream));
    };
    refused([](auto& p) { p.struct_bytes = sizeof p + 1; });
    refused([](auto& p) { p.struct_bytes = 7; });
    refused([](auto& p) { p.struct_bytes = INT64_MIN; });
    refused([](auto& p) { p.num_rows = -1; });
    refused([](auto& p) { p.num_rows = INT64_MAX; });
    refused([](auto& p) { p.vocab_size = 0; });
    refused([](auto& p) { p.vocab_size = INT64_MAX; });
    refused([](auto& p) { p.logits_stride = 3; });
    refused([](auto& p) { p.num_bias = 65; });
    refused([](auto& p) { p.num_bias = -1; });
    refused([](auto& p) { p.max_top_logprobs = INT64_MAX; });
    refused([](auto& p) { p.num_history = 65; });
    refused([](auto& p) { p.num_history = INT64_MIN; });
    refused([](auto& p) { p.num_masks = 65; });
    refused([](auto& p) { p.num_masks = INT64_MAX; });
    refused([](auto& p) { p.mask_stride = 0; });
    refused([](auto& p) { p.num_slots = 3; });
    refused([](auto& p) { p.num_slots = INT64_MAX; });
    refused([](auto& p) { p.num_slots = -1; });
    refused([](auto& p) { p.logits_dtype = CT_F16; });
    refused([](auto& p) { p.shares_slots = 2; });
    int64_t bytes = 0;
    REFUSED(ct_sample_state_bytes(nullptr, d.device, 1, 4));
    REFUSED(ct_sample_state_bytes(&bytes, nullptr, 1, 4));
    REFUSED(ct_sample_state_bytes(&bytes, d.device, -1, 4));
    REFUSED(ct_sample_state_bytes(&bytes, d.device, INT64_MAX, 4));
    REFUSED(ct_sample_state_bytes(&bytes, d.device, 1, 0));
}

void readsSmallerStructures(Device& d, ct_buffer* b) {
    ct_device* device = nullptr;
    ct_device_options options{12, 1, INT32_MAX};  // the third field is beyond the caller's size
    CHECK_OK(ct_device_open(&device, "cpu", &options));
    CHECK_OK(ct_device_close(device));
    options.struct_bytes = sizeof options + 8;
    REFUSED(ct_device_open(&device, "cpu", &options));
    options = {sizeof options, -1, 0};
    REFUSED(ct_device_open(&device, "cpu", &options));
    options = {sizeof options, 0, 4};
    REFUSED(ct_device_open(&device, "cpu", &options));
    ct_device_info info{};
    std::memset(static_cast<void*>(&info), 0x55, sizeof info);
    info.struct_bytes = 24;
    CHECK_OK(ct_device_get_info(&info, d.device));
    CHECK(info.total_memory_bytes > 0 && info.num_threads == 0x55555555 && info.struct_bytes == 24);
    info.struct_bytes = sizeof info + 1;
    REFUSED(ct_device_get_info(&info, d.device));
    // Without max_top_logprobs the two outputs of it are not looked at.
    ct_sample_params p{};
    p.struct_bytes = 40;
    p.vocab_size = p.logits_stride = 4;
    p.max_top_logprobs = INT64_MAX;
    CHECK_OK(sample(b, &p, d.stream));
}

}  // namespace

int main() {
    tableNamesAllOfTheHeader();
    Device d;
    ct_buffer* b = nullptr;
    CHECK_OK(ct_buffer_create(&b, d.device, 256));
    refusesNullHandles(d, b);
    refusesWrongOperations(d, b);
    refusesWrongSampling(d, b);
    refusesWrongAttentionPlans(d, b);
    theCpuHasNoRuntimeOfItsOwn(d, b);
    aLostDeviceStaysLost();
    readsSmallerStructures(d, b);
    CHECK_OK(ct_stream_synchronize(d.stream));
    CHECK_OK(ct_buffer_destroy(b));
    return testing::finish("abi");
}
