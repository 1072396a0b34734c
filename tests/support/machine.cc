#include "tests/support/machine.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/paths.h"

namespace spool::testing {

namespace fs = std::filesystem;

namespace {

std::string SizeOption(uint64_t bytes) { return "mode=0700,size=" + std::to_string(bytes); }

bool WriteTo(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text << std::flush;
  return out.good();
}

uint64_t StatusField(pid_t pid, const std::string& name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(name + ":", 0) != 0) continue;
    return std::strtoull(line.c_str() + name.size() + 1, nullptr, 10) << 10;
  }
  return 0;
}

}  // namespace

Volume::Volume(std::string path, uint64_t bytes) : path_(std::move(path)) {
  fs::create_directories(path_);
  mounted_ = mount("spool-test", path_.c_str(), "tmpfs", 0, SizeOption(bytes).c_str()) == 0;
}
Volume::~Volume() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
}
bool Volume::Resize(uint64_t bytes) {
  return mount("spool-test", path_.c_str(), "tmpfs", MS_REMOUNT, SizeOption(bytes).c_str()) == 0;
}
uint64_t Volume::free_bytes() const {
  struct statvfs volume {};
  if (statvfs(path_.c_str(), &volume) != 0) return 0;
  return uint64_t{volume.f_bavail} * volume.f_frsize;
}
bool Volume::FillTo(uint64_t bytes) {
  RemoveFilling();
  const int fd = open((path_ + "/filling").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  // The program writes meanwhile, so the last pages are taken one by one.
  off_t size = 0;
  for (uint64_t free = free_bytes(); fd >= 0 && free > bytes; free = free_bytes()) {
    off_t piece = static_cast<off_t>(free - bytes);
    while (piece > 0 && posix_fallocate(fd, size, piece) != 0) piece = piece / 2 & ~off_t{4095};
    if (piece == 0) break;
    size += piece;
  }
  if (fd >= 0) close(fd);
  return free_bytes() <= bytes + (256 << 10);  // the program frees and takes meanwhile
}
void Volume::RemoveFilling() { unlink((path_ + "/filling").c_str()); }

MemoryGroup::MemoryGroup(uint64_t limit_bytes) {
  const std::string name = "/spool-test-" + std::to_string(getpid());
  const auto make = [&](const std::string& root, const char* limit) {
    std::error_code error;
    if (!fs::is_directory(root, error) || mkdir((root + name).c_str(), 0755) != 0) return false;
    path_ = root + name;
    if (WriteTo(path_ + "/" + limit, std::to_string(limit_bytes))) return true;
    rmdir(path_.c_str());
    path_.clear();
    return false;
  };
  if (make("/sys/fs/cgroup/memory", "memory.limit_in_bytes")) return;
  WriteTo("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
  if (make("/sys/fs/cgroup", "memory.max")) WriteTo(path_ + "/memory.swap.max", "0");
}
MemoryGroup::~MemoryGroup() {
  if (!path_.empty()) rmdir(path_.c_str());
}
std::vector<std::string> MemoryGroup::under() const {
  return {"sh", "-c", "echo $$ >\"$0/cgroup.procs\" && exec \"$@\"", path_};
}

FaultShim::FaultShim(std::string path) : path_(std::move(path)) {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(ShimControl)) != 0) std::abort();
  void* at = mmap(nullptr, sizeof(ShimControl), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (at == MAP_FAILED) std::abort();
  control_ = static_cast<ShimControl*>(at);
}
FaultShim::~FaultShim() { munmap(control_, sizeof(ShimControl)); }
std::vector<std::string> FaultShim::under() const {
  return {"env", "LD_PRELOAD=" + BinaryDir() + "/fault_shim.so", "SPOOL_SHIM=" + path_};
}
void FaultShim::Arm(ShimControl::Call call, uint64_t nth, int error, bool for_good,
                    const std::string& under) {
  Disarm();
  ShimControl& c = *control_;
  c.nth = nth;
  c.error = error;
  c.for_good = for_good ? 1 : 0;
  std::snprintf(c.under, sizeof c.under, "%s", under.c_str());
  c.seen = c.fired = 0;
  c.fired_at = 0;
  c.call = call;
}
void FaultShim::Disarm() { control_->call = ShimControl::kNone; }
const char* FaultShim::NameOf(ShimControl::Call call) {
  constexpr const char* kNames[] = {"none",  "write",  "pwrite", "fdatasync",
                                    "fsync", "rename", "open",   "ftruncate"};
  return kNames[call];
}

uint64_t PeakMemoryOf(pid_t pid) { return StatusField(pid, "VmHWM"); }
uint64_t MemoryOf(pid_t pid) { return StatusField(pid, "VmRSS"); }
double ProcessorSecondsOf(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(in, text);
  const size_t name = text.rfind(')');  // it may hold blanks
  if (name == text.npos) return 0;
  std::istringstream rest(text.substr(name + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) rest >> skipped;
  double user = 0;
  double system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}
size_t DescriptorsOf(pid_t pid) {
  std::error_code error;
  const fs::directory_iterator all("/proc/" + std::to_string(pid) + "/fd", error);
  return error ? 0 : static_cast<size_t>(std::distance(begin(all), end(all)));
}

}  // namespace spool::testing
