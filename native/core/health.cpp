// health.cpp: whether a device still works, and faults injected by tests.
#include <mutex>

#include "core/backend.h"
#include "core/stream.h"

namespace ct {

int32_t check_device(const char* function, ct_device* device) {
    ct_device::Health& health = *device->health;
    if (health.calls_to_fault.load(std::memory_order_relaxed) > 0 && health.calls_to_fault.fetch_sub(1) == 1) {
        lose_device(device, "a fault was injected");
    }
    return check_not_lost(function, device);
}

int32_t check_not_lost(const char* function, ct_device* device) {
    const ct_device::Health& health = *device->health;
    if (!health.lost.load(std::memory_order_acquire)) return CT_OK;
    return fail(CT_DEVICE_LOST, "%s: %s has failed: %s", function, device->name, health.text.c_str());
}

void lose_device(ct_device* device, const char* text) {
    ct_device::Health& health = *device->health;
    std::lock_guard lock(health.mutex);
    if (health.lost.load(std::memory_order_relaxed)) return;
    health.text = text;
    health.lost.store(true, std::memory_order_release);
}

int32_t begin_launch(const char* function, ct_stream* stream, LaunchContext* context) {
    ct_device* device = stream->device;
    CT_TRY(check_device(function, device));
    context->queue = device->backend->runtime ? stream->native : stream;
    context->limits = device->limits;
    return CT_OK;
}

int32_t end_launch(ct_stream* stream, int32_t status) {
    if (status == CT_OK) return ok();
    if (status == CT_DEVICE_LOST) lose_device(stream->device, ct_last_error());
    return status;
}

int32_t refuse_on_cpu(const char* function, const ct_device* device, const char* name, int64_t value,
                      const char* served) {
    if (device->backend) return CT_OK;
    return fail(CT_UNSUPPORTED, "%s: %s=%lld; the cpu device serves %s", function, name, static_cast<long long>(value),
                served);
}

}  // namespace ct

extern "C" int32_t ct_device_inject_fault(ct_device* device, int64_t call) {
    CT_REQUIRE(device, "device is null");
    CT_REQUIRE(call >= 0, "call=%lld must be >= 0", static_cast<long long>(call));
    device->health->calls_to_fault.store(call);
    return ct::ok();
}
