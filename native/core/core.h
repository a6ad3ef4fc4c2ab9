// core.h: what every kernel's host part uses: handles, checks, the team of threads, streams.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "core/numbers.h"
#include "cortado.h"

namespace ct {

// ---- errors --------------------------------------------------------------------------------------------------------

// Sets this thread's error text ("function: ..." is put in front by the macros) and returns status.
[[gnu::format(printf, 2, 3)]] int32_t fail(int32_t status, const char* format, ...);

// Clears the text and returns CT_OK. Every ABI function ends with it.
int32_t ok();

// In an extern "C" function: CT_REQUIRE(n % 8 == 0, "n=%lld must be a multiple of 8", (long long) n);
#define CT_REQUIRE(condition, format, ...)                                                     \
    do {                                                                                       \
        if (!(condition)) [[unlikely]] {                                                       \
            return ::ct::fail(CT_INVALID, "%s: " format, __func__ __VA_OPT__(, ) __VA_ARGS__); \
        }                                                                                      \
    } while (0)

// Returns from the enclosing function with a status that is not CT_OK.
#define CT_TRY(expression)                                      \
    do {                                                        \
        if (int32_t status_ = (expression); status_ != CT_OK) { \
            return status_;                                     \
        }                                                       \
    } while (0)

// Wraps the body of an ABI function that may throw (allocation): CT_GUARD({ ... return ct::ok(); });
#define CT_GUARD(...)                                                                  \
    try __VA_ARGS__ catch (const std::bad_alloc&) {                                    \
        return ::ct::fail(CT_OUT_OF_MEMORY, "%s: host memory is exhausted", __func__); \
    }                                                                                  \
    catch (...) {                                                                      \
        return ::ct::fail(CT_INTERNAL, "%s: unexpected exception", __func__);          \
    }

// ---- the team ------------------------------------------------------------------------------------------------------

// Threads that work on one operation together: bounded spin between operations, then futex.
class Team {
public:
    explicit Team(int num_threads);
    ~Team();
    Team(const Team&) = delete;
    Team& operator=(const Team&) = delete;

    int size() const;

    // Calls body(part, thread) once for every part in [0, num_parts), parts dealt out in order as threads become free;
    // returns when all have returned. thread is in [0, size()). Bodies must not throw and must not call run. One run at
    // a time (the device serialises).
    template <typename Body>
    void run(int64_t num_parts, const Body& body) {
        run_erased(
            num_parts,
            [](const void* context, int64_t part, int thread) { (*static_cast<const Body*>(context))(part, thread); },
            &body);
    }

    // Scratch of at least `bytes` for one thread, 64-byte aligned, kept between operations; contents undefined.
    void* scratch(int thread, size_t bytes);

private:
    using Erased = void (*)(const void* context, int64_t part, int thread);
    void run_erased(int64_t num_parts, Erased body, const void* context);
    struct State;
    State* state_;
};

// ---- operations ----------------------------------------------------------------------------------------------------

// An operation waiting in a stream or recorded in a graph: a trivially copyable function object `void
// operator()(ct::Team&) const`.
inline constexpr size_t kMaxOperationBytes = 448;

struct Operation {
    void (*run)(const void* self, Team& team);
    alignas(16) unsigned char self[kMaxOperationBytes];
};

// Puts the operation into the stream (or into its capture). Returns a status; blocks while the queue is full.
int32_t enqueue_operation(ct_stream* stream, const Operation& operation);

// The same for a call that has checked the device already.
int32_t enqueue_checked(ct_stream* stream, const Operation& operation);

// enqueue(stream, [=](ct::Team& team) { ... }): the closure must be trivially copyable (raw pointers and scalars).
template <typename Body>
int32_t enqueue(ct_stream* stream, const Body& body) {
    static_assert(std::is_trivially_copyable_v<Body>, "an operation is copied as bytes");
    static_assert(sizeof(Body) <= kMaxOperationBytes, "kMaxOperationBytes is too small for this operation");
    Operation operation;
    operation.run = [](const void* self, Team& team) { (*static_cast<const Body*>(self))(team); };
    std::memcpy(operation.self, &body, sizeof body);
    return enqueue_operation(stream, operation);
}

// ---- checks shared by operations (each sets the error text and returns a status)
// ----------------------------------------

// buffer is not null, lives on the stream's device, and holds elements [0, count) of element_bytes each.
int32_t check_buffer(const char* function, const char* name, const ct_buffer* buffer, const ct_stream* stream,
                     int64_t count, int64_t element_bytes);

// The same for rows of cols elements with a stride (in elements): stride >= cols, (rows - 1) * stride + cols elements
// without overflow.
int32_t check_matrix(const char* function, const char* name, const ct_buffer* buffer, const ct_stream* stream,
                     int64_t rows, int64_t cols, int64_t stride, int64_t element_bytes);

// stream is not null.
int32_t check_stream(const char* function, const ct_stream* stream);

// A caller's struct_bytes against the library's: in [8, library_bytes].
int32_t check_struct_bytes(const char* function, int64_t given, int64_t library_bytes);

// CT_F32 or CT_BF16, else CT_INVALID.
int32_t check_activation_dtype(const char* function, const char* name, int32_t dtype);

inline int64_t dtype_bytes(int32_t dtype) { return dtype == CT_F32 ? 4 : dtype == CT_F8_E4M3 ? 1 : 2; }

// Copies a params structure of the caller's size into the library's, missing fields zero; larger or tiny sizes refused.
int32_t read_params(const char* function, void* destination, int64_t library_bytes, const void* source);

// a * b with overflow check: false when it does not fit.
inline bool multiply(int64_t a, int64_t b, int64_t* result) { return !__builtin_mul_overflow(a, b, result); }

}  // namespace ct

// ---- handles -------------------------------------------------------------------------------------------------------

namespace ct {
struct Backend;
struct DeviceLimits;
}  // namespace ct

struct ct_device {
    ct::Team* team;                 // of the device's queue; one thread where the device has a runtime of its own
    int32_t isa;                    // ct_isa in use, never CT_ISA_AUTO
    bool halves_bf16;               // vdpbf16ps takes the time of four vfmadd, and two do the same work
    std::atomic<int64_t> children;  // handles alive; ct_device_close refuses while > 0
    struct Queue;                   // core/stream.cpp: one runner at a time drives the team
    Queue* queue;                   // null where the device has a runtime of its own
    const ct::Backend* backend;     // null: the CPU
    void* context;                  // of the backend's runtime
    struct Health;                  // core/health.cpp
    Health* health;
    const ct::DeviceLimits* limits;  // of a backend's device
    char name[64];
    char processor[128];
};

struct ct_buffer {
    ct_device* device;
    unsigned char* data;
    int64_t bytes;
    ct_buffer* parent;  // null: owns its memory
    bool host;          // the host may touch it
    std::atomic<int64_t> views;
};

namespace ct {

// Consecutive rows of a matrix on the CPU that are stored in one way; private to kernels/linear (weights.h).
struct WeightsSegment {
    int64_t first_row;
    int64_t rows;
    int32_t storage;    // ct::linear::Storage
    int32_t format;     // ct_weights_format, where the codes are kept
    int64_t sub_block;  // columns that share a scale, where the codes are packed
    int64_t at;         // bytes from ct_weights::data
    int64_t scales_at;  // the same: of raw rows in a format that has scales beside; 0: none
    int64_t zeros_at;   // the same
    int64_t scale_rows;
    int64_t scale_cols;
};

}  // namespace ct

// Packed matrix. On the CPU its segments tell where the rows lie; kernels/embedding reads them through weights_row. A
// backend's device has it row-major, `stride` elements from one row to the next, rows and columns padded with zeros to
// multiples of kWeightsPadding.
struct ct_weights {
    ct_device* device;
    int32_t dtype;        // of a backend's device: CT_F32 or CT_BF16 as stored, where format is none of codes
    int32_t format;       // of a backend's device: ct_weights_format as stored
    int32_t group_shift;  // the same, where codes are stored: ct::linear::GpuCodes
    int32_t use;          // ct_weights_use
    int64_t rows;         // N
    int64_t cols;         // K
    int64_t stride;       // of a backend's device
    unsigned char* data;  // 64-byte aligned (huge pages where possible)
    int64_t data_bytes;
    ct::WeightsSegment* segments;  // of the CPU
    int64_t num_segments;
};

namespace ct {

template <typename T>
inline T* data(ct_buffer* buffer) {
    return buffer ? reinterpret_cast<T*>(buffer->data) : nullptr;
}
template <typename T>
inline const T* data(const ct_buffer* buffer) {
    return buffer ? reinterpret_cast<const T*>(buffer->data) : nullptr;
}

ct_device* device_of(const ct_stream* stream);

inline constexpr int64_t kWeightsPadding = 64;

// CT_DEVICE_LOST with the text if the device has failed, or fails now by injection; every call that needs the device
// begins with it.
int32_t check_device(const char* function, ct_device* device);

// The same without injection: for a second look within a call.
int32_t check_not_lost(const char* function, ct_device* device);

// Marks the device lost; the first text stays.
void lose_device(ct_device* device, const char* text);

// A kernel's variant for the device: T is a structure of functions, one instance an instruction set.
template <typename T>
inline const T& variant(const ct_stream* stream, const T& scalar, const T& avx2, const T& avx512) {
    int32_t isa = device_of(stream)->isa;
    return isa == CT_ISA_AVX512 ? avx512 : isa == CT_ISA_AVX2 ? avx2 : scalar;
}

// Calls body(static_cast<T*>(nullptr)) with T = float or bf16.
template <typename Body>
inline int32_t with_dtype(int32_t dtype, const Body& body) {
    return dtype == CT_F32 ? body(static_cast<float*>(nullptr)) : body(static_cast<bf16*>(nullptr));
}

// Holds the device's team: no operation of a stream runs meanwhile. For functions that use the team from the caller's
// thread (ct_weights_create, ct_device_probe), never inside an operation.
class TeamLock {
public:
    explicit TeamLock(ct_device* device);
    ~TeamLock();
    TeamLock(const TeamLock&) = delete;
    TeamLock& operator=(const TeamLock&) = delete;

private:
    ct_device* device_;
};

// Holds the device's team if nobody uses it; none: somebody does, or the device has a runtime of its own.
class FreeTeam {
public:
    explicit FreeTeam(ct_device* device);
    ~FreeTeam();
    FreeTeam(const FreeTeam&) = delete;
    FreeTeam& operator=(const FreeTeam&) = delete;

    Team* team() const;

private:
    ct_device* device_;  // null: none
};

// Within an operation that only calls the host: others may use the team meanwhile, the host's own calls among them.
class TeamPause {
public:
    explicit TeamPause(ct_device* device);
    ~TeamPause();
    TeamPause(const TeamPause&) = delete;
    TeamPause& operator=(const TeamPause&) = delete;

private:
    ct_device* device_;
};

// 64-byte aligned, zero-filled memory, in huge pages where it is large; null where the machine has not so much.
unsigned char* allocate_bytes(int64_t bytes);
void free_bytes(unsigned char* memory, int64_t bytes);

// Row `row` of a matrix as float32 (any packing), its columns [begin, end). Implemented in kernels/linear/weights.cpp.
void weights_row(float* out, const ct_weights& weights, int64_t row, int64_t begin, int64_t end);
[[gnu::always_inline]] inline void weights_row(float* out, const ct_weights& weights, int64_t row) {
    weights_row(out, weights, row, 0, weights.cols);
}

}  // namespace ct
