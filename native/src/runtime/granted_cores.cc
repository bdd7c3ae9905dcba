#include "runtime/granted_cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

namespace penstock {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The cgroup v2 path of this process below /sys/fs/cgroup ("" for the root or where unknown).
std::string CgroupPath() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("0::/")) return line.substr(3);
  }
  return "";
}

double CgroupV1Cores() {
  const std::string quota = ReadLine("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  const std::string period = ReadLine("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return quota.empty() || period.empty() ? 0 : CoresOfCpuMax(quota + " " + period);
}

}  // namespace

double CoresOfCpuMax(std::string_view cpu_max) {
  const std::size_t space = cpu_max.find(' ');
  if (space == std::string_view::npos) return 0;
  double quota = 0, period = 0;
  const std::string_view quota_text = cpu_max.substr(0, space);
  const std::string_view period_text = cpu_max.substr(space + 1);
  const auto quota_read =
      std::from_chars(quota_text.data(), quota_text.data() + quota_text.size(), quota);
  const auto period_read =
      std::from_chars(period_text.data(), period_text.data() + period_text.size(), period);
  // "max", and v1's -1, mean no quota.
  if (quota_read.ec != std::errc() || period_read.ec != std::errc()) return 0;
  return quota > 0 && period > 0 ? quota / period : 0;
}

double GrantedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  double cores = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
  // A quota can stand at any level above us; the smallest counts.
  std::string path = CgroupPath();
  while (true) {
    const double quota = CoresOfCpuMax(ReadLine("/sys/fs/cgroup" + path + "/cpu.max"));
    if (quota > 0) cores = std::min(cores, quota);
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) break;
    path.resize(slash);
  }
  const double v1 = CgroupV1Cores();
  if (v1 > 0) cores = std::min(cores, v1);
  return std::max(cores, 0.01);
}

}  // namespace penstock
