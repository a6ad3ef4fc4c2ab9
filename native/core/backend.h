// backend.h: what a device other than the CPU offers. A backend is a shared object of its own (libcortado_cuda.so,
// libcortado_simt.so) beside the library, loaded when a device of its kind is opened. The ABI functions check every
// argument; a backend gets plain addresses and sizes that are right.
#pragma once

#include "core/core.h"

namespace ct {

// What a backend may call. It must not have an error text or a queue of its own.
struct BackendHost {
    int64_t backend_bytes;  // kBackendBytes of the library; another one is not of this build
    int32_t (*fail)(int32_t status, const char* text);
    // Puts an operation into the stream of a device without a runtime (simt).
    int32_t (*enqueue)(ct_stream* stream, const Operation& operation);
    // The device has failed for good: every later call on it gives CT_DEVICE_LOST with this text.
    void (*lose)(ct_device* device, const char* text);
};

// What the host parts of kernels choose by.
struct DeviceLimits {
    int32_t num_sms;             // blocks that run at the same time, times the blocks a multiprocessor holds
    int32_t max_shared_bytes;    // of a block
    int32_t compute_capability;  // 90 for sm_90
};

// Where a kernel's host part launches: the queue is a cudaStream_t, or the ct_stream itself on simt.
struct LaunchContext {
    void* queue;
    const DeviceLimits* limits;
};

// Memory, streams and graphs of a device that has its own. Null in Backend: the device computes in host memory and its
// streams are the library's queues (simt). Every function returns a ct_status and has set the error text.
struct DeviceRuntime {
    int32_t (*open)(void** context, DeviceLimits* limits, char (&processor)[128], int32_t ordinal);
    int32_t (*close)(void* context);
    int32_t (*memory)(void* context, int64_t* total_bytes, int64_t* free_bytes);
    int32_t (*probe)(void* context, double* per_second, int32_t probe);

    // Zero-filled. host: pinned memory that the device reaches at the same address.
    int32_t (*allocate)(void* context, void** address, int64_t bytes, bool host);
    int32_t (*release)(void* context, void* address, bool host);
    // Blocks until `from`, any host memory, is no longer needed.
    int32_t (*upload)(void* context, void* to, const void* from, int64_t bytes);
    int32_t (*copy)(void* context, void* queue, void* to, const void* from, int64_t bytes);
    int32_t (*fill)(void* context, void* queue, void* to, int32_t value, int64_t bytes);

    int32_t (*stream_create)(void* context, void** queue);
    int32_t (*stream_destroy)(void* context, void* queue);
    int32_t (*stream_synchronize)(void* context, void* queue);
    int32_t (*event_create)(void* context, void** event);
    int32_t (*event_destroy)(void* context, void* event);
    int32_t (*event_record)(void* context, void* event, void* queue);
    int32_t (*event_wait)(void* context, void* event, int64_t timeout_ms);
    int32_t (*stream_wait)(void* context, void* queue, void* event);
    // Calls function(argument) in the queue's order, from a thread of the runtime; it must not call the runtime.
    int32_t (*host_call)(void* context, void* queue, void (*function)(void*), void* argument);
    int32_t (*begin_capture)(void* context, void* queue);
    int32_t (*end_capture)(void* context, void** graph, void* queue);
    int32_t (*graph_launch)(void* context, void* graph, void* queue);
    int32_t (*graph_destroy)(void* context, void* graph);
};

// ---- operations: the arguments of cortado.h as addresses -----------------------------------------------------------

struct EmbeddingArgs {
    void* y;
    const void* table;  // [rows][table_stride]
    const int32_t* ids;
    int64_t num_tokens, cols, rows, y_stride, table_stride;
    int32_t dtype, table_dtype;
    float scale;
};

struct GatherRowsArgs {
    void* y;
    const void* x;
    const int32_t* rows;
    int64_t num_rows, cols, x_rows, y_stride, x_stride;
    int32_t dtype;
};

struct FeedTokensArgs {
    int32_t* ids;
    const int32_t* tokens;
    const int32_t* rows;
    int64_t num_tokens, num_rows;
};

struct SumRowsArgs {
    float* sums;
    const void* x;
    const int32_t* segments;
    int64_t num_segments, cols, num_sums, x_rows, x_stride;
    int32_t dtype;
};

struct NormArgs {
    void* y;
    float* residual;  // nullable
    const void* x;
    const float* weight;  // null with CT_NORM_NONE
    int64_t rows, cols, y_stride, residual_stride, x_stride;
    int32_t dtype, kind;
    float eps, x_scale;
};

struct RopeArgs {
    void* q;
    void* k_cache;
    void* v_cache;
    const void* qkv;
    const int32_t* positions;
    const int64_t* slot_mapping;
    const float* cos_sin;  // nullable
    const float* q_norm;   // nullable, as k_norm
    const float* k_norm;
    ct_rope_params p;  // block_size, k_scale and v_scale already set to their defaults
};

struct LatentArgs {
    void* q;
    void* k_cache;
    const void* queries;
    const void* kv;
    const int32_t* positions;
    const int64_t* slot_mapping;
    const float* cos_sin;
    const float* kv_norm;
    ct_latent_params p;  // block_size and k_scale already set to their defaults
};

struct AttentionArgs {
    void* out;
    float* lse;  // nullable
    const void* q;
    const void* k_cache;
    const void* v_cache;  // null where the values lie in the keys
    const int32_t* block_table;
    const int32_t* cu_seqlens_q;
    const int32_t* seqlens_kv;
    const float* sinks;         // nullable
    const uint64_t* tree_mask;  // nullable
    void* plan;                 // plan_bytes of it
    int64_t plan_bytes;
    ct_attention_params p;  // block_size, head_dim_v, k_scale and v_scale already set to their defaults
};

struct LinearArgs {
    void* y;
    const void* x;
    const void* w;      // [n rounded up to 64][w_stride], zeros in the padding
    const float* bias;  // nullable
    int64_t rows, n, k, y_stride, x_stride, w_stride;
    int32_t y_dtype, x_dtype, w_dtype;
};

// Head h of the rows: its own n rows of w, x and y as many elements further.
struct LinearHeadsArgs {
    LinearArgs a;  // of head 0: n is a head's
    int64_t y_head_stride, x_head_stride;
    int32_t num_heads;
};

struct ActivationArgs {
    void* y;
    const void* x;
    int64_t rows, cols, y_stride, x_stride;
    int32_t dtype, activation;
};

struct SoftCapArgs {
    float* x;
    int64_t rows, cols, stride;
    float scale, cap;
};

struct CopyBlocksArgs {
    void* destination;
    const void* source;
    const int32_t* pairs;  // [num_pairs][2]: source block, destination block
    int64_t num_pairs, block_bytes, destination_blocks, source_blocks;
};

struct ArgmaxArgs {
    int32_t* token;
    const float* logits;
    int64_t rows, cols, stride;
};

struct SampleArgs {
    int32_t* token;
    float* logprob;
    int32_t* rank;
    int32_t* top_ids;
    float* top_logprobs;
    int32_t* status;
    int32_t* state;      // null: no slots
    const void* logits;  // of logits_dtype
    const ct_sample_row* rows;
    const int32_t* bias_ids;
    const float* bias_values;
    const int32_t* history_ids;
    const int32_t* masks;
    void* workspace;  // sample_workspace_bytes of it
    int64_t num_rows, vocab_size, logits_stride, num_bias, max_top, num_history, num_masks, mask_stride, num_slots;
    int32_t logits_dtype;
    bool shares_slots;
};

struct VerifyArgs {
    int32_t* tokens;
    int32_t* accepted;
    int32_t* path;
    int32_t* status;
    int64_t* moves;  // null: not wanted
    int32_t* state;  // the tables are null where they have no entries
    const void* logits;
    const ct_sample_row* rows;
    const void* draft_logits;
    const ct_sample_row* draft_params;
    const int32_t* bias_ids;
    const float* bias_values;
    const int32_t* history_ids;
    const int32_t* masks;
    const int32_t* cu_rows;
    const int32_t* draft_ids;
    const int32_t* parents;     // null: chains
    const int32_t* draft_rows;  // null: none
    const int64_t* slots;       // null: as moves
    void* workspace;            // verify_workspace_bytes of it
    int64_t num_requests, num_rows, num_draft_rows, max_tokens, vocab_size, logits_stride, draft_stride, num_bias,
        num_history, num_masks, mask_stride, num_slots;
    int32_t logits_dtype, draft_dtype, method;
};

struct KvMoveArgs {
    void* k_cache;
    void* v_cache;  // null: none
    const int64_t* moves;
    const int32_t* counts;  // null: max_moves each
    int64_t num_seqs, max_moves, num_slots;
    int64_t block_bytes;  // from one block to the next
    int64_t k_bytes;      // of a head of a token: a multiple of 16
    int64_t v_bytes;
    int32_t num_kv_heads, block_size;
};

struct MoeRouteArgs {
    int32_t* ids;
    float* weights;
    uint64_t* counts;  // nullable
    const float* logits;
    const float* bias;            // nullable
    const int64_t* slot_mapping;  // nullable
    ct_moe_route_params p;        // num_groups, top_groups and scale already set to their defaults
};

struct MoePlanArgs {
    int32_t* plan;  // moe_plan_bytes of it
    const int32_t* ids;
    int64_t num_tokens;
    int32_t top_k, num_experts;
};

// How an expert's matrix is stored: rows as LinearArgs::w, or kernels/linear/gpu_codes.h.
struct ExpertFormat {
    int32_t format;  // ct_weights_format
    int32_t group_shift;
};

// An expert's matrices on a backend's device; null: not there.
struct ExpertMatrices {
    const void* gate;
    const void* up;
    const void* down;
};

struct MoeExpertsArgs {
    void* y;
    const void* x;
    const int32_t* plan;
    const ExpertMatrices* experts;  // [num_experts], on the device
    const float* gate_bias;         // nullable, as the two below
    const float* up_bias;
    const float* down_bias;
    void* workspace;  // [num_tokens * top_k][inner] of p.x_dtype
    int64_t hidden, inner, hidden_stride, inner_stride;
    int32_t num_experts;
    ExpertFormat gate, up, down;
    ct_moe_params p;
};

struct MoeCombineArgs {
    void* out;
    const void* y;
    const int32_t* ids;
    const float* weights;
    const int32_t* present;    // nullable
    const void* shared;        // nullable
    const float* shared_gate;  // nullable
    ct_moe_combine_params p;
};

// One function an operation; each launches and returns a status.
struct Operations {
    int32_t (*embedding)(const LaunchContext&, const EmbeddingArgs&);
    int32_t (*gather_rows)(const LaunchContext&, const GatherRowsArgs&);
    int32_t (*feed_tokens)(const LaunchContext&, const FeedTokensArgs&);
    int32_t (*sum_rows)(const LaunchContext&, const SumRowsArgs&);
    int32_t (*norm)(const LaunchContext&, const NormArgs&);
    int32_t (*rope_kv_write)(const LaunchContext&, const RopeArgs&);
    int32_t (*latent_kv_write)(const LaunchContext&, const LatentArgs&);
    int32_t (*attention_plan_bytes)(const DeviceLimits&, const ct_attention_params&, int64_t* bytes);
    int32_t (*attention_plan)(const LaunchContext&, const AttentionArgs&);  // out, q and the caches are null
    int32_t (*paged_attention)(const LaunchContext&, const AttentionArgs&);
    int32_t (*linear)(const LaunchContext&, const LinearArgs&);
    int32_t (*linear_heads)(const LaunchContext&, const LinearHeadsArgs&);
    int32_t (*activation_mul)(const LaunchContext&, const ActivationArgs&);
    int32_t (*soft_cap)(const LaunchContext&, const SoftCapArgs&);
    int32_t (*copy_blocks)(const LaunchContext&, const CopyBlocksArgs&);
    int32_t (*argmax)(const LaunchContext&, const ArgmaxArgs&);
    int32_t (*sample_workspace_bytes)(const DeviceLimits&, const ct_sample_params&, int64_t* bytes);
    int32_t (*sample)(const LaunchContext&, const SampleArgs&);
    int32_t (*verify_workspace_bytes)(const DeviceLimits&, const ct_verify_params&, int64_t* bytes);
    int32_t (*verify)(const LaunchContext&, const VerifyArgs&);
    int32_t (*kv_move)(const LaunchContext&, const KvMoveArgs&);
    int32_t (*moe_route)(const LaunchContext&, const MoeRouteArgs&);
    int32_t (*moe_plan_bytes)(const DeviceLimits&, const MoePlanArgs&, int64_t* bytes);  // pointers are null
    int32_t (*moe_plan)(const LaunchContext&, const MoePlanArgs&);
    int32_t (*moe_experts)(const LaunchContext&, const MoeExpertsArgs&);
    int32_t (*moe_combine)(const LaunchContext&, const MoeCombineArgs&);
};

struct Backend {
    const char* name;  // "cuda", "simt"
    const DeviceRuntime* runtime;
    const Operations* operations;
    DeviceLimits limits;  // of a device without a runtime
};

// Changes with every operation that is added.
inline constexpr int64_t kBackendBytes = sizeof(Backend) + sizeof(Operations) + sizeof(DeviceRuntime);

// Exported by a backend's library under the name kBackendSymbol; null (with the error text set) when the host is of
// another build.
using BackendEntry = const Backend* (*)(const BackendHost* host);
inline constexpr char kBackendSymbol[] = "ct_backend";

// For an ABI function: true if a backend serves the stream's device, so that launch comes next.
inline bool has_backend(const ct_stream* stream) { return device_of(stream)->backend != nullptr; }

// CT_UNSUPPORTED that names the argument and what the CPU serves, if the device is the CPU.
int32_t refuse_on_cpu(const char* function, const ct_device* device, const char* name, int64_t value,
                      const char* served);

// Loads the backend's library once. CT_UNAVAILABLE with the reason where it is missing or cannot start.
int32_t load_backend(const Backend** backend, const char* name);

// Begins a launch on the stream: checks the device's health and gives the context.
int32_t begin_launch(const char* function, ct_stream* stream, LaunchContext* context);

// Ends it: a lost device stays lost.
int32_t end_launch(ct_stream* stream, int32_t status);

// The part of an ABI function that serves a device with a backend: launches and returns the status.
template <typename Args>
int32_t launch(const char* function, ct_stream* stream,
               int32_t (*Operations::*operation)(const LaunchContext&, const Args&), const Args& args) {
    const Backend& backend = *device_of(stream)->backend;
    const auto call = backend.operations->*operation;
    if (!call) return fail(CT_UNSUPPORTED, "%s: %s has no such operation", function, backend.name);
    LaunchContext context;
    CT_TRY(begin_launch(function, stream, &context));
    return end_launch(stream, call(context, args));
}

}  // namespace ct
