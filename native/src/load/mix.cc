#include "load/mix.h"

#include <algorithm>

namespace penstock::load {

Mix::Mix(const std::vector<LoadPayload>& payloads, std::uint64_t seed) : random_(seed) {
  double total = 0;
  for (const LoadPayload& payload : payloads) {
    total += payload.weight;
    upper_.push_back(total);
    messages_.push_back(payload.messages.size());
  }
  for (double& upper : upper_) upper /= total;
  upper_.back() = 1;  // whatever rounding made of it
  single_ = messages_.size() == 1 && messages_.front() == 1;
}

MixChoice Mix::Next() {
  if (single_) return {};
  const auto found = std::ranges::upper_bound(upper_, random_.Uniform());
  const auto payload = static_cast<std::size_t>(found - upper_.begin());
  const auto messages = static_cast<double>(messages_[payload]);
  return {payload, static_cast<std::size_t>(random_.Uniform() * messages)};
}

}  // namespace penstock::load
