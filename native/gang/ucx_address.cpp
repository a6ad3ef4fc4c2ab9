// ucx_address.cpp: what peers connect to, and what of a machine they share.
#ifdef CORTADO_UCX

#include "gang/ucx_address.h"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>

namespace ct::gang {

namespace {

constexpr char kMagic[4] = {'C', 'T', 'U', '2'};
constexpr size_t kChecked = offsetof(AddressHeader, checksum) + sizeof(uint64_t);

uint64_t checksum(const void* bytes, size_t length) {  // FNV-1a
    uint64_t sum = 0xcbf29ce484222325;
    for (size_t i = 0; i < length; ++i) sum = (sum ^ static_cast<const unsigned char*>(bytes)[i]) * 0x100000001b3;
    return sum;
}

std::string text_of(const char* file) {
    std::ifstream stream(file);
    std::string text;
    std::getline(stream, text);
    return text;
}

std::string link_of(const char* file) {
    char target[128];
    const ssize_t length = readlink(file, target, sizeof target);
    return length < 0 ? "" : std::string(target, static_cast<size_t>(length));
}

// Whether a list of transports, as UCX_TLS has it, has one of these.
bool lists(const char* transports, std::initializer_list<const char*> wanted) {
    if (!transports || *transports == '\0') return true;
    std::istringstream list(*transports == '^' ? transports + 1 : transports);
    for (std::string name; std::getline(list, name, ',');) {
        for (const char* known : wanted) {
            if (name == known) return *transports != '^';
        }
    }
    return *transports == '^';
}

}  // namespace

SharedMemory shared_memory() {
    const char* transports = std::getenv("UCX_TLS");
    if (!lists(transports, {"all", "shm", "sm", "mm", "posix", "sysv"})) return {0, false};
    std::string place = text_of("/proc/sys/kernel/random/boot_id");
    for (const char* name : {"/proc/self/ns/ipc", "/proc/self/ns/pid", "/proc/self/ns/mnt"}) place += link_of(name);
    return {checksum(place.data(), place.size()), lists(transports, {"all", "shm", "sm", "mm", "posix"})};
}

void write_address(void* to, AddressHeader header, const void* own, size_t own_bytes) {
    auto* bytes = static_cast<unsigned char*>(to);
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    std::memcpy(bytes, &header, sizeof header);
    std::memcpy(bytes + sizeof header, own, own_bytes);
    header.checksum = checksum(bytes + kChecked, sizeof header - kChecked + own_bytes);
    std::memcpy(bytes, &header, sizeof header);
}

bool read_address(AddressHeader* header, const void* bytes, size_t length) {
    if (length <= sizeof *header) return false;
    std::memcpy(header, bytes, sizeof *header);
    return std::memcmp(header->magic, kMagic, sizeof kMagic) == 0 &&
           header->checksum == checksum(static_cast<const unsigned char*>(bytes) + kChecked, length - kChecked);
}

}  // namespace ct::gang

#endif  // CORTADO_UCX
