// descriptor.cpp: what is opened is closed, once.
#include "gang/descriptor.h"

#include <unistd.h>

#include <utility>

namespace ct::gang {

Descriptor::~Descriptor() {
    if (file_ >= 0) ::close(file_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
}

}  // namespace ct::gang
