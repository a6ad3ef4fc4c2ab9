// ucx_address.h: what peers connect to. Included only where UCX's headers are (CORTADO_UCX).
#pragma once

#include <cstddef>
#include <cstdint>

#include "gang/mailbox.h"
#include "gang/ucx_library.h"

namespace ct::gang {

// Which memory a process shares with others, as UCX_TLS allows.
struct SharedMemory {
    uint64_t place;  // the same in two processes: one kernel runs them, and they see one another's memory; 0: none does
    bool mailboxes;  // such as POSIX's ("posix", which "mm", "shm" and "sm" include)
};

SharedMemory shared_memory();

// In front of UCX's own bytes, whose form UCX does not check.
struct AddressHeader {
    char magic[4];
    uint16_t major;
    uint16_t minor;
    uint64_t checksum;  // of all bytes behind it
    uint64_t place;
    MailboxAddress mailboxes;
};

// Writes a header and UCX's bytes.
void write_address(void* to, AddressHeader header, const void* own, size_t own_bytes);

// Whether the bytes are an address.
bool read_address(AddressHeader* header, const void* bytes, size_t length);

}  // namespace ct::gang
