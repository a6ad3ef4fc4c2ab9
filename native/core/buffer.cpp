// buffer.cpp: device memory, its views, copies and fills.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "core/stream.h"

namespace ct {

namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;
constexpr int64_t kOperationPiece = int64_t{1} << 20;  // bytes of a copy or fill that one thread takes at a time

int64_t mapped_bytes(int64_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

// Maps one huge page more than needed and gives back the unaligned ends.
unsigned char* map_bytes(int64_t bytes) {
    int64_t wanted = mapped_bytes(bytes);
    void* mapping = mmap(nullptr, static_cast<size_t>(wanted + kHugePage), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    auto* start = static_cast<unsigned char*>(mapping);
    int64_t before = (kHugePage - static_cast<int64_t>(reinterpret_cast<uintptr_t>(start)) % kHugePage) % kHugePage;
    if (before > 0) munmap(start, static_cast<size_t>(before));
    unsigned char* memory = start + before;
    munmap(memory + wanted, static_cast<size_t>(kHugePage - before));
    madvise(memory, static_cast<size_t>(wanted), MADV_HUGEPAGE);  // advice only: refused where the kernel has none
    return memory;
}

bool range_fits(int64_t offset, int64_t bytes, int64_t limit) {
    return offset >= 0 && bytes >= 0 && offset <= limit && bytes <= limit - offset;
}

}  // namespace

unsigned char* allocate_bytes(int64_t bytes) {
    int64_t machine = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
    if (bytes > machine) return nullptr;
    if (bytes >= kHugePage) return map_bytes(bytes);
    void* memory = nullptr;
    // Exactly as many bytes as asked for, so that AddressSanitizer sees an access behind the end.
    if (posix_memalign(&memory, CT_BUFFER_ALIGNMENT, static_cast<size_t>(bytes)) != 0) return nullptr;
    std::memset(memory, 0, static_cast<size_t>(bytes));
    return static_cast<unsigned char*>(memory);
}

void free_bytes(unsigned char* memory, int64_t bytes) {
    if (bytes >= kHugePage) {
        munmap(memory, static_cast<size_t>(mapped_bytes(bytes)));
    } else {
        std::free(memory);
    }
}

}  // namespace ct

namespace ct {
namespace {

int32_t create_buffer(const char* function, ct_buffer** buffer, ct_device* device, int64_t bytes, bool host) {
    if (!buffer) return fail(CT_INVALID, "%s: buffer is null", function);
    if (!device) return fail(CT_INVALID, "%s: device is null", function);
    if (bytes < 1) {
        return fail(CT_INVALID, "%s: bytes=%lld must be at least 1", function, static_cast<long long>(bytes));
    }
    CT_TRY(check_device(function, device));
    auto created =
        std::unique_ptr<ct_buffer>(new ct_buffer{device, nullptr, bytes, nullptr, host || !device->backend, 0});
    if (const DeviceRuntime* runtime = runtime_of(device)) {
        void* address = nullptr;
        CT_TRY(runtime->allocate(device->context, &address, bytes, host));
        created->data = static_cast<unsigned char*>(address);
    } else {
        created->data = allocate_bytes(bytes);
    }
    if (!created->data) {
        return fail(CT_OUT_OF_MEMORY, "%s: no memory for bytes=%lld", function, static_cast<long long>(bytes));
    }
    device->children.fetch_add(1);
    *buffer = created.release();
    return ok();
}

}  // namespace
}  // namespace ct

extern "C" int32_t ct_buffer_create(ct_buffer** buffer, ct_device* device, int64_t bytes) {
    CT_GUARD({ return ct::create_buffer(__func__, buffer, device, bytes, false); })
}

extern "C" int32_t ct_buffer_create_host(ct_buffer** buffer, ct_device* device, int64_t bytes) {
    CT_GUARD({ return ct::create_buffer(__func__, buffer, device, bytes, true); })
}

extern "C" int32_t ct_buffer_view(ct_buffer** view, ct_buffer* parent, int64_t offset_bytes, int64_t bytes) {
    CT_REQUIRE(view, "view is null");
    CT_REQUIRE(parent, "parent is null");
    CT_REQUIRE(bytes >= 1 && ct::range_fits(offset_bytes, bytes, parent->bytes),
               "offset_bytes=%lld, bytes=%lld is not inside the parent's %lld bytes",
               static_cast<long long>(offset_bytes), static_cast<long long>(bytes),
               static_cast<long long>(parent->bytes));
    CT_REQUIRE(offset_bytes % CT_BUFFER_ALIGNMENT == 0, "offset_bytes=%lld must be a multiple of %d",
               static_cast<long long>(offset_bytes), CT_BUFFER_ALIGNMENT);
    CT_GUARD({
        *view = new ct_buffer{parent->device, parent->data + offset_bytes, bytes, parent, parent->host, 0};
        parent->views.fetch_add(1);
        parent->device->children.fetch_add(1);
        return ct::ok();
    })
}

extern "C" int32_t ct_buffer_share(ct_buffer** shared, ct_device* cpu, ct_buffer* parent) {
    CT_REQUIRE(shared, "shared is null");
    CT_REQUIRE(cpu, "cpu is null");
    CT_REQUIRE(parent, "parent is null");
    CT_REQUIRE(!cpu->backend, "the device is %s and must be cpu", cpu->name);
    CT_REQUIRE(parent->host, "the buffer lies in the memory of %s, which cpu does not reach", parent->device->name);
    CT_GUARD({
        *shared = new ct_buffer{cpu, parent->data, parent->bytes, parent, true, 0};
        parent->views.fetch_add(1);
        cpu->children.fetch_add(1);
        return ct::ok();
    })
}

extern "C" int32_t ct_buffer_destroy(ct_buffer* buffer) {
    CT_REQUIRE(buffer, "buffer is null");
    int64_t views = buffer->views.load();
    CT_REQUIRE(views == 0, "%lld views of the buffer are alive", static_cast<long long>(views));
    if (buffer->parent) {
        buffer->parent->views.fetch_sub(1);
    } else if (const auto* runtime = ct::runtime_of(buffer->device)) {
        runtime->release(buffer->device->context, buffer->data, buffer->host);
    } else {
        ct::free_bytes(buffer->data, buffer->bytes);
    }
    buffer->device->children.fetch_sub(1);
    delete buffer;
    return ct::ok();
}

extern "C" int32_t ct_buffer_host_address(void** address, ct_buffer* buffer) {
    CT_REQUIRE(address, "address is null");
    CT_REQUIRE(buffer, "buffer is null");
    if (!buffer->host) {
        return ct::fail(CT_UNSUPPORTED,
                        "%s: the buffer lies in the memory of %s; use ct_buffer_create_host and ct_copy", __func__,
                        buffer->device->name);
    }
    *address = buffer->data;
    return ct::ok();
}

extern "C" int32_t ct_buffer_bytes(int64_t* bytes, const ct_buffer* buffer) {
    CT_REQUIRE(bytes, "bytes is null");
    CT_REQUIRE(buffer, "buffer is null");
    *bytes = buffer->bytes;
    return ct::ok();
}

extern "C" int32_t ct_copy(ct_buffer* destination, const ct_buffer* source, int64_t destination_offset_bytes,
                           int64_t source_offset_bytes, int64_t bytes, ct_stream* stream) {
    CT_TRY(ct::check_buffer(__func__, "destination", destination, stream, 0, 1));
    CT_TRY(ct::check_buffer(__func__, "source", source, stream, 0, 1));
    CT_REQUIRE(ct::range_fits(destination_offset_bytes, bytes, destination->bytes),
               "destination_offset_bytes=%lld, bytes=%lld is not inside the destination's %lld bytes",
               static_cast<long long>(destination_offset_bytes), static_cast<long long>(bytes),
               static_cast<long long>(destination->bytes));
    CT_REQUIRE(ct::range_fits(source_offset_bytes, bytes, source->bytes),
               "source_offset_bytes=%lld, bytes=%lld is not inside the source's %lld bytes",
               static_cast<long long>(source_offset_bytes), static_cast<long long>(bytes),
               static_cast<long long>(source->bytes));
    unsigned char* to = destination->data + destination_offset_bytes;
    const unsigned char* from = source->data + source_offset_bytes;
    CT_REQUIRE(bytes == 0 || to + bytes <= from || from + bytes <= to, "the two ranges of bytes=%lld overlap",
               static_cast<long long>(bytes));
    ct_device* device = stream->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(ct::check_device(__func__, device));
        return ct::end_launch(stream, runtime->copy(device->context, stream->native, to, from, bytes));
    }
    return ct::enqueue(stream, [=](ct::Team& team) {
        team.run((bytes + ct::kOperationPiece - 1) / ct::kOperationPiece, [=](int64_t part, int) {
            int64_t begin = part * ct::kOperationPiece;
            std::memcpy(to + begin, from + begin, static_cast<size_t>(std::min(ct::kOperationPiece, bytes - begin)));
        });
    });
}

extern "C" int32_t ct_fill(ct_buffer* destination, int64_t offset_bytes, int64_t bytes, int32_t value,
                           ct_stream* stream) {
    CT_TRY(ct::check_buffer(__func__, "destination", destination, stream, 0, 1));
    CT_REQUIRE(ct::range_fits(offset_bytes, bytes, destination->bytes),
               "offset_bytes=%lld, bytes=%lld is not inside the destination's %lld bytes",
               static_cast<long long>(offset_bytes), static_cast<long long>(bytes),
               static_cast<long long>(destination->bytes));
    CT_REQUIRE(value >= 0 && value <= 255, "value=%d must be in [0, 255]", static_cast<int>(value));
    unsigned char* to = destination->data + offset_bytes;
    ct_device* device = stream->device;
    if (const auto* runtime = ct::runtime_of(device)) {
        CT_TRY(ct::check_device(__func__, device));
        return ct::end_launch(stream, runtime->fill(device->context, stream->native, to, value, bytes));
    }
    return ct::enqueue(stream, [=](ct::Team& team) {
        team.run((bytes + ct::kOperationPiece - 1) / ct::kOperationPiece, [=](int64_t part, int) {
            int64_t begin = part * ct::kOperationPiece;
            std::memset(to + begin, value, static_cast<size_t>(std::min(ct::kOperationPiece, bytes - begin)));
        });
    });
}
