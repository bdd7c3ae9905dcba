// Quotas of control groups in both versions, from files as kernels write them.
#include "runtime/granted_cores.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

double QuotaOf(const Files& files) {
  std::string root = testing::TempDir() + "granted_cores_XXXXXX";
  if (mkdtemp(root.data()) == nullptr) return -1;
  for (const auto& [path, content] : files) {
    const std::filesystem::path file = root + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << content;
  }
  const double cores = QuotaCores(root);
  std::filesystem::remove_all(root);
  return cores;
}

TEST(CoresOfCpuMaxTest, NumbersAndTheirAbsence) {
  EXPECT_EQ(CoresOfCpuMax("200000 100000"), 2);
  EXPECT_EQ(CoresOfCpuMax("50000 100000"), 0.5);
  EXPECT_EQ(CoresOfCpuMax("150000 100000\n"), 1.5);
  for (const std::string_view none : {"max 100000", "-1 100000", "0 100000", "5", "", " ", "a b"}) {
    EXPECT_EQ(CoresOfCpuMax(none), 0) << none;
  }
}

TEST(ThreadsForCoresTest, FractionTakesAThreadOfItsOwn) {
  EXPECT_EQ(ThreadsForCores(0.01), 1);
  EXPECT_EQ(ThreadsForCores(0.5), 1);
  EXPECT_EQ(ThreadsForCores(1), 1);
  EXPECT_EQ(ThreadsForCores(1.5), 2);
  EXPECT_EQ(ThreadsForCores(64), 64);
}

TEST(QuotaCoresTest, NoControlGroups_NoQuota) {
  EXPECT_EQ(QuotaOf({}), 0);
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", "0::/\n"}}), 0);
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "max 100000"}}),
            0);
}

TEST(QuotaCoresTest, Version2_SmallestOfAllLevels) {
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", "0::/a/b\n"},
                     {"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"},
                     {"/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n"}}),
            1.5);
}

TEST(QuotaCoresTest, Version2_ContainerWhoseGroupIsTheRoot) {
  EXPECT_EQ(
      QuotaOf({{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "50000 100000\n"}}),
      0.5);
}

constexpr char kVersion1[] =
    "12:memory:/docker/c0\n4:cpu,cpuacct:/docker/c0\n3:cpuset:/docker/c0\n1:name=systemd:/x\n";

TEST(QuotaCoresTest, Version1_ContainerSeesItsGroupAtTheMount) {
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", kVersion1},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            2.5);
}

TEST(QuotaCoresTest, Version1_HostSeesThePathAndAMountNamedAfterAll) {
  const std::string mount = "/sys/fs/cgroup/cpu,cpuacct";
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", kVersion1},
                     {mount + "/cpu.cfs_quota_us", "-1\n"},
                     {mount + "/cpu.cfs_period_us", "100000\n"},
                     {mount + "/docker/c0/cpu.cfs_quota_us", "30000\n"},
                     {mount + "/docker/c0/cpu.cfs_period_us", "100000\n"}}),
            0.3);
}

TEST(QuotaCoresTest, Version1_OtherControllersDoNotCount) {
  EXPECT_EQ(QuotaOf({{"/proc/self/cgroup", "3:cpuset:/\n2:cpuacct:/\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n"},
                     {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"}}),
            0);
}

}  // namespace
}  // namespace penstock
