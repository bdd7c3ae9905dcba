// The text of /metrics: every metric of native/metrics.toml with its value now. Any thread; adds up
// what the loops count and holds up none of them.
#pragma once

#include <cstdint>
#include <string>

#include "engine/model_host.h"
#include "frontend/frontend.h"

namespace penstock {

std::string MetricsPage(ModelHost& host, const frontend::Frontend& frontend,
                        std::int64_t loop_stalls);

}  // namespace penstock
