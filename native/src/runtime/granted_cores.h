// What GrantedCores, which <penstock/machine.h> explains, is made of.
#pragma once

#include <string>
#include <string_view>

#include <penstock/machine.h>

namespace penstock {

// PURE. The quota in a cgroup v2 `cpu.max` ("200000 100000" is 2 cores); 0 when there is none.
double CoresOfCpuMax(std::string_view cpu_max);

// PURE. How many threads use `cores`: a fraction takes one more, which is throttled and not idle.
int ThreadsForCores(double cores);

// The smallest quota of this process's control groups and of all above them, version 1 and 2; 0
// where there is none. `root`: where proc/ and sys/ are, "" but in tests.
double QuotaCores(const std::string& root);

}  // namespace penstock
