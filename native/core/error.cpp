// error.cpp: the thread's error text, and the checks that every operation shares.
#include <cstdarg>
#include <cstdio>

#include "core/core.h"

namespace ct {

namespace {
thread_local char text[512] = "";
}

int32_t fail(int32_t status, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return status;
}

int32_t ok() {
    text[0] = '\0';
    return CT_OK;
}

int32_t check_stream(const char* function, const ct_stream* stream) {
    if (!stream) return fail(CT_INVALID, "%s: stream is null", function);
    return CT_OK;
}

int32_t check_buffer(const char* function, const char* name, const ct_buffer* buffer, const ct_stream* stream,
                     int64_t count, int64_t element_bytes) {
    CT_TRY(check_stream(function, stream));
    if (!buffer) return fail(CT_INVALID, "%s: %s is null", function, name);
    if (buffer->device != device_of(stream)) {
        return fail(CT_INVALID, "%s: %s lives on another device than the stream", function, name);
    }
    int64_t needed = 0;
    if (count < 0 || !multiply(count, element_bytes, &needed)) {
        return fail(CT_INVALID, "%s: %s would have %lld elements of %lld bytes", function, name,
                    static_cast<long long>(count), static_cast<long long>(element_bytes));
    }
    if (buffer->bytes < needed) {
        return fail(CT_INVALID, "%s: %s has %lld bytes, fewer than the %lld that the shape needs", function, name,
                    static_cast<long long>(buffer->bytes), static_cast<long long>(needed));
    }
    return CT_OK;
}

int32_t check_matrix(const char* function, const char* name, const ct_buffer* buffer, const ct_stream* stream,
                     int64_t rows, int64_t cols, int64_t stride, int64_t element_bytes) {
    if (rows < 0 || cols < 0 || stride < cols) {
        return fail(CT_INVALID,
                    "%s: %s has rows=%lld, cols=%lld, stride=%lld; needs rows, cols >= 0 and stride >= cols", function,
                    name, static_cast<long long>(rows), static_cast<long long>(cols), static_cast<long long>(stride));
    }
    int64_t count = 0;
    if (rows > 0 && (!multiply(rows - 1, stride, &count) || __builtin_add_overflow(count, cols, &count))) {
        return fail(CT_INVALID, "%s: %s of rows=%lld, cols=%lld, stride=%lld does not fit into 64 bits", function, name,
                    static_cast<long long>(rows), static_cast<long long>(cols), static_cast<long long>(stride));
    }
    return check_buffer(function, name, buffer, stream, count, element_bytes);
}

int32_t check_activation_dtype(const char* function, const char* name, int32_t dtype) {
    if (dtype == CT_F32 || dtype == CT_BF16) return CT_OK;
    return fail(CT_INVALID, "%s: %s=%d must be CT_F32 (0) or CT_BF16 (1)", function, name, static_cast<int>(dtype));
}

int32_t check_struct_bytes(const char* function, int64_t given, int64_t library_bytes) {
    if (given >= static_cast<int64_t>(sizeof(int64_t)) && given <= library_bytes) return CT_OK;
    return fail(CT_INVALID, "%s: struct_bytes=%lld must be in [8, %lld]", function, static_cast<long long>(given),
                static_cast<long long>(library_bytes));
}

int32_t read_params(const char* function, void* destination, int64_t library_bytes, const void* source) {
    if (!source) return fail(CT_INVALID, "%s: params is null", function);
    int64_t given = 0;
    std::memcpy(&given, source, sizeof given);
    CT_TRY(check_struct_bytes(function, given, library_bytes));
    std::memset(destination, 0, static_cast<size_t>(library_bytes));
    std::memcpy(destination, source, static_cast<size_t>(given));
    return CT_OK;
}

}  // namespace ct

extern "C" const char* ct_last_error(void) { return ct::text; }
