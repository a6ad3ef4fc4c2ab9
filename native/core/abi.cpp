// abi.cpp: the library's own view of its ABI, derived by the compiler. abi_test holds it against the header's text.
#include <string>

#include "core/core.h"

namespace ct {

namespace {

std::string make_table() {
    std::string table;
    auto line = [&](const char* kind, const char* name, auto... numbers) {
        table.append(kind).append(" ").append(name);
        (table.append(" ").append(std::to_string(numbers)), ...);
        table.append("\n");
    };
#define CT_STRUCT(name) line("struct", #name, sizeof(name));
#define CT_FIELD(type, name) line("field", #type " " #name, offsetof(type, name), sizeof(type::name));
#define CT_ENUM(name) line("enum", #name, static_cast<int>(name));
#define CT_DEFINE(name) line("define", #name, name);
#define CT_FUNCTION(name)                                     \
    static_assert(std::is_function_v<decltype(name)>, #name); \
    line("function", #name);
    CT_DEFINE(CT_ABI_VERSION)
    CT_DEFINE(CT_KV_BLOCK_SIZE)
    CT_DEFINE(CT_MAX_TREE_ROWS)
    CT_DEFINE(CT_BUFFER_ALIGNMENT)
    CT_ENUM(CT_OK)
    CT_ENUM(CT_INVALID)
    CT_ENUM(CT_OUT_OF_MEMORY)
    CT_ENUM(CT_UNSUPPORTED)
    CT_ENUM(CT_UNAVAILABLE)
    CT_ENUM(CT_TIMEOUT)
    CT_ENUM(CT_INTERNAL)
    CT_ENUM(CT_DEVICE_LOST)
    CT_ENUM(CT_F32)
    CT_ENUM(CT_BF16)
    CT_ENUM(CT_F16)
    CT_ENUM(CT_F8_E4M3)
    CT_ENUM(CT_ISA_AUTO)
    CT_ENUM(CT_ISA_SCALAR)
    CT_ENUM(CT_ISA_AVX2)
    CT_ENUM(CT_ISA_AVX512)
    CT_ENUM(CT_PROBE_READ_BANDWIDTH)
    CT_ENUM(CT_PROBE_BF16_FLOPS)
    CT_ENUM(CT_PROBE_F32_FLOPS)
    CT_ENUM(CT_WEIGHTS_LINEAR)
    CT_ENUM(CT_WEIGHTS_EMBEDDING)
    CT_ENUM(CT_NORM_RMS)
    CT_ENUM(CT_NORM_LAYER)
    CT_ENUM(CT_NORM_NONE)
    CT_ENUM(CT_ROPE_NONE)
    CT_ENUM(CT_ROPE_HALVES)
    CT_ENUM(CT_ROPE_NEIGHBOURS)
    CT_ENUM(CT_SILU)
    CT_ENUM(CT_GELU_TANH)
    CT_ENUM(CT_SAMPLE_OK)
    CT_ENUM(CT_SAMPLE_NOT_FINITE)
    CT_ENUM(CT_SAMPLE_EMPTY)
    CT_STRUCT(ct_device_options)
    CT_FIELD(ct_device_options, struct_bytes)
    CT_FIELD(ct_device_options, num_threads)
    CT_FIELD(ct_device_options, isa)
    CT_STRUCT(ct_device_info)
    CT_FIELD(ct_device_info, struct_bytes)
    CT_FIELD(ct_device_info, total_memory_bytes)
    CT_FIELD(ct_device_info, free_memory_bytes)
    CT_FIELD(ct_device_info, num_threads)
    CT_FIELD(ct_device_info, isa)
    CT_FIELD(ct_device_info, name)
    CT_FIELD(ct_device_info, processor)
    CT_FIELD(ct_device_info, compute_capability)
    CT_FIELD(ct_device_info, num_sms)
    CT_STRUCT(ct_weights_part)
    CT_FIELD(ct_weights_part, data)
    CT_FIELD(ct_weights_part, rows)
    CT_FIELD(ct_weights_part, data_bytes)
    CT_STRUCT(ct_rope_params)
    CT_FIELD(ct_rope_params, struct_bytes)
    CT_FIELD(ct_rope_params, num_tokens)
    CT_FIELD(ct_rope_params, num_positions)
    CT_FIELD(ct_rope_params, num_slots)
    CT_FIELD(ct_rope_params, q_stride)
    CT_FIELD(ct_rope_params, qkv_stride)
    CT_FIELD(ct_rope_params, block_stride)
    CT_FIELD(ct_rope_params, num_q_heads)
    CT_FIELD(ct_rope_params, num_kv_heads)
    CT_FIELD(ct_rope_params, head_dim)
    CT_FIELD(ct_rope_params, rotary_dim)
    CT_FIELD(ct_rope_params, style)
    CT_FIELD(ct_rope_params, dtype)
    CT_FIELD(ct_rope_params, kv_dtype)
    CT_FIELD(ct_rope_params, eps)
    CT_FIELD(ct_rope_params, block_size)
    CT_FIELD(ct_rope_params, k_scale)
    CT_FIELD(ct_rope_params, v_scale)
    CT_STRUCT(ct_attention_params)
    CT_FIELD(ct_attention_params, struct_bytes)
    CT_FIELD(ct_attention_params, num_tokens)
    CT_FIELD(ct_attention_params, num_seqs)
    CT_FIELD(ct_attention_params, max_blocks)
    CT_FIELD(ct_attention_params, num_blocks)
    CT_FIELD(ct_attention_params, q_stride)
    CT_FIELD(ct_attention_params, out_stride)
    CT_FIELD(ct_attention_params, block_stride)
    CT_FIELD(ct_attention_params, num_q_heads)
    CT_FIELD(ct_attention_params, num_kv_heads)
    CT_FIELD(ct_attention_params, head_dim)
    CT_FIELD(ct_attention_params, window)
    CT_FIELD(ct_attention_params, dtype)
    CT_FIELD(ct_attention_params, kv_dtype)
    CT_FIELD(ct_attention_params, scale)
    CT_FIELD(ct_attention_params, soft_cap)
    CT_FIELD(ct_attention_params, block_size)
    CT_FIELD(ct_attention_params, head_dim_v)
    CT_FIELD(ct_attention_params, values_in_keys)
    CT_FIELD(ct_attention_params, max_q_len)
    CT_FIELD(ct_attention_params, balanced)
    CT_FIELD(ct_attention_params, k_scale)
    CT_FIELD(ct_attention_params, v_scale)
    CT_STRUCT(ct_sample_params)
    CT_FIELD(ct_sample_params, struct_bytes)
    CT_FIELD(ct_sample_params, num_rows)
    CT_FIELD(ct_sample_params, vocab_size)
    CT_FIELD(ct_sample_params, logits_stride)
    CT_FIELD(ct_sample_params, num_bias)
    CT_FIELD(ct_sample_params, max_top_logprobs)
    CT_FUNCTION(ct_last_error)
    CT_FUNCTION(ct_abi_version)
    CT_FUNCTION(ct_abi_table)
    CT_FUNCTION(ct_device_open)
    CT_FUNCTION(ct_device_close)
    CT_FUNCTION(ct_device_get_info)
    CT_FUNCTION(ct_device_probe)
    CT_FUNCTION(ct_device_inject_fault)
    CT_FUNCTION(ct_buffer_create)
    CT_FUNCTION(ct_buffer_create_host)
    CT_FUNCTION(ct_buffer_view)
    CT_FUNCTION(ct_buffer_destroy)
    CT_FUNCTION(ct_buffer_host_address)
    CT_FUNCTION(ct_buffer_bytes)
    CT_FUNCTION(ct_copy)
    CT_FUNCTION(ct_copy_blocks)
    CT_FUNCTION(ct_fill)
    CT_FUNCTION(ct_stream_create)
    CT_FUNCTION(ct_stream_destroy)
    CT_FUNCTION(ct_stream_synchronize)
    CT_FUNCTION(ct_event_create)
    CT_FUNCTION(ct_event_destroy)
    CT_FUNCTION(ct_event_record)
    CT_FUNCTION(ct_event_wait)
    CT_FUNCTION(ct_stream_begin_capture)
    CT_FUNCTION(ct_stream_end_capture)
    CT_FUNCTION(ct_graph_launch)
    CT_FUNCTION(ct_graph_destroy)
    CT_FUNCTION(ct_weights_create)
    CT_FUNCTION(ct_weights_destroy)
    CT_FUNCTION(ct_weights_bytes)
    CT_FUNCTION(ct_stream_native)
    CT_FUNCTION(ct_buffer_device_address)
    CT_FUNCTION(ct_weights_device_address)
    CT_FUNCTION(ct_embedding)
    CT_FUNCTION(ct_gather_rows)
    CT_FUNCTION(ct_feed_tokens)
    CT_FUNCTION(ct_sum_rows)
    CT_FUNCTION(ct_norm)
    CT_FUNCTION(ct_rope_kv_write)
    CT_FUNCTION(ct_attention_plan_bytes)
    CT_FUNCTION(ct_attention_plan)
    CT_FUNCTION(ct_paged_attention)
    CT_FUNCTION(ct_linear)
    CT_FUNCTION(ct_activation_mul)
    CT_FUNCTION(ct_soft_cap)
    CT_FUNCTION(ct_argmax)
    CT_FUNCTION(ct_sample_workspace_bytes)
    CT_FUNCTION(ct_sample)
    return table;
}

}  // namespace

}  // namespace ct

extern "C" int32_t ct_abi_version(void) { return CT_ABI_VERSION; }

extern "C" const char* ct_abi_table(void) {
    try {
        static const std::string table = ct::make_table();
        return table.c_str();
    } catch (...) {
        return "";
    }
}
