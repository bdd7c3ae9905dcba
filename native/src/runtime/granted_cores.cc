#include "runtime/granted_cores.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <string>

#include "base/strings.h"

namespace penstock {
namespace {

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

double QuotaOfVersion2(const std::string& folder) {
  return CoresOfCpuMax(ReadLine(folder + "/cpu.max"));
}

double QuotaOfVersion1(const std::string& folder) {
  const std::string quota = ReadLine(folder + "/cpu.cfs_quota_us");
  return CoresOfCpuMax(quota + " " + ReadLine(folder + "/cpu.cfs_period_us"));
}

// A quota can stand at any level above us, the smallest counts. A container often sees its own
// group as the root and not the path that the host knows it by: what is not there has no quota.
void LowerToQuotas(const std::string& mount, std::string path,
                   double (*quota_of)(const std::string& folder), double& cores) {
  while (true) {
    const double quota = quota_of(mount + path);
    if (quota > 0 && (cores == 0 || quota < cores)) cores = quota;
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return;
    path.resize(slash);
  }
}

// Whether "cpu" is among controllers such as "cpu,cpuacct".
bool HoldsCpu(std::string_view controllers) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == "cpu") return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
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

int ThreadsForCores(double cores) {
  return std::max(1, static_cast<int>(std::ceil(cores)));
}

// Lines of /proc/self/cgroup are HIERARCHY:CONTROLLERS:PATH; version 2 is hierarchy 0.
double QuotaCores(const std::string& root) {
  double cores = 0;
  std::ifstream file(root + "/proc/self/cgroup");
  std::string line;
  while (std::getline(file, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    // "/" is the mount itself.
    const std::string path = line.size() == second + 2 ? "" : line.substr(second + 1);
    const std::string mounts = root + "/sys/fs/cgroup";
    if (line.starts_with("0::")) LowerToQuotas(mounts, path, QuotaOfVersion2, cores);
    if (!HoldsCpu(controllers)) continue;
    // Its mount is named after all its controllers; most systems link "cpu" to it, not all.
    for (const std::string& name : {controllers, std::string("cpu")}) {
      LowerToQuotas(StrCat(mounts, "/", name), path, QuotaOfVersion1, cores);
    }
  }
  return cores;
}

double GrantedCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  double cores = 1;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cores = CPU_COUNT(&set);
  const double quota = QuotaCores("");
  if (quota > 0) cores = std::min(cores, quota);
  return std::max(cores, 0.01);
}

}  // namespace penstock
