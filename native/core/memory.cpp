// memory.cpp: /proc/meminfo within the limits of control groups (Linux: Documentation/admin-guide/cgroup-v2.rst and
// cgroup-v1/memory.rst).
#include "core/memory.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <string_view>

namespace ct {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// The files of one version of control groups. A limit that is not a number ("max") is none; so is version 1's largest.
struct Version {
    const char* mount;
    const char* limit;
    const char* used;
    const char* reclaimable;  // key of memory.stat: file pages that nobody uses now
};
constexpr Version kVersion1 = {"/sys/fs/cgroup/memory", "/memory.limit_in_bytes", "/memory.usage_in_bytes",
                               "total_inactive_file "};
constexpr Version kVersion2 = {"/sys/fs/cgroup", "/memory.max", "/memory.current", "inactive_file "};

void each_line(const std::string& path, const std::function<void(std::string_view)>& take) {
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), std::fclose);
    char line[4352];  // a path has at most 4096 bytes
    while (file && std::fgets(line, sizeof line, file.get())) {
        std::string_view text(line);
        if (text.ends_with('\n')) text.remove_suffix(1);
        take(text);
    }
}

// The number after `key` at the start of a line; absent where there is none.
int64_t number_of(const std::string& path, std::string_view key, int64_t absent) {
    int64_t found = absent;
    each_line(path, [&](std::string_view line) {
        if (!line.starts_with(key)) return;
        const std::string digits(line.substr(key.size()));
        char* end = nullptr;
        const long long value = std::strtoll(digits.c_str(), &end, 10);
        if (end != digits.c_str()) found = value;
    });
    return found;
}

// A limit of a group holds for all groups in it, so those up to the root count.
void apply_limits(HostMemory& memory, const std::string& root, const Version& version, std::string group) {
    const int64_t machine = memory.total;
    while (true) {
        std::string folder = root;
        folder.append(version.mount).append(group);
        const int64_t limit = number_of(folder + version.limit, "", kUnlimited);
        if (limit < machine) {
            const int64_t used = number_of(folder + version.used, "", 0);
            const int64_t reclaimable = number_of(folder + "/memory.stat", version.reclaimable, 0);
            memory.total = std::min(memory.total, limit);
            memory.available = std::min(memory.available, std::max<int64_t>(0, limit - used + reclaimable));
        }
        const size_t parent = group.rfind('/');
        if (group.empty() || parent == std::string::npos) return;
        group.resize(parent);
    }
}

}  // namespace

HostMemory host_memory(const std::string& root) {
    const std::string info = root + "/proc/meminfo";
    HostMemory memory = {number_of(info, "MemTotal:", 0) * 1024, number_of(info, "MemAvailable:", 0) * 1024};
    // Lines "ID:CONTROLLERS:PATH"; version 2's has no controllers. Where the path is that of another namespace its files
    // are not there and the mount's own count.
    each_line(root + "/proc/self/cgroup", [&](std::string_view line) {
        const size_t first = line.find(':');
        const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) return;
        const std::string controllers = "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
        std::string group(line.substr(second + 1));
        if (group == "/") group.clear();
        if (controllers == ",,") apply_limits(memory, root, kVersion2, group);
        if (controllers.find(",memory,") != std::string::npos) apply_limits(memory, root, kVersion1, group);
    });
    return memory;
}

}  // namespace ct
