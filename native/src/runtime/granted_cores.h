// How many cores this process may really use: the smallest of its affinity mask and its cgroup's
// CPU quota, fractions included. The host's core count says nothing in a container.
#pragma once

#include <string_view>

namespace penstock {

// At least 1/100. Reads /proc and /sys once; call it at start.
double GrantedCores();

// PURE. The quota in a cgroup v2 `cpu.max` ("200000 100000" is 2 cores); 0 when there is none.
double CoresOfCpuMax(std::string_view cpu_max);

}  // namespace penstock
