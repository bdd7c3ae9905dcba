// What GrantedCores, which <penstock/machine.h> explains, is made of.
#pragma once

#include <string_view>

#include <penstock/machine.h>

namespace penstock {

// PURE. The quota in a cgroup v2 `cpu.max` ("200000 100000" is 2 cores); 0 when there is none.
double CoresOfCpuMax(std::string_view cpu_max);

}  // namespace penstock
