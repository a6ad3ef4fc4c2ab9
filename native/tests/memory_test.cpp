// memory_test.cpp: what the machine has, under control groups that a test writes.
#include "core/memory.h"

#include <filesystem>
#include <fstream>

#include "tests/testing.h"

namespace {

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;

// A root folder with /proc/meminfo (1000 MiB, 600 of them available) and what is written to it.
class Root {
public:
    Root() : path_(std::filesystem::temp_directory_path() / ("cortado-memory-" + std::to_string(::getpid()))) {
        std::filesystem::remove_all(path_);
        write("/proc/meminfo", "MemTotal:        1024000 kB\nMemFree:  1 kB\nMemAvailable:    614400 kB\n");
    }
    ~Root() { std::filesystem::remove_all(path_); }
    void write(const std::string& file, const std::string& text) const {
        const std::filesystem::path at = path_.string() + file;
        std::filesystem::create_directories(at.parent_path());
        std::ofstream(at) << text;
    }
    void expect(int64_t total_mib, int64_t available_mib) const {
        const ct::HostMemory memory = ct::host_memory(path_.string());
        CHECK(memory.total == total_mib * kMiB);
        CHECK(memory.available == available_mib * kMiB);
    }

private:
    std::filesystem::path path_;
};

std::string mib(int64_t count) { return std::to_string(count * kMiB) + "\n"; }

void reads_the_machine() {
    testing::context = "no groups";
    Root().expect(1000, 600);
    testing::context = "nothing to read";
    const ct::HostMemory none = ct::host_memory("/nonexistent");
    CHECK(none.total == 0 && none.available == 0);
}

void keeps_to_version_2() {
    testing::context = "version 2";
    Root root;
    root.write("/proc/self/cgroup", "0::/outer/inner\n");
    root.write("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
    root.expect(1000, 600);
    root.write("/sys/fs/cgroup/outer/memory.max", mib(300));
    root.write("/sys/fs/cgroup/outer/memory.current", mib(250));
    root.write("/sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file " + mib(100) + "active_file 7\n");
    root.expect(300, 150);
    root.write("/sys/fs/cgroup/outer/inner/memory.max", mib(200));
    root.write("/sys/fs/cgroup/outer/inner/memory.current", mib(210));
    root.expect(200, 0);
}

void keeps_to_version_1() {
    testing::context = "version 1";
    Root root;
    root.write("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/of/another/namespace\n0::/\n");
    root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    root.expect(1000, 600);
    root.write("/sys/fs/cgroup/memory/memory.limit_in_bytes", mib(700));
    root.write("/sys/fs/cgroup/memory/memory.usage_in_bytes", mib(500));
    root.write("/sys/fs/cgroup/memory/memory.stat", "inactive_file 3\ntotal_inactive_file " + mib(50));
    root.expect(700, 250);
}

void survives_odd_files() {
    testing::context = "odd files";
    Root root;
    root.write("/proc/self/cgroup", "\n:\n0:\n1:memory\n2:memory:relative\n0::" + std::string(5000, 'x') + "\n");
    root.write("/sys/fs/cgroup/memory.max", "many\n");
    root.expect(1000, 600);
}

}  // namespace

int main() {
    reads_the_machine();
    keeps_to_version_2();
    keeps_to_version_1();
    survives_odd_files();
    return testing::finish("memory");
}
