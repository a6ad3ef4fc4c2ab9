// peer_process.h: whether another process of this machine has ended.
#pragma once

#include <cstdint>

#include "gang/descriptor.h"

namespace ct::gang {

// A process by a descriptor of its own: another one that gets its id is not mistaken for it. Movable.
class PeerProcess {
public:
    // Gives 0, or the errno of why not. ESRCH: it has ended; others: it cannot be watched, and never has ended.
    int open(int64_t pid);
    bool has_ended() const;

private:
    Descriptor file_;
};

}  // namespace ct::gang
