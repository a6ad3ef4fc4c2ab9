/*
 * cortado.h: the whole C ABI of Cortado's native library. C99, no CUDA types.
 *
 * The nouns
 *   ct_device   a processor that runs operations: "cpu", "cuda:N", or "simt:0" (the CUDA kernels executed on the CPU,
 *               for tests).
 *   ct_buffer   bytes on a device, or a view of another buffer's bytes. The caller owns it and destroys it.
 *   ct_stream   a queue of operations that run one after the other, asynchronously to the caller.
 *   ct_event    a point in a stream that a thread, or a stream of another device, can wait for.
 *   ct_graph    a recorded list of operations that one call runs again.
 *   ct_weights  a matrix packed once, at load, for the device.
 *   ct_experts  the matrices of a layer's experts.
 *
 * Rules
 *   - Every function returns a ct_status. After anything but CT_OK, ct_last_error() of the same thread tells what,
 *     the value and the limit, until the thread's next call of this library. No function aborts, throws or prints.
 *     One exception: an operation that runs while the host cannot give a thread its scratch memory (a few megabytes,
 *     allocated at first use and kept) ends the process.
 *   - Arguments: outputs first, then inputs, sizes, scalars, stream last. Strides and sizes are int64 and count
 *     ELEMENTS unless the name ends in `bytes`. A null that is not marked nullable, a negative size, a buffer that
 *     is too short for the shape, a misaligned view or a handle of another device is refused with CT_INVALID
 *     before anything is written.
 *   - Structures carry their size in bytes first (`struct_bytes`), so that they can grow: a smaller one than the
 *     library's is read as if the new fields were zero, a larger one is refused.
 *   - Operations that take a stream only enqueue. What they read must stay unchanged, and every handle must stay alive,
 *     until the stream has passed them. Handles may be used by any thread, one thread at a time.
 *   - Determinism: a row of a result depends on that row's inputs only, not on the number of rows, their order, the
 *     other rows, the block tables' numbering or the number of threads. Bit for bit.
 */
#ifndef CORTADO_H
#define CORTADO_H

#include <stdint.h>

#if defined(_WIN32)
#define CT_API
#else
#define CT_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define CT_ABI_VERSION 4

/* Tokens in a block of the paged KV cache, where a structure does not say otherwise. */
#define CT_KV_BLOCK_SIZE 16

/* Rows of one sequence that a tree mask can describe. */
#define CT_MAX_TREE_ROWS 64

/* Every buffer and view starts at a multiple of so many bytes. */
#define CT_BUFFER_ALIGNMENT 64

typedef struct ct_device ct_device;
typedef struct ct_buffer ct_buffer;
typedef struct ct_stream ct_stream;
typedef struct ct_event ct_event;
typedef struct ct_graph ct_graph;
typedef struct ct_weights ct_weights;

enum ct_status {
    CT_OK = 0,
    CT_INVALID = 1,       /* an argument is wrong; nothing was done */
    CT_OUT_OF_MEMORY = 2, /* the device or the host has not enough memory; nothing was done */
    CT_UNSUPPORTED = 3,   /* a legal request that this device cannot serve */
    CT_UNAVAILABLE = 4,   /* the device is not present on this machine */
    CT_TIMEOUT = 5,       /* the wait ended before the event; it may be waited for again */
    CT_INTERNAL = 6,      /* a fault of the library; the text says where */
    CT_DEVICE_LOST = 7,   /* the device has failed for good: close everything on it; cuda: in a new process */
    CT_MISMATCH = 8,      /* ranks disagree: about which exchange this is, or how much fits */
    CT_ABORTED = 9,       /* a rank has ended what ranks do together */
    CT_TRANSPORT = 10     /* what carries bytes between ranks has failed */
};

/* CT_F8_E4M3: 8 bits, no infinity, largest 448; larger values saturate (Micikevicius et al. 2022, arXiv 2209.05433). */
enum ct_dtype { CT_F32 = 0, CT_BF16 = 1, CT_F16 = 2, CT_F8_E4M3 = 3 };

/* ==== Errors and version ======================================================================================== */

/* Text of this thread's last failure, UTF-8; "" if the last call succeeded. Valid until the thread's next call. */
CT_API const char* ct_last_error(void);

/* CT_ABI_VERSION of the library. */
CT_API int32_t ct_abi_version(void);

/* The library's own view of its ABI, one fact a line: "struct NAME BYTES", "field STRUCT NAME OFFSET BYTES",
 * "enum NAME VALUE", "define NAME VALUE", "function NAME". A binding that disagrees with it is stale. */
CT_API const char* ct_abi_table(void);

/* ==== Devices =================================================================================================== */

/* Instruction sets of the CPU device, each a superset of the one before. */
enum ct_isa {
    CT_ISA_AUTO = 0,   /* the best this machine has */
    CT_ISA_SCALAR = 1, /* plain C++ */
    CT_ISA_AVX2 = 2,   /* AVX2, FMA, F16C */
    CT_ISA_AVX512 = 3  /* AVX-512 F, BW, DQ, VL, VNNI, BF16 */
};

typedef struct ct_device_options {
    int64_t struct_bytes;
    int32_t num_threads; /* threads of the team, the stream's own included; 0: one per available core */
    int32_t isa;         /* ct_isa; one that the machine lacks is refused with CT_UNAVAILABLE */
} ct_device_options;

typedef struct ct_device_info {
    int64_t struct_bytes;
    int64_t total_memory_bytes; /* cpu: the machine's, or the least limit of the process's control groups (Linux) */
    int64_t free_memory_bytes;  /* of it now, without swapping */
    int32_t num_threads;
    int32_t isa;                /* ct_isa in use */
    char name[64];              /* "cpu", "cuda:0", "simt:0" */
    char processor[128];        /* the processor's own name */
    int32_t compute_capability; /* of a GPU: 90 for sm_90; simt: of the GPU that it imitates; cpu: 0 */
    int32_t num_sms;            /* multiprocessors of a GPU; cpu: 0 */
} ct_device_info;

/* Opens "cpu", "cuda:N" or "simt:0"; the last two need libcortado_cuda.so or libcortado_simt.so beside this library,
 * and are CT_UNAVAILABLE with what is missing where they cannot start. options is nullable; isa is the CPU's own, and
 * CT_ISA_AUTO for others. */
CT_API int32_t ct_device_open(ct_device** device, const char* name, const ct_device_options* options);

/* Closes a device whose streams, buffers, weights, events and graphs are all destroyed; else CT_INVALID with their
 * number. */
CT_API int32_t ct_device_close(ct_device* device);

CT_API int32_t ct_device_get_info(ct_device_info* info, const ct_device* device);

enum ct_probe {
    CT_PROBE_READ_BANDWIDTH = 0, /* bytes per second read by all threads from memory far larger than the caches; cuda:
                                    read plus written by a copy */
    CT_PROBE_BF16_FLOPS = 1,     /* bf16 multiply-accumulates x 2 per second, all threads, operands in registers; on
                                    the CPU in float32, where that is faster */
    CT_PROBE_F32_FLOPS = 2       /* the same for float32 fused multiply-add */
};

/* Measures what this device can do at best (the floors of benchmarks), best of several runs; takes about a second.
 * CT_UNSUPPORTED on simt. */
CT_API int32_t ct_device_probe(double* per_second, ct_device* device, int32_t probe);

/* For tests of what depends on the device: the call'th call from now on that allocates, enqueues, launches or waits on
 * this device fails with CT_DEVICE_LOST and so does every later one, as if the device had failed; 0 injects nothing.
 * Destroying and closing still work. */
CT_API int32_t ct_device_inject_fault(ct_device* device, int64_t call);

/* ==== Buffers =================================================================================================== */

/* Allocates zero-filled device memory. bytes >= 1. */
CT_API int32_t ct_buffer_create(ct_buffer** buffer, ct_device* device, int64_t bytes);

/* Allocates zero-filled memory that the host and the device's operations both reach: pinned memory on CUDA (slow for
 * kernels: meant for what goes up and comes down), plain memory elsewhere. */
CT_API int32_t ct_buffer_create_host(ct_buffer** buffer, ct_device* device, int64_t bytes);

/* A window [offset_bytes, offset_bytes + bytes) of another buffer; offset_bytes a multiple of CT_BUFFER_ALIGNMENT. The
 * parent must outlive it. */
CT_API int32_t ct_buffer_view(ct_buffer** view, ct_buffer* parent, int64_t offset_bytes, int64_t bytes);

/* The bytes of a host buffer of another device, for the operations of the device "cpu": what one writes the other reads,
 * in the order that ct_stream_wait_event gives them. The parent must outlive it. */
CT_API int32_t ct_buffer_share(ct_buffer** shared, ct_device* cpu, ct_buffer* parent);

CT_API int32_t ct_buffer_destroy(ct_buffer* buffer);

/* Address of the bytes for the host to read and write while no operation uses them; CT_UNSUPPORTED where the host
 * cannot: device memory of cuda and simt. */
CT_API int32_t ct_buffer_host_address(void** address, ct_buffer* buffer);

CT_API int32_t ct_buffer_bytes(int64_t* bytes, const ct_buffer* buffer);

/* destination[offset..] = source[offset..]; the ranges must not overlap. Between device and host buffers as well. */
CT_API int32_t ct_copy(ct_buffer* destination, const ct_buffer* source, int64_t destination_offset_bytes,
                       int64_t source_offset_bytes, int64_t bytes, ct_stream* stream);

/* For each pair i: block destination[pairs[i][1]] = block source[pairs[i][0]], blocks of block_bytes (a multiple of
 * 16). pairs int32[num_pairs][2]; a pair outside either buffer copies nothing. The two may be the same buffer if no
 * block is both read and written by one call; one may be a host buffer (swap). */
CT_API int32_t ct_copy_blocks(ct_buffer* destination, const ct_buffer* source, const ct_buffer* pairs,
                              int64_t num_pairs, int64_t block_bytes, ct_stream* stream);

/* Rows within host memory: for each i, row_bytes at to + moves[i][0] = those at from + moves[i][1]. moves
 * int64[num_rows][2], in bytes; rows of to overlap neither each other nor from. Returns when all are copied: by the
 * threads of device, where its operations run on the host and none runs now, else by the caller's. It enqueues nothing.
 * CT_INVALID, and nothing is copied, where a row is not inside to_bytes or from_bytes. */
CT_API int32_t ct_host_copy_rows(void* to, int64_t to_bytes, const void* from, int64_t from_bytes, const int64_t* moves,
                                 int64_t num_rows, int64_t row_bytes, ct_device* device);

/* Sets each byte of [offset_bytes, offset_bytes + bytes) to value (0 to 255). */
CT_API int32_t ct_fill(ct_buffer* destination, int64_t offset_bytes, int64_t bytes, int32_t value, ct_stream* stream);

/* ==== Streams, events, graphs =================================================================================== */

CT_API int32_t ct_stream_create(ct_stream** stream, ct_device* device);

/* The same for one who waits for each operation anyway: on cpu and simt they run within the calls that enqueue them, on
 * the caller's thread, once no operation of another stream runs. On cuda a stream like others. */
CT_API int32_t ct_stream_create_immediate(ct_stream** stream, ct_device* device);

/* Waits for what was enqueued, then destroys. */
CT_API int32_t ct_stream_destroy(ct_stream* stream);

/* Waits until everything enqueued so far has run. */
CT_API int32_t ct_stream_synchronize(ct_stream* stream);

CT_API int32_t ct_event_create(ct_event** event, ct_device* device);
CT_API int32_t ct_event_destroy(ct_event* event);

/* The event is reached when the stream has run everything enqueued before this call. Recording again moves it. */
CT_API int32_t ct_event_record(ct_event* event, ct_stream* stream);

/* Waits for at most timeout_ms (0: only asks): CT_OK if reached (or never recorded), CT_TIMEOUT if not. */
CT_API int32_t ct_event_wait(ct_event* event, int64_t timeout_ms);

/* What is enqueued on the stream after this call runs once the event is reached, as ct_event_record has moved it before
 * this call; the event is of another device, or of the same one where that is cuda. cpu and simt run no other stream
 * meanwhile, so that the event must not depend on one. An event of cuda that cpu or simt waits for must not be recorded
 * again before the wait is over. Refused while the stream is capturing. */
CT_API int32_t ct_stream_wait_event(ct_stream* stream, ct_event* event);

/* What ct_stream_call calls. It must return, and neither throw nor unwind. */
typedef void (*ct_host_function)(void* argument);

/* Enqueues: function(argument), on a thread of the library's. What is enqueued after it runs when it has returned; on cpu
 * and simt no other stream of the device runs meanwhile. It may block. Of the device whose stream it is it may, on cpu and
 * simt, use streams of ct_stream_create_immediate, which run within it; else it must not call into that device; on cuda
 * memory that it reaches is host memory. Refused while the stream is capturing. */
CT_API int32_t ct_stream_call(ct_stream* stream, ct_host_function function, void* argument);

/* From here on operations on this stream are recorded and not run. Events and nested captures are refused meanwhile. */
CT_API int32_t ct_stream_begin_capture(ct_stream* stream);

/* Ends recording. The graph keeps the arguments by value and refers to the handles, which must outlive it. */
CT_API int32_t ct_stream_end_capture(ct_graph** graph, ct_stream* stream);

CT_API int32_t ct_graph_launch(ct_graph* graph, ct_stream* stream);
CT_API int32_t ct_graph_destroy(ct_graph* graph);

/* ==== Weights =================================================================================================== */

/* What a matrix is for: decides how it is packed. */
enum ct_weights_use {
    CT_WEIGHTS_LINEAR = 0,    /* ct_linear, and ct_embedding (tied embeddings) */
    CT_WEIGHTS_EMBEDDING = 1, /* ct_embedding only: rows stay as they are */
    CT_WEIGHTS_EXPERT = 2     /* ct_moe_experts only */
};

/* How the numbers of a matrix are stored. The block formats are ggml's (ggml-common.h; GGUF version 3): so many
 * consecutive columns of a row make a block of so many bytes, and cols must be a multiple of the block.
 * "kept": on the cpu such a matrix stays quantised in memory and ct_linear computes on its codes. The others are
 * dequantised once, at load, as is everything quantised on cuda and simt but for CT_WEIGHTS_EXPERT. */
enum ct_weights_format {
    CT_FORMAT_F32 = 0, /* the first four are also ct_dtype's */
    CT_FORMAT_BF16 = 1,
    CT_FORMAT_F16 = 2,
    CT_FORMAT_F8_E4M3 = 3, /* kept. Element times scale: per matrix, row, or block such as 128 x 128 (scale_rows x
                              scale_cols) */
    CT_FORMAT_INT4 = 4, /* kept. (code - zero) * scale: two codes a byte, the even column in the low nibble; cols even;
                              AWQ, GPTQ and compressed-tensors after repacking. Columns lie in the order of the
                              activations: a matrix quantised in another order ("act order") is dequantised by the
                              caller */

    CT_FORMAT_Q4_0 = 16,    /* kept: 32 columns, 18 bytes */
    CT_FORMAT_Q4_1 = 17,    /* kept: 32, 20 */
    CT_FORMAT_Q5_0 = 18,    /* kept: 32, 22 */
    CT_FORMAT_Q5_1 = 19,    /* kept: 32, 24 */
    CT_FORMAT_Q8_0 = 20,    /* kept: 32, 34 */
    CT_FORMAT_Q2_K = 21,    /* kept: 256, 84 */
    CT_FORMAT_Q3_K = 22,    /* kept: 256, 110 */
    CT_FORMAT_Q4_K = 23,    /* kept: 256, 144 */
    CT_FORMAT_Q5_K = 24,    /* kept: 256, 176 */
    CT_FORMAT_Q6_K = 25,    /* kept: 256, 210 */
    CT_FORMAT_IQ4_NL = 26,  /* kept: 32, 18 */
    CT_FORMAT_IQ4_XS = 27,  /* kept: 256, 136 */
    CT_FORMAT_MXFP4 = 28,   /* kept: 32, 17 */
    CT_FORMAT_IQ1_S = 29,   /* 256, 50 */
    CT_FORMAT_IQ1_M = 30,   /* 256, 56 */
    CT_FORMAT_IQ2_XXS = 31, /* 256, 66 */
    CT_FORMAT_IQ2_XS = 32,  /* 256, 74 */
    CT_FORMAT_IQ2_S = 33,   /* 256, 82 */
    CT_FORMAT_IQ3_XXS = 34, /* 256, 98 */
    CT_FORMAT_IQ3_S = 35,   /* 256, 110 */
    CT_FORMAT_TQ1_0 = 36,   /* 256, 54 */
    CT_FORMAT_TQ2_0 = 37,   /* 256, 66 */
    CT_FORMAT_NVFP4 = 38,   /* 64, 36 */

    /* For ct_dequantize only (OCP Microscaling Formats 1.0). */
    CT_FORMAT_F8_E5M2 = 64,
    CT_FORMAT_F8_E8M0 = 65, /* powers of two: 2^(byte - 127), 255 is NaN */
    CT_FORMAT_F4_E2M1 = 66  /* two a byte, the even one in the low nibble */
};

/* Consecutive rows of the matrix. */
typedef struct ct_weights_part {
    const void* data; /* row-major [rows][cols], any alignment, little-endian; only read during the call */
    int64_t rows;
    int64_t data_bytes; /* what rows, cols and the format come to, or refused */

    /* Null and 0 but for CT_FORMAT_F8_E4M3 and CT_FORMAT_INT4: a grid [ceil(rows / scale_rows)][ceil(cols / scale_cols)],
     * row-major, whose last row and column may serve less. A NaN or infinite scale is refused. */
    const float* scales;  /* float32, any alignment */
    const uint8_t* zeros; /* (nullable: 8 everywhere) CT_FORMAT_INT4 only: 0 to 16 */
    int64_t num_scales;   /* elements of scales, and of zeros: what the grid comes to, or refused */
    int64_t scale_rows;   /* rows that share a scale, at least 1; may exceed rows: all */
    int64_t scale_cols;   /* the same of columns */
    int32_t format;       /* ct_weights_format */
} ct_weights_part;

/* Packs the parts, stacked by rows (q, k, v; gate, up), into one matrix [sum of rows][cols]; each part has its own
 * format. Uses the device's team of threads. Blocks until the data are no longer needed.
 *   dense_dtype  CT_F32 or CT_BF16: what a part that is dequantised becomes (rounded to nearest even). F32 and F16
 *                parts are stored as float32, BF16 parts as bf16, whatever it is
 *   On cuda and simt the whole matrix has one dtype: bf16 if every part is BF16, or quantised with dense_dtype CT_BF16;
 *   else float32. For CT_WEIGHTS_EXPERT one part of MXFP4, INT4 or F8_E4M3 stays quantised there where scale_cols is at
 *   least cols, or a power of two of at least 32 (F8_E4M3: 64); an F8_E4M3 code that is NaN is then refused.
 *   On the cpu a kept format stays quantised where its scales change at multiples of 32 columns at most, and cols is a
 *   multiple of 32; else it is dequantised as well. For CT_WEIGHTS_EMBEDDING every format stays as it is.
 * A block whose scale is NaN or infinite is refused. */
CT_API int32_t ct_weights_create(ct_weights** weights, ct_device* device, const ct_weights_part* parts,
                                 int64_t num_parts, int64_t cols, int32_t dense_dtype, int32_t use);

/* y[i] = the value of element i, i < elements, exactly as float32, on the host: without scales, which only the block
 * formats contain. data little-endian at any alignment, data_bytes of it: what elements come to, or refused; elements a
 * multiple of the format's block (INT4 and F4_E2M1: of 2). INT4 gives code - 8. May be called from any thread. */
CT_API int32_t ct_dequantize(float* y, const void* data, int64_t elements, int64_t data_bytes, int32_t format);
CT_API int32_t ct_weights_destroy(ct_weights* weights);

/* Bytes that ct_weights_create would give the same arguments (ct_weights_bytes of the result): of shapes and formats
 * alone, so that memory can be planned before anything is read. Of data, scales and zeros only whether they are null
 * counts; nothing is read through them. */
CT_API int32_t ct_weights_packed_bytes(int64_t* bytes, ct_device* device, const ct_weights_part* parts,
                                       int64_t num_parts, int64_t cols, int32_t dense_dtype, int32_t use);

/* Bytes that the packed matrix occupies: what one pass over it reads. */
CT_API int32_t ct_weights_bytes(int64_t* bytes, const ct_weights* weights);

/* ==== For vendor libraries (cuBLASLt, NCCL), which take addresses of the device ================================= */

/* The stream of the device's own runtime: a cudaStream_t. CT_UNSUPPORTED on cpu and simt. Work that others put into it
 * is ordered with the operations of this library. */
CT_API int32_t ct_stream_native(void** native, const ct_stream* stream);

/* Address of the buffer's first byte on the device. CT_UNSUPPORTED on cpu, where the host's is the same. */
CT_API int32_t ct_buffer_device_address(void** address, const ct_buffer* buffer);

/* Address of the matrix on the device, row-major [rows][stride] of the stored dtype, rows and columns padded with zeros.
 * CT_UNSUPPORTED on cpu and simt. */
CT_API int32_t ct_weights_device_address(void** address, int64_t* stride, const ct_weights* weights);

/* ==== Embedding ================================================================================================= */

/* y[t, :] = scale * table[ids[t], :]. y[num_tokens, cols] dtype with y_stride; ids int32[num_tokens]. An id outside
 * [0, rows of the table) makes the row NaN: the sampler then reports that row alone. */
CT_API int32_t ct_embedding(ct_buffer* y, const ct_weights* table, const ct_buffer* ids, int64_t num_tokens,
                            int64_t y_stride, int32_t dtype, float scale, ct_stream* stream);

/* y[i, :] = x[rows[i], :] for i < num_rows. rows int32; outside [0, x_rows) makes the row NaN. y must not alias x. */
CT_API int32_t ct_gather_rows(ct_buffer* y, const ct_buffer* x, const ct_buffer* rows, int64_t num_rows, int64_t cols,
                              int64_t x_rows, int64_t y_stride, int64_t x_stride, int32_t dtype, ct_stream* stream);

/* ids[t] = tokens[rows[t]] where rows[t] is not negative, else ids[t] stays: the tokens that the step before drew become
 * the inputs of the next without the host. ids, rows int32[num_tokens]; tokens int32[num_rows]; a row outside
 * [0, num_rows) gives -1. */
CT_API int32_t ct_feed_tokens(ct_buffer* ids, const ct_buffer* tokens, const ct_buffer* rows, int64_t num_tokens,
                              int64_t num_rows, ct_stream* stream);

/* Sums of rows, for pooling: sums[n, :] = (restarts ? 0 : sums[n, :]) + x[first, :] + ... + x[end - 1, :], added in that
 * order, one row after the other in float32, so the bits do not depend on how the rows are cut into calls.
 * sums float32[num_sums][cols]; x [x_rows, cols] of dtype with x_stride; segments int32[num_segments][4]: first, end, n,
 * restarts (0 or 1), no n twice. Rows outside [0, x_rows] or first > end make the sum NaN; n outside [0, num_sums)
 * writes nothing. sums must not alias x. */
CT_API int32_t ct_sum_rows(ct_buffer* sums, const ct_buffer* x, const ct_buffer* segments, int64_t num_segments,
                           int64_t cols, int64_t num_sums, int64_t x_rows, int64_t x_stride, int32_t dtype,
                           ct_stream* stream);

/* ==== Norm ====================================================================================================== */

enum ct_norm_kind {
    CT_NORM_RMS = 0,   /* v / sqrt(mean(v^2) + eps) * weight (Zhang and Sennrich 2019, arXiv 1910.07467) */
    CT_NORM_LAYER = 1, /* (v - mean) / sqrt(mean((v - mean)^2) + eps) * weight (Ba et al. 2016, arXiv 1607.06450) */
    CT_NORM_NONE = 2   /* v; weight is null */
};

/* With residual:    residual = residual + x_scale * x, then y = norm(residual).
 * Without residual: y = norm(x_scale * x).    Summed in float32 in a fixed order.
 * y, x [rows, cols] of dtype with their strides; residual (nullable) [rows, cols] float32 with residual_stride;
 * weight float32[cols]. y may be x. */
CT_API int32_t ct_norm(ct_buffer* y, ct_buffer* residual, const ct_buffer* x, const ct_buffer* weight, int64_t rows,
                       int64_t cols, int64_t y_stride, int64_t residual_stride, int64_t x_stride, int32_t dtype,
                       int32_t kind, float eps, float x_scale, ct_stream* stream);

/* ==== RoPE and the KV write ===================================================================================== */

enum ct_rope_style {
    CT_ROPE_NONE = 0,      /* no rotation: q/k norm and KV write only */
    CT_ROPE_HALVES = 1,    /* pairs (i, i + rotary_dim / 2): GPT-NeoX, Llama of transformers */
    CT_ROPE_NEIGHBOURS = 2 /* pairs (2i, 2i + 1): GPT-J, GLM, Cohere */
};

typedef struct ct_rope_params {
    int64_t struct_bytes;
    int64_t num_tokens;
    int64_t num_positions; /* rows of cos_sin; a token beyond gets NaN in q and writes no K and V */
    int64_t num_slots;     /* slots of the cache: blocks * block_size */
    int64_t q_stride;      /* elements from one token to the next in q */
    int64_t qkv_stride;    /* the same in qkv */
    int64_t block_stride;  /* elements from one block to the next in k_cache and v_cache */
    int32_t num_q_heads;
    int32_t num_kv_heads;
    int32_t head_dim;   /* 16 to 256, a multiple of 16 */
    int32_t rotary_dim; /* even, at most head_dim */
    int32_t style;      /* ct_rope_style */
    int32_t dtype;      /* of qkv and q: CT_F32 or CT_BF16 */
    int32_t kv_dtype;   /* ct_dtype of the cache: numbers are rounded to nearest even, beyond its largest saturated
                           (CT_F8_E4M3) or infinite */
    float eps;          /* of the q and k norms */
    int32_t block_size; /* tokens in a block: 16, 32 or 64; 0: 16. The cpu serves 16 */
    float k_scale;      /* the cache holds k / k_scale and v / v_scale; 0: 1. Only with CT_F8_E4M3 */
    float v_scale;
} ct_rope_params;

/* For each token: norms q and k per head (where q_norm, k_norm are given), rotates them, writes q, and writes k and v
 * to the paged cache at the token's slot.
 *   q            [num_tokens][num_q_heads][head_dim] dtype, q_stride; may be qkv itself (rotated in place)
 *   k_cache, v_cache  pages [block][num_kv_heads][block_size][head_dim] kv_dtype
 *   qkv          [num_tokens][(num_q_heads + 2 * num_kv_heads) * head_dim]: q, then k, then v
 *   positions    int32[num_tokens]
 *   slot_mapping int64[num_tokens]: block * block_size + place in the block; -1 writes nothing, also any other id
 *                outside the cache
 *   cos_sin      float32[num_positions][rotary_dim]: rotary_dim / 2 cosines, then as many sines; nullable with
 *                CT_ROPE_NONE
 *   q_norm, k_norm (nullable, both or none) float32[head_dim] */
CT_API int32_t ct_rope_kv_write(ct_buffer* q, ct_buffer* k_cache, ct_buffer* v_cache, const ct_buffer* qkv,
                                const ct_buffer* positions, const ct_buffer* slot_mapping, const ct_buffer* cos_sin,
                                const ct_buffer* q_norm, const ct_buffer* k_norm, const ct_rope_params* params,
                                ct_stream* stream);

typedef struct ct_latent_params {
    int64_t struct_bytes;
    int64_t num_tokens;
    int64_t num_positions;  /* rows of cos_sin; a token beyond gets NaN in q and writes nothing to the cache */
    int64_t num_slots;      /* slots of the cache: blocks * block_size */
    int64_t q_stride;       /* elements from one token to the next in q */
    int64_t queries_stride; /* the same in queries */
    int64_t kv_stride;      /* the same in kv */
    int64_t block_stride;   /* elements from one block to the next in k_cache */
    int32_t num_heads;      /* of q; the cache has one */
    int32_t nope_dim;       /* of a head of queries: its first elements, which do not rotate; a multiple of 16 */
    int32_t latent_dim;     /* 16 to 512, a multiple of 16 */
    int32_t rope_dim;       /* 16 to 256, a multiple of 16 */
    int32_t style;          /* CT_ROPE_HALVES or CT_ROPE_NEIGHBOURS, of the rope_dim elements */
    int32_t dtype;          /* of queries, kv and q: CT_F32 or CT_BF16 */
    int32_t kv_dtype;       /* ct_dtype of the cache, as in ct_rope_params */
    float eps;              /* of the norm of the latent */
    int32_t block_size;     /* tokens in a block: 16, 32 or 64; 0: 16. The cpu serves 16 */
    float k_scale;          /* the cache holds elements / k_scale; 0: 1. Only with CT_F8_E4M3 */
} ct_latent_params;

/* Of latent attention with absorbed projections, what ct_rope_kv_write is of others (DeepSeek-V2, arXiv 2405.04434). For
 * each token: rotates the last rope_dim elements of each head of queries into the last of that head of q, whose first
 * latent_dim ct_linear_heads writes; norms the latent of kv, rotates what is behind it, and writes both to the paged
 * cache at the token's slot: its key, whose first latent_dim elements are its value.
 *   q            [num_tokens][num_heads][latent_dim + rope_dim] dtype, q_stride
 *   k_cache      pages [block][block_size][latent_dim + rope_dim] kv_dtype
 *   queries      [num_tokens][num_heads][nope_dim + rope_dim] dtype, queries_stride
 *   kv           [num_tokens][latent_dim + rope_dim] dtype, kv_stride
 *   positions, slot_mapping  as in ct_rope_kv_write
 *   cos_sin      float32[num_positions][rope_dim]: rope_dim / 2 cosines, then as many sines
 *   kv_norm      float32[latent_dim]: weights of the RMS norm */
CT_API int32_t ct_latent_kv_write(ct_buffer* q, ct_buffer* k_cache, const ct_buffer* queries, const ct_buffer* kv,
                                  const ct_buffer* positions, const ct_buffer* slot_mapping, const ct_buffer* cos_sin,
                                  const ct_buffer* kv_norm, const ct_latent_params* params, ct_stream* stream);

/* ==== Attention ================================================================================================= */

typedef struct ct_attention_params {
    int64_t struct_bytes;
    int64_t num_tokens; /* rows of q = cu_seqlens_q[num_seqs] */
    int64_t num_seqs;
    int64_t max_blocks; /* columns of block_table; times block_size at most 2^31 - 4096 */
    int64_t num_blocks; /* blocks of the cache */
    int64_t q_stride;   /* elements from one token to the next */
    int64_t out_stride;
    int64_t block_stride; /* elements from one block to the next in k_cache and v_cache */
    int32_t num_q_heads;  /* a multiple of num_kv_heads */
    int32_t num_kv_heads;
    int32_t head_dim; /* of q and k: 16 to 256, a multiple of 16; 576; with values_in_keys 16 to 576 */
    int32_t window;   /* 0: none; w: a token sees itself and the w - 1 before it */
    int32_t dtype;    /* of q and out: CT_F32 or CT_BF16 */
    int32_t kv_dtype; /* ct_dtype of the cache */
    float scale;      /* of q k^T, usually 1 / sqrt(head_dim) */
    float soft_cap;   /* 0: none; c: score = c * tanh(score / c), before the mask */

    /* From here on 0 is the default. The cpu device serves block_size 16 only. */
    int32_t block_size; /* tokens in a block: 16, 32 or 64; 0: 16 */
    int32_t head_dim_v; /* of v and out; 0: head_dim. Others: 512 with head_dim 576; with values_in_keys any multiple
                               of 16 up to head_dim and 512 */
    int32_t values_in_keys; /* 1: a value is the first head_dim_v elements of its key and v_cache is null (latent
                               attention with absorbed projections: DeepSeek-V2, arXiv 2405.04434) */
    int32_t max_q_len;      /* no sequence has more rows in this call; 0: not known */
    int32_t balanced; /* 1: the keys are cut into equal shares for the processors at hand, so the last bits of a row
                               depend on the batch; 0: cut at fixed places, so they do not */
    float k_scale;    /* key = k_scale * stored, value = v_scale * stored; 0: 1. Only with CT_F8_E4M3 */
    float v_scale;
} ct_attention_params;

/* Bytes of the plan that the batch's attention needs: at most so many for any lengths in a batch of these params
 * (num_tokens, num_seqs, max_blocks as limits). 0: this device needs none. */
CT_API int32_t ct_attention_plan_bytes(int64_t* bytes, const ct_device* device, const ct_attention_params* params);

/* Cuts the keys of a batch into tasks, once a step, for every layer whose params differ in nothing but window, scale,
 * soft_cap, k_scale and v_scale. The plan also holds the partial results, so calls that share it must share a stream.
 * Does nothing where ct_attention_plan_bytes is 0 (plan may be null there). */
CT_API int32_t ct_attention_plan(ct_buffer* plan, const ct_buffer* cu_seqlens_q, const ct_buffer* seqlens_kv,
                                 const ct_attention_params* params, ct_stream* stream);

/* Causal attention of a ragged batch over the paged cache; decode rows and prefill chunks in one call. The keys and
 * values of the batch's own tokens are already in the cache (ct_rope_kv_write).
 *   out          [num_tokens][num_q_heads][head_dim_v] dtype, out_stride
 *   lse          (nullable) float32[num_tokens][num_q_heads]: natural logarithm of the sum of exp(score), the sink
 *                included; -inf for a row that sees nothing
 *   q            [num_tokens][num_q_heads][head_dim] dtype, q_stride
 *   k_cache      pages [block][num_kv_heads][block_size][head_dim] kv_dtype, block_stride
 *   v_cache      pages [block][num_kv_heads][block_size][head_dim_v]; null with values_in_keys
 *   block_table  int32[num_seqs][max_blocks]
 *   cu_seqlens_q int32[num_seqs + 1], from 0, not falling: sequence s owns the rows [cu[s], cu[s + 1])
 *   seqlens_kv   int32[num_seqs]: tokens in the cache, the new ones included; the last row of a sequence sees them all.
 *                0 (a padded sequence), or a row that sees nothing, gives zeros
 *   sinks        (nullable) float32[num_q_heads]: a logit per head that takes part in the softmax and adds no value
 *   tree_mask    (nullable) uint64[num_tokens]: for the rows of a sequence with at most CT_MAX_TREE_ROWS of them: bit j
 *                of a row: it sees the sequence's j-th new token. All tokens before the new ones are visible (SpecInfer:
 *                Miao et al. 2023, arXiv 2305.09781). Replaces the causal mask among the new tokens for every sequence
 *                of the call
 *   plan         of ct_attention_plan for this batch; null where none is needed
 * A block id outside [0, num_blocks), or lengths that contradict each other, make the sequence's rows NaN. Scores and
 * sums are float32; the keys are taken in pieces at fixed absolute positions, combined in their order (online softmax:
 * Milakov and Gimelshein 2018, arXiv 1805.02867; paged KV: Kwon et al. 2023, arXiv 2309.06180). What a page holds beyond
 * a sequence's length never matters, NaN included. */
CT_API int32_t ct_paged_attention(ct_buffer* out, ct_buffer* lse, const ct_buffer* q, const ct_buffer* k_cache,
                                  const ct_buffer* v_cache, const ct_buffer* block_table, const ct_buffer* cu_seqlens_q,
                                  const ct_buffer* seqlens_kv, const ct_buffer* sinks, const ct_buffer* tree_mask,
                                  ct_buffer* plan, const ct_attention_params* params, ct_stream* stream);

/* ==== Linear ==================================================================================================== */

/* y[rows, N] = x[rows, K] @ W[N, K]^T + bias. N and K are the weights'; x of x_dtype, y of y_dtype (CT_F32 or CT_BF16);
 * bias (nullable) float32[N]. y must not alias x.
 * bf16 x with bf16 W multiplies in bf16 and sums in float32; every other pair of dense ones in float32. Rows of W that
 * are kept quantised are multiplied code by code, the codes being exact: in bf16 with bf16 x, else in float32; the sums
 * over a block take its scale in float32. x is never quantised. */
CT_API int32_t ct_linear(ct_buffer* y, const ct_buffer* x, const ct_weights* weights, const ct_buffer* bias,
                         int64_t rows, int64_t y_stride, int64_t x_stride, int32_t y_dtype, int32_t x_dtype,
                         ct_stream* stream);

typedef struct ct_linear_heads_params {
    int64_t struct_bytes;
    int64_t rows;
    int64_t y_stride; /* elements from one row to the next */
    int64_t x_stride;
    int64_t y_head_stride; /* elements from one head of a row to the next */
    int64_t x_head_stride;
    int32_t num_heads; /* a divisor of N; N / num_heads is a multiple of 16 */
    int32_t y_dtype;   /* CT_F32 or CT_BF16 */
    int32_t x_dtype;   /* the same */
    int32_t reserved;  /* 0 */
} ct_linear_heads_params;

/* Each head of a row times a matrix of its own: y[row, h, :] = x[row, h, :] @ W[h]^T, where W[h] is rows
 * [h * N / num_heads, (h + 1) * N / num_heads) of the weights and x[row, h, :] has K elements (the absorbed projections
 * of latent attention). The arithmetic is ct_linear's. Weights of one part, not kept quantised. y must not alias x.
 *   y   y_dtype[rows][num_heads][N / num_heads], y_stride and y_head_stride
 *   x   x_dtype[rows][num_heads][K], x_stride and x_head_stride */
CT_API int32_t ct_linear_heads(ct_buffer* y, const ct_buffer* x, const ct_weights* weights,
                               const ct_linear_heads_params* params, ct_stream* stream);

/* ==== Activation ================================================================================================ */

enum ct_activation { CT_SILU = 0, CT_GELU_TANH = 1 };

/* y[r, c] = act(x[r, c]) * x[r, cols + c]: gate and up side by side, as one linear gives them. y may be x. */
CT_API int32_t ct_activation_mul(ct_buffer* y, const ct_buffer* x, int64_t rows, int64_t cols, int64_t y_stride,
                                 int64_t x_stride, int32_t dtype, int32_t activation, ct_stream* stream);

/* x[r, c] = cap * tanh(scale * x[r, c] / cap), or scale * x[r, c] where cap is 0; in place. x float32[rows][cols] with
 * stride: logits (Gemma 2: arXiv 2408.00118). */
CT_API int32_t ct_soft_cap(ct_buffer* x, int64_t rows, int64_t cols, int64_t stride, float scale, float cap,
                           ct_stream* stream);

/* ==== Sampling ================================================================================================== */

enum ct_sample_status {
    CT_SAMPLE_OK = 0,
    CT_SAMPLE_NOT_FINITE = 1, /* a NaN or +inf among the logits, or made of them by bias or penalties; token -1 */
    CT_SAMPLE_EMPTY = 2,      /* every logit is -inf, or every token is banned; token -1 */
    CT_SAMPLE_INVALID = 3     /* the row points outside a table, or forces an id outside the vocabulary; token -1 */
};

/* Steps between the edited logits and the draw, in ct_sample_row.order. Each sees what the steps before it left, its
 * probabilities renormalised. p is a token's probability, H the entropy in nats. */
enum ct_sample_step {
    CT_STEP_END = 0,         /* the order ends here */
    CT_STEP_PENALTIES = 1,   /* repetition_penalty, then frequency_penalty and presence_penalty; counts of state_slot */
    CT_STEP_DRY = 2,         /* adds the row's second run of bias entries (DRY's matches are found by the host) */
    CT_STEP_TEMPERATURE = 3, /* logits / temperature; dynamic where dynatemp_range > 0 (llama.cpp's temp_ext) */
    CT_STEP_MIN_P = 4,       /* p >= min_p * the largest p */
    CT_STEP_TOP_K = 5,       /* the first top_k of the order; with CT_SAMPLE_KEEP_TIES also their last one's equals */
    CT_STEP_TOP_P = 6,       /* the shortest beginning of the order with at least top_p of the mass */
    CT_STEP_TYPICAL_P = 7,   /* the nearest by |-ln p - H| with at least typical_p of the mass, and all as near */
    CT_STEP_TOP_N_SIGMA = 8, /* logit >= the largest - top_n_sigma * the population's standard deviation */
    CT_STEP_EPSILON = 9,     /* p >= epsilon_cutoff, and the largest with its equals */
    CT_STEP_ETA = 10,        /* p >= min(eta, sqrt(eta) * exp(-H)), and the largest with its equals */
    CT_STEP_TOP_H = 11,      /* of the first 100, renormalised: while the sum of -p ln p, own included, is at most top_h
                                of the 100's; at least one */
    CT_STEP_XTC = 12,        /* with xtc_probability: removes all p >= xtc_threshold but the last of them */
    CT_STEP_MIROSTAT = 13    /* -log2 p <= mu of state_slot, at least one; then mu -= eta * (surprise drawn - tau) */
};

/* Steps that ct_sample_row.order has place for. */
#define CT_MAX_SAMPLE_STEPS 16

enum ct_sample_flags {
    CT_SAMPLE_LOGPROBS = 1,  /* logprob, rank and num_top of the row are wanted; else logprob 0, rank 0, no top */
    CT_SAMPLE_PROCESSED = 2, /* they tell of what the draw saw: kept tokens, tempered; others -inf */
    CT_SAMPLE_KEEP_TIES = 4, /* top_k keeps the k-th's equals */
    CT_SAMPLE_RESET = 8,     /* clears state_slot before all else: its counts, prompt marks and mu (to 2 * tau) */
    CT_SAMPLE_ASSUME = 16 /* the row reads state_slot and changes nothing there, so that rows may share it (drafts and
                                the token before them): it sees the slot with the reset and the history of the call's row
                                that owns it (the one without this flag, if there is one) and without any draw of the
                                call; its own history counts on top, for this row alone (meant for a few dozen ids). Not
                                with CT_SAMPLE_RESET or mirostat. Only with shares_slots */
};

/* A row's parameters. Zeros switch everything off, but for temperature (0: greedy) and those that say so. */
typedef struct ct_sample_row {
    int64_t seed; /* with position, stream_tag: key of the row's random numbers (Philox4x32-10; Salmon et al. 2011) */
    int64_t position;                   /* of the token to draw */
    uint8_t order[CT_MAX_SAMPLE_STEPS]; /* ct_sample_step each, CT_STEP_END behind the last; first 0: the steps in the
                                           order of their numbers */
    int32_t flags;                      /* ct_sample_flags */
    int32_t stream_tag;   /* uses of one seed and position draw other numbers by other tags; 0: sampling */
    int32_t forced;       /* >= 0: reports that token instead of drawing it; -1: draw. Not off by 0 */
    int32_t num_top;      /* of top_ids; at most max_top_logprobs */
    int32_t state_slot;   /* in [0, num_slots): the request's counts; -1: none. Not off by 0. Rows of one call have
                              different slots, but for those with CT_SAMPLE_ASSUME */
    int32_t mask_row;     /* of masks: tokens whose bit is 0 are banned; -1: none. Not off by 0 */
    int32_t allowed_row;  /* a second such row; -1: none. Not off by 0 */
    int32_t top_k;        /* <= 0 off */
    float temperature;    /* below 1e-5 greedy: the first of the order after penalties, no other step counts */
    float dynatemp_range; /* <= 0 off; else temperature -+ range by (H / ln n)^exponent, below 1e-5 greedy */
    float dynatemp_exponent;
    float min_p;           /* <= 0 off */
    float top_p;           /* >= 1 off; <= 0 keeps one. Not off by 0 */
    float typical_p;       /* <= 0, >= 1 off */
    float top_n_sigma;     /* <= 0 off */
    float epsilon_cutoff;  /* <= 0 off */
    float eta_cutoff;      /* <= 0 off */
    float top_h;           /* <= 0 off */
    float xtc_probability; /* <= 0 off */
    float xtc_threshold;   /* > 0.5 off */
    float mirostat_tau;    /* <= 0 off; needs state_slot */
    float mirostat_eta;
    float repetition_penalty; /* of tokens of prompt or output: negative logits times it, others divided by it; <= 0, 1:
                                 off */
    float frequency_penalty;  /* logit - count * frequency_penalty, count in the output */
    float presence_penalty;   /* logit - presence_penalty, where count > 0 */
    int32_t bias_begin; /* bias_ids in [bias_begin, bias_end): added before all else; -inf bans (logit bias, bad */
    int32_t bias_end;   /* words, min tokens) */
    int32_t dry_begin;  /* those in [dry_begin, dry_end): added by CT_STEP_DRY */
    int32_t dry_end;
    int32_t prompt_begin; /* history_ids in [prompt_begin, output_begin): noted in state_slot as of the prompt */
    int32_t output_begin; /* those in [output_begin, history_end): counted there as output */
    int32_t history_end;
} ct_sample_row;

typedef struct ct_sample_params {
    int64_t struct_bytes;
    int64_t num_rows;
    int64_t vocab_size;       /* columns that may be drawn */
    int64_t logits_stride;    /* elements; at least vocab_size */
    int64_t num_bias;         /* entries of bias_ids and bias_values; 0: those two may be null */
    int64_t max_top_logprobs; /* columns of top_ids and top_logprobs; 0: those two may be null */
    int64_t num_history;      /* entries of history_ids; 0: it may be null */
    int64_t num_masks;        /* rows of masks; 0: it may be null */
    int64_t mask_stride;      /* words from one row of masks to the next; at least vocab_size / 32, rounded up */
    int64_t num_slots;        /* of state; 0: it may be null */
    int32_t logits_dtype;     /* CT_F32 or CT_BF16 */
    int32_t shares_slots;     /* 1: rows may have CT_SAMPLE_ASSUME (a launch before and one behind); 0: such a row is
                                 CT_SAMPLE_INVALID */
} ct_sample_params;

/* Bytes of workspace that ct_sample needs for params; 0: none, and workspace may be null. Never fewer for more. */
CT_API int32_t ct_sample_workspace_bytes(int64_t* bytes, const ct_device* device, const ct_sample_params* params);

/* Bytes of a state with so many slots: 8 bytes a token of the vocabulary each. It starts zero-filled. */
CT_API int32_t ct_sample_state_bytes(int64_t* bytes, const ct_device* device, int64_t num_slots, int64_t vocab_size);

/* token[r] = the id of row r's largest logit, the lowest of equals; -1 where a logit is NaN. token int32[rows]; logits
 * float32[rows][cols] with stride. */
CT_API int32_t ct_argmax(ct_buffer* token, const ct_buffer* logits, int64_t rows, int64_t cols, int64_t stride,
                         ct_stream* stream);

/* Draws one token a row.
 *   token        int32[num_rows]
 *   logprob      float32[num_rows]: of the token, log-softmax of the logits after bans (masks and bias of -inf), before
 *                finite bias and penalties, untempered; or as CT_SAMPLE_PROCESSED says
 *   rank         int32[num_rows]: 1 + the number of tokens before it in the order, of the same logits
 *   top_ids, top_logprobs  int32, float32 [num_rows][max_top_logprobs]: the first of that order; filled up with -1 and
 *                -inf
 *   status       int32[num_rows]: ct_sample_status; a row that fails changes no other row; its slot keeps its reset and history
 *   state        (nullable) ct_sample_state_bytes: kept from call to call. A row with a slot first resets it where asked,
 *                then notes its history there, and at last counts the token that it drew
 *   logits       logits_dtype[num_rows][logits_stride]; not changed
 *   rows         ct_sample_row[num_rows]
 *   bias_ids, bias_values  (nullable) int32, float32 [num_bias]; an id may come more than once, ids outside the vocabulary
 *                are passed over
 *   history_ids  (nullable) int32[num_history]; ids outside the vocabulary are passed over
 *   masks        (nullable) int32[num_masks][mask_stride]: bit id % 32 of word id / 32 of a row: the token is allowed
 *   workspace    ct_sample_workspace_bytes; null where that is 0
 *
 * Order of work: masks and bias, then the steps of the row's order, then the draw by inverse CDF along the order.
 * The order is total: logit descending (as the penalties leave it, before temperature), then id ascending; greedy, top_k,
 * top_p, rank and the draw share it. Every device computes the same bits, but for the last ones of logarithms:
 *   - Logits are float32; bias, penalties and DRY round to float32 after each addition, product or quotient (a count times
 *     its penalty and their sum are double). A finite sum never bans: -inf becomes -FLT_MAX.
 *   - A token's weight is the integer 2^-t in units of 2^-(62 - b), 2^b >= vocab_size, rounded down, where t = (largest -
 *     logit) * rate in double, rate = log2(e) / temperature, rounded to 32 binary places, and 2^-t is right to 2^-29 of
 *     itself (kernels/sampling/weight.h). Sums of weights are exact, so their order does not count.
 *   - A share of a mass is rounded up to a whole unit. Cut-offs in p become the least float32 logit that meets them.
 * What is kept is therefore what a sort by (logit, id) and these integers keep. A token whose weight is 0 is never drawn. */
CT_API int32_t ct_sample(ct_buffer* token, ct_buffer* logprob, ct_buffer* rank, ct_buffer* top_ids,
                         ct_buffer* top_logprobs, ct_buffer* status, ct_buffer* state, const ct_buffer* logits,
                         const ct_buffer* rows, const ct_buffer* bias_ids, const ct_buffer* bias_values,
                         const ct_buffer* history_ids, const ct_buffer* masks, ct_buffer* workspace,
                         const ct_sample_params* params, ct_stream* stream);

/* ==== Speculative decoding ====================================================================================== */

/* ct_sample_row.stream_tag of what is drawn in one step of a request: with one seed and position their numbers differ.
 * ct_verify uses the last two itself; rows of the target have none of the others. */
enum ct_stream_tag {
    CT_TAG_SAMPLE = 0,  /* the target's draws, in ct_sample as in ct_verify */
    CT_TAG_DRAFT = 1,   /* a draft model's */
    CT_TAG_ACCEPT = 2,  /* whether a drafted token stands */
    CT_TAG_RESIDUAL = 3 /* what takes its place */
};

/* TOKENS: token by token, chains and trees (Leviathan et al. 2023, arXiv 2211.17192; several candidates: Miao et al. 2023,
 * arXiv 2305.09781). BLOCK: the requests whose nodes are a chain, each with a draft row, all at once (Sun et al. 2024,
 * arXiv 2403.10444, algorithm 2): never fewer tokens in expectation; the others as TOKENS. */
enum ct_verify_method { CT_VERIFY_TOKENS = 0, CT_VERIFY_BLOCK = 1 };

typedef struct ct_verify_params {
    int64_t struct_bytes;
    int64_t num_requests;
    int64_t num_rows;       /* of the target, over all requests */
    int64_t num_draft_rows; /* 0: draft_logits, draft_params and draft_rows may be null */
    int64_t max_tokens;     /* columns of tokens, path and moves, at least 1; nodes deeper than max_tokens - 1 are no
                               candidates */
    int64_t vocab_size;     /* columns of a row, of the target and of a draft */
    int64_t logits_stride;  /* elements; at least vocab_size */
    int64_t draft_stride;   /* the same of draft_logits */
    int64_t num_bias;       /* these five as in ct_sample_params */
    int64_t num_history;
    int64_t num_masks;
    int64_t mask_stride;
    int64_t num_slots;
    int32_t logits_dtype; /* CT_F32 or CT_BF16 */
    int32_t draft_dtype;
    int32_t method; /* ct_verify_method */
    int32_t reserved;
} ct_verify_params;

/* Bytes of workspace that ct_verify needs for params. Never fewer for more rows, requests or columns. */
CT_API int32_t ct_verify_workspace_bytes(int64_t* bytes, const ct_device* device, const ct_verify_params* params);

/* Which drafted tokens stand, and the token behind them: a tree of drafts a request, walked so that what is emitted has
 * the law of ct_sample drawing token by token.
 *
 * Request b has the rows [cu_rows[b], cu_rows[b + 1]). The first is its root: the logits behind the last token that was
 * emitted. Every other is a node: a drafted token (draft_ids) and the logits behind it (its own row). Row parameters are
 * ct_sample's, one for each row, so p, the law of a node's successors, is what ct_sample would draw from there: bans, bias,
 * penalties, every step. The drafts before a row are counted where its history names them (CT_SAMPLE_ASSUME).
 *
 *   tokens       int32[num_requests][max_tokens]: what is emitted, accepted drafts first; filled up with -1
 *   accepted     int32[num_requests]: the number of drafts that stand
 *   path         int32[num_requests][max_tokens]: rows within the request that the walk went through, root (0) first:
 *                accepted + 1 of them, then -1. Row path[i] gave tokens[i]
 *   status       int32[num_requests]: ct_sample_status. A row of the target that fails ends the walk there, without a token
 *                behind the accepted ones; one that the walk does not reach counts for nothing
 *   moves        (nullable, with slots) int64[num_requests][max_tokens][2]: for ct_kv_move: the slot of row path[i] and the
 *                slot of row i, where they differ, else -1, -1: brings the keys and values of the path together
 *   state        (nullable) as in ct_sample. A root that owns its slot (without CT_SAMPLE_ASSUME) has its reset and history
 *                noted before any row reads, and at last counts all the emitted tokens. Other rows, and draft rows, have
 *                CT_SAMPLE_ASSUME wherever they have a slot
 *   logits       logits_dtype[num_rows][logits_stride]; not changed
 *   rows         ct_sample_row[num_rows]: forced must be -1 and mirostat off, or the row is CT_SAMPLE_INVALID
 *   draft_logits (nullable) draft_dtype[num_draft_rows][draft_stride]: not changed
 *   draft_params (nullable) ct_sample_row[num_draft_rows]: as the draft was drawn with; the same tables as rows
 *   bias_ids, bias_values, history_ids, masks  as in ct_sample
 *   cu_rows      int32[num_requests + 1]: from 0, not falling, at most num_rows. A request without rows has accepted 0 and
 *                no tokens
 *   draft_ids    int32[num_rows]: the node's token; not read for roots. Outside the vocabulary, -1 say: no candidate, and
 *                none of those below. A draft that has a draft row must not be taken out so because of what it is: leave it
 *                to its p of 0
 *   parents      (nullable: chains) int32[num_rows]: the parent's row within the request, before the node's own; not read
 *                for roots. Else the request is CT_SAMPLE_INVALID
 *   draft_rows   (nullable: none have) int32[num_rows]: the draft row that the node's token was drawn from, q; -1: the
 *                token was chosen without chance, of the request's tokens before it. The children of a node may share a row:
 *                they were drawn from it independently. A draft row that fails, or whose index is not there, makes its nodes
 *                no candidates
 *   slots        (nullable) int64[num_rows]: where the row's keys and values lie
 *   workspace    ct_verify_workspace_bytes; null where that is 0
 *
 * At a node whose children have no draft rows, a token is drawn as ct_sample draws it, with the same random number; the
 * child of that token, the first of them, is the next node. So what is emitted equals what decoding without drafts emits
 * for the seed, greedy included.
 * Else the children are asked in their order: one stands where u * q(x) < r(x), u in (0, 1), r at first p; where it does
 * not, r becomes max(r - q, 0), renormalised (q without a draft row: 1 at the token). Where none stands, a token is drawn
 * from r by inverse CDF along the ids; where r has no mass, from p as ct_sample draws it. A child that q cannot have given
 * (q(x) = 0) never stands.
 * Random numbers: of the parent's row, seed and position, with CT_TAG_ACCEPT and the number of siblings before, or
 * CT_TAG_RESIDUAL; by CT_VERIFY_BLOCK with CT_TAG_ACCEPT of the row before the draft.
 * p and q are quotients of ct_sample's integers, in double (relative error 2^-51); r is in units of 2^-60, rounded down,
 * its sums exact. A request's results depend on that request alone, and are the same bits on every device. */
CT_API int32_t ct_verify(ct_buffer* tokens, ct_buffer* accepted, ct_buffer* path, ct_buffer* status, ct_buffer* moves,
                         ct_buffer* state, const ct_buffer* logits, const ct_buffer* rows,
                         const ct_buffer* draft_logits, const ct_buffer* draft_params, const ct_buffer* bias_ids,
                         const ct_buffer* bias_values, const ct_buffer* history_ids, const ct_buffer* masks,
                         const ct_buffer* cu_rows, const ct_buffer* draft_ids, const ct_buffer* parents,
                         const ct_buffer* draft_rows, const ct_buffer* slots, ct_buffer* workspace,
                         const ct_verify_params* params, ct_stream* stream);

typedef struct ct_kv_move_params {
    int64_t struct_bytes;
    int64_t num_seqs;
    int64_t max_moves;    /* of a sequence: columns of moves */
    int64_t num_slots;    /* slots of the cache: blocks * block_size */
    int64_t block_stride; /* elements from one block to the next in k_cache and v_cache */
    int32_t num_kv_heads;
    int32_t head_dim;   /* of k: a multiple of 16 */
    int32_t head_dim_v; /* of v; 0: head_dim */
    int32_t block_size; /* tokens in a block: 16, 32 or 64; 0: 16 */
    int32_t kv_dtype;   /* ct_dtype of the cache */
    int32_t reserved;
} ct_kv_move_params;

/* Moves tokens within the paged cache of a layer: all heads of slot `from` to slot `to`, a sequence's moves as if one
 * after the other, so an accepted path (every destination at or before its source, both ascending) comes together in
 * place. No slot that one sequence writes may be another's.
 *   k_cache      pages [block][num_kv_heads][block_size][head_dim] kv_dtype
 *   v_cache      pages [block][num_kv_heads][block_size][head_dim_v]; null: values lie in the keys
 *   moves        int64[num_seqs][max_moves][2]: from, to, as block * block_size + place in the block. One outside the
 *                cache, -1 say, moves nothing
 *   counts       (nullable: max_moves) int32[num_seqs]: the moves of a sequence; more than max_moves are max_moves */
CT_API int32_t ct_kv_move(ct_buffer* k_cache, ct_buffer* v_cache, const ct_buffer* moves, const ct_buffer* counts,
                          const ct_kv_move_params* params, ct_stream* stream);

/* ==== Mixture of experts ========================================================================================
 * A token's `top_k` choices are its slots: slot token * top_k + j holds its j-th. The order of work is ct_moe_route,
 * ct_moe_plan, ct_moe_experts, ct_moe_combine; each takes what the one before wrote, on one stream, and none needs the
 * host, so that all of it lives in a graph. A slot whose id is not an expert's, such as -1, is skipped by all of them. */

/* The experts of a layer: their matrices, which the caller owns. */
typedef struct ct_experts ct_experts;

/* Experts that a router can choose from. */
#define CT_MAX_EXPERTS 512

/* score[e], of the logits l of a token, in float32. */
enum ct_moe_scores {
    CT_MOE_SOFTMAX = 0,       /* exp(l[e]) / sum of exp(l) over all experts; weight = score */
    CT_MOE_SIGMOID = 1,       /* 1 / (1 + exp(-l[e])); weight = score */
    CT_MOE_SOFTMAX_CHOSEN = 2 /* l[e]; weight = exp(l[e]) / sum of exp(l) over the chosen (gpt-oss) */
};

/* What a group of experts is chosen by. */
enum ct_moe_group_score {
    CT_MOE_GROUP_BEST = 0,    /* its best (DeepSeek-V2: arXiv 2405.04434) */
    CT_MOE_GROUP_BEST_TWO = 1 /* the sum of its best two (DeepSeek-V3: arXiv 2412.19437) */
};

typedef struct ct_moe_route_params {
    int64_t struct_bytes;
    int64_t num_tokens;
    int64_t logits_stride; /* elements from one token to the next */
    int32_t num_experts;   /* 1 to CT_MAX_EXPERTS */
    int32_t top_k;         /* 1 to num_experts */
    int32_t scores;        /* ct_moe_scores */
    int32_t num_groups;    /* groups of num_experts / num_groups neighbours, a divisor; 0 or 1: none */
    int32_t top_groups;  /* groups that are chosen first; only their experts may be. They hold top_k experts or more */
    int32_t group_score; /* ct_moe_group_score; CT_MOE_GROUP_BEST_TWO needs two experts a group */
    int32_t renormalize; /* 1: weights are divided by (their sum + 1e-20) */
    float scale;         /* then multiplied with; 0: 1 */
} ct_moe_route_params;

/* Chooses top_k experts a token.
 *   ids      int32[num_tokens][top_k]: by descending key, of equals the lowest id first. The key is score + bias; without
 *            a bias the logit, which has the same order (groups by their best two always take scores)
 *   weights  float32[num_tokens][top_k]: scores without the bias, renormalised and scaled
 *   counts   (nullable) int64[num_experts]: the tokens that chose each are added
 *   logits   float32[num_tokens][num_experts], logits_stride
 *   bias     (nullable) float32[num_experts]: correction of the choice only (Wang et al. 2024, arXiv 2408.15664). A
 *            router's own bias belongs to the logits
 *   slot_mapping  (nullable) int64[num_tokens]: a token whose slot is negative fills up a batch: it gets the ids -1 with
 *            the weights 0 and counts nothing
 * A row with a NaN or +inf among its logits, with nothing but -inf, or with a NaN key, gets the ids 0 to top_k - 1 with
 * the weights NaN and counts nothing: the token's output is NaN, and the sampler reports that row alone. */
CT_API int32_t ct_moe_route(ct_buffer* ids, ct_buffer* weights, ct_buffer* counts, const ct_buffer* logits,
                            const ct_buffer* bias, const ct_buffer* slot_mapping, const ct_moe_route_params* params,
                            ct_stream* stream);

/* Bytes of the plan for so many tokens. Never fewer for more tokens. */
CT_API int32_t ct_moe_plan_bytes(int64_t* bytes, const ct_device* device, int64_t num_tokens, int32_t top_k,
                                 int32_t num_experts);

/* Sorts the slots by expert, those of one expert by slot (a stable counting sort): the plan begins with
 * int32 offsets[num_experts + 1] and int32 slots[num_tokens * top_k]: expert e has slots[offsets[e] .. offsets[e + 1]),
 * what lies behind offsets[num_experts] is undefined. The rest is the device's own.
 * ids int32[num_tokens][top_k]; an id outside [0, num_experts) belongs to no expert. A token may have an id twice.
 * num_tokens * top_k at most 2^31 - 2^16. */
CT_API int32_t ct_moe_plan(ct_buffer* plan, const ct_buffer* ids, int64_t num_tokens, int32_t top_k,
                           int32_t num_experts, ct_stream* stream);

/* gate, up: matrices [I][H]; down: [H][I]; num_experts of each, all for CT_WEIGHTS_EXPERT or CT_WEIGHTS_LINEAR and of
 * one part (or parts of one format), so that one call runs them all: the gates have one format, the ups, the downs. Keeps
 * the handles, which must outlive it; the arrays are only read during the call. An expert whose three matrices are null
 * is not on this device: its slots are skipped. At least one is. */
CT_API int32_t ct_experts_create(ct_experts** experts, ct_device* device, const ct_weights* const* gate,
                                 const ct_weights* const* up, const ct_weights* const* down, int32_t num_experts);
CT_API int32_t ct_experts_destroy(ct_experts* experts);

enum ct_moe_activation {
    CT_MOE_SILU = 0,        /* silu(gate) * up */
    CT_MOE_GELU_TANH = 1,   /* gelu(gate) * up, its tanh form */
    CT_MOE_SILU_CLAMPED = 2 /* (u + 1) * g * sigmoid(alpha * g), where g = min(gate, limit) and u = up clamped to
                               [-limit, limit] (gpt-oss) */
};

typedef struct ct_moe_params {
    int64_t struct_bytes;
    int64_t num_tokens;
    int64_t x_stride;   /* elements from one token to the next in x */
    int64_t y_stride;   /* the same from one slot to the next in y */
    int32_t top_k;      /* as in the plan */
    int32_t x_dtype;    /* of x, and of what is between the two products: CT_F32 or CT_BF16 */
    int32_t y_dtype;    /* CT_F32 or CT_BF16 */
    int32_t activation; /* ct_moe_activation */
    float alpha;        /* of CT_MOE_SILU_CLAMPED */
    float limit;        /* the same; > 0 */
} ct_moe_params;

/* Bytes of ct_moe_experts' workspace. Never fewer for more tokens. */
CT_API int32_t ct_moe_workspace_bytes(int64_t* bytes, const ct_experts* experts, const ct_moe_params* params);

/* For every slot of an expert e on this device, of token t:
 *   y[slot, :] = act(x[t, :] @ gate[e]^T + gate_bias[e], x[t, :] @ up[e]^T + up_bias[e]) @ down[e]^T + down_bias[e]
 * The arithmetic of the products is ct_linear's, bit for bit, with float32 between them and the activation, whose result
 * is rounded to x_dtype. Other rows of y stay as they are.
 *   y          y_dtype[num_tokens * top_k][H], y_stride
 *   x          x_dtype[num_tokens][H], x_stride
 *   plan       of ct_moe_plan for num_tokens, top_k and the experts' number
 *   gate_bias, up_bias, down_bias  (nullable, each) float32[num_experts][I], [I], [H]
 *   workspace  ct_moe_workspace_bytes */
CT_API int32_t ct_moe_experts(ct_buffer* y, const ct_buffer* x, const ct_buffer* plan, const ct_experts* experts,
                              const ct_buffer* gate_bias, const ct_buffer* up_bias, const ct_buffer* down_bias,
                              ct_buffer* workspace, const ct_moe_params* params, ct_stream* stream);

typedef struct ct_moe_combine_params {
    int64_t struct_bytes;
    int64_t num_tokens;
    int64_t cols;
    int64_t out_stride; /* elements from one token to the next */
    int64_t y_stride;   /* elements from one slot to the next */
    int64_t shared_stride;
    int32_t top_k;
    int32_t num_experts;
    int32_t out_dtype; /* CT_F32 or CT_BF16, as the two below */
    int32_t y_dtype;
    int32_t shared_dtype;
    int32_t reserved; /* 0 */
} ct_moe_combine_params;

/* out[t, :] = sum over j of weights[t, j] * y[t * top_k + j, :], in the order of j from 0 in float32; slots
 * whose id is outside [0, num_experts), or whose expert is not present, are skipped, whatever y holds. Then, where there are shared experts,
 * + sigmoid(shared_gate[t]) * shared[t, :].
 *   out          out_dtype[num_tokens][cols], out_stride; may be shared
 *   y            y_dtype[num_tokens * top_k][cols], y_stride
 *   ids, weights as ct_moe_route wrote them
 *   present      (nullable: all) int32[num_experts]: not 0 for the experts that y has rows of
 *   shared       (nullable) shared_dtype[num_tokens][cols], shared_stride
 *   shared_gate  (nullable: factor 1) float32[num_tokens]: logits (Qwen2-MoE) */
CT_API int32_t ct_moe_combine(ct_buffer* out, const ct_buffer* y, const ct_buffer* ids, const ct_buffer* weights,
                              const ct_buffer* present, const ct_buffer* shared, const ct_buffer* shared_gate,
                              const ct_moe_combine_params* params, ct_stream* stream);

/* ==== Ranks over UCX ============================================================================================ */

/* What carries bytes between processes, a rank each, in host memory, over UCX: shared memory, TCP, InfiniBand, as UCX
 * and its variables (UCX_TLS) choose. libucp.so.0 is loaded by the first call; before that UCX_ERROR_SIGNALS,
 * UCX_MEM_EVENTS and UCX_LOG_LEVEL are set in the environment, where they are not, so that it leaves signals, the
 * allocator and stderr to the process. CT_UNSUPPORTED where this library was built without UCX's headers,
 * CT_UNAVAILABLE where libucp cannot be loaded.
 *
 * Between processes of one host and user, parts go through memory that both have mapped since they were connected, all
 * but those of the first exchange: 2 MiB for each peer, less where there are many, at most 32 MiB a rank. Parts of at
 * least 16 KiB in memory of ct_ucx_allocate are copied once, by their receiver. Where that is not permitted, or UCX_TLS
 * leaves posix out, they go over UCX.
 *
 * A failure of an exchange is final for all ranks: it is told to those that can be reached, every later call but close
 * gives it again, and nothing is read from or written to the caller's memory any more. */
typedef struct ct_ucx ct_ucx;

#define CT_MAX_RANKS 256

typedef struct ct_ucx_options {
    int64_t struct_bytes;
    int32_t rank; /* in [0, size) */
    int32_t size; /* ranks, in [1, CT_MAX_RANKS] */
    int32_t
        spins; /* looks in vain before each further one yields the core; where ranks are more than cores, keep it small */
    int32_t reserved; /* 0 */
} ct_ucx_options;

/* Opens a rank's end. No memory of the caller is kept. */
CT_API int32_t ct_ucx_open(ct_ucx** ucx, const ct_ucx_options* options);

/* What peers connect to. bytes is set to its length; longer than capacity_bytes: CT_INVALID with the length in bytes. */
CT_API int32_t ct_ucx_address(void* address, int64_t* bytes, int64_t capacity_bytes, ct_ucx* ucx);

/* Connects to a peer by its address, once each; nothing is sent yet, a peer that is not there shows in the first
 * exchange. address is not checked by UCX beyond its form. */
CT_API int32_t ct_ucx_connect(ct_ucx* ucx, int32_t rank, const void* address, int64_t bytes);

/* Memory to send from, zeroed, which peers on the same host map when they first receive a part of it; until ct_ucx_close.
 * Any part may lie in it, and it in any way be written between exchanges; after one that failed not at all, since a peer may
 * still read it. bytes >= 1; aligned to 4,096. Not during an exchange: that is waited for. CT_OUT_OF_MEMORY. */
CT_API int32_t ct_ucx_allocate(void** memory, int64_t bytes, ct_ucx* ucx);

/* Sends each rank a part and receives a part of each, its own included; an empty part is sent as well, so that every
 * rank has come when this returns. All ranks make the same exchanges in the same order, with the same kind (0 to 255).
 * Each array has size elements; receive and send do not overlap. One call at a time.
 *   received_bytes         set: how much came
 *   receive_offset_bytes   where the part of each rank goes, from receive on
 *   receive_capacity_bytes how much fits there
 *   send_offset_bytes, send_bytes  likewise
 *   timeout_ns             how long to wait for the others
 * CT_TIMEOUT: the text names the ranks that did not come, or did not take their part; CT_MISMATCH: a peer is in an
 * exchange of another kind, or sends more than fits; CT_ABORTED: by ct_ucx_abort or ct_ucx_close of any rank;
 * CT_TRANSPORT. These are final, also where a peer found them first and told this rank. */
CT_API int32_t ct_ucx_exchange(void* receive, int64_t* received_bytes, const int64_t* receive_offset_bytes,
                               const int64_t* receive_capacity_bytes, const void* send,
                               const int64_t* send_offset_bytes, const int64_t* send_bytes, ct_ucx* ucx, int32_t kind,
                               int64_t timeout_ns);

/* Fails this rank with CT_ABORTED and tells the peers why. Any thread may call it, also during an exchange, which then
 * fails at once. Not after ct_ucx_close has begun. */
CT_API int32_t ct_ucx_abort(ct_ucx* ucx, const char* why);

/* Gives back everything; peers that wait for this rank fail with CT_ABORTED, unless it has made their exchange. Waits
 * for at most a second for what was sent. An exchange of another thread is ended first. */
CT_API int32_t ct_ucx_close(ct_ucx* ucx);

#ifdef __cplusplus
}
#endif

#endif /* CORTADO_H */
