// cuda_fatbin_test.cpp: the library holds machine code for every GPU that it is built for, and PTX for later ones:
// cuda_fatbin_test LIBRARY sm_80 sm_90a compute_120 ... Reads the ELF section .nv_fatbin, for which there is no tool in
// a CUDA installation without cuobjdump. Each source file's kernels are one fat binary; NVIDIA publishes its form
// nowhere, so the fields below are those that nvcc 13.0 writes.
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace {

struct FatbinHeader {
    uint32_t magic;  // kMagic
    uint16_t version;
    uint16_t header_bytes;
    uint64_t bytes;  // of the entries
};

struct EntryHeader {
    uint16_t kind;  // 1 PTX, 2 machine code
    uint16_t version;
    uint32_t header_bytes;
    uint64_t bytes;
    uint32_t unused[3];
    uint32_t arch;  // 90
    uint32_t name[2];
    uint64_t flags;
};

constexpr uint32_t kMagic = 0xba55ed50;
constexpr uint16_t kPtx = 1;
constexpr uint64_t kArchSpecific = 0x100000;  // the `a` of sm_90a

using Bytes = std::vector<char>;

// False where the bytes end before.
template <typename T>
bool read(T* value, const Bytes& bytes, uint64_t at) {
    if (at > bytes.size() || bytes.size() - at < sizeof *value) return false;
    std::memcpy(value, bytes.data() + at, sizeof *value);
    return true;
}

Bytes section(const Bytes& file, const char* name) {
    Elf64_Ehdr elf{};
    Elf64_Shdr names{};
    if (!read(&elf, file, 0) || std::memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0) return {};
    const auto header_at = [&](uint64_t index) { return elf.e_shoff + index * sizeof(Elf64_Shdr); };
    if (!read(&names, file, header_at(elf.e_shstrndx))) return {};
    for (uint64_t i = 0; i < elf.e_shnum; ++i) {
        Elf64_Shdr header{};
        if (!read(&header, file, header_at(i))) return {};
        const uint64_t name_at = names.sh_offset + header.sh_name;
        if (name_at >= file.size() || header.sh_offset + header.sh_size > file.size()) continue;
        if (std::string(file.data() + name_at, strnlen(file.data() + name_at, 64)) != name) continue;
        const auto begin = file.begin() + static_cast<int64_t>(header.sh_offset);
        return {begin, begin + static_cast<int64_t>(header.sh_size)};
    }
    return {};
}

std::string name_of(const EntryHeader& entry) {
    return (entry.kind == kPtx ? "compute_" : "sm_") + std::to_string(entry.arch) +
           (entry.flags & kArchSpecific ? "a" : "");
}

// What each fat binary of the section holds. A header that reaches beyond the section ends the reading.
std::vector<std::set<std::string>> fatbins(const Bytes& bytes) {
    std::vector<std::set<std::string>> found;
    FatbinHeader fatbin{};
    for (uint64_t at = 0; read(&fatbin, bytes, at);) {
        if (fatbin.magic != kMagic) {  // padding between fat binaries
            at += 8;
            continue;
        }
        found.emplace_back();
        const uint64_t end = at + fatbin.header_bytes + fatbin.bytes;
        EntryHeader entry{};
        for (at += fatbin.header_bytes; at < end && read(&entry, bytes, at) && entry.header_bytes > 0;) {
            found.back().insert(name_of(entry));
            at += entry.header_bytes + entry.bytes;
        }
        at = end;
    }
    return found;
}

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += " " + name;
    return text;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    std::ifstream file(argv[1], std::ios::binary);
    const Bytes library{std::istreambuf_iterator<char>(file), {}};
    const auto found = fatbins(section(library, ".nv_fatbin"));
    const std::set<std::string> wanted(argv + 2, argv + argc);
    bool right = !found.empty();
    for (const auto& images : found) {
        if (images == wanted) continue;
        right = false;
        std::fprintf(stderr, "cuda_fatbin: a fat binary holds%s; wanted%s\n", joined(images).c_str(),
                     joined(wanted).c_str());
    }
    std::printf("cuda_fatbin: %zu fat binaries, each with%s: %s\n", found.size(), joined(wanted).c_str(),
                right ? "yes" : "NO");
    return right ? 0 : 1;
}
