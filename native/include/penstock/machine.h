// What this process may use of the machine it runs on.
#pragma once

namespace penstock {

// Cores, fractions included: the smallest of the affinity mask and the control group's quota. The
// host's core count says nothing in a container. At least 1/100. Reads /proc and /sys once; call it
// at start.
double GrantedCores();

}  // namespace penstock
