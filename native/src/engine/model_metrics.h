// What /metrics says of models, made from the merged cells. Any thread.
#pragma once

#include "engine/model_host.h"
#include "metrics/prometheus_text.h"

namespace penstock {

void AddModelMetrics(metrics::PrometheusText& text, ModelHost& host);

}  // namespace penstock
