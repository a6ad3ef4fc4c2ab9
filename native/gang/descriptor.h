// descriptor.h: a file descriptor and its owner.
#pragma once

namespace ct::gang {

// A file descriptor that is closed. Movable.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int file) : file_(file) {}
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept;
    Descriptor& operator=(Descriptor&& other) noexcept;
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int file() const { return file_; }  // -1: none
    bool is_open() const { return file_ >= 0; }

private:
    int file_ = -1;
};

}  // namespace ct::gang
