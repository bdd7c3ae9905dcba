#include "server/stress_client.h"

#include <cmath>
#include <cstring>
#include <exception>

#include "support/frames.h"

namespace penstock {
namespace {

constexpr std::size_t kOpenMax = 32;
constexpr std::size_t kWrongMax = 20;

float FloatAt(std::string_view bytes, std::size_t at) {
  float value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

bool Matches(std::string_view got, const StressClient::Sample& sample) {
  if (sample.tolerance == 0 || got.size() != sample.output.size()) return got == sample.output;
  for (std::size_t at = 0; at < got.size(); at += sizeof(float)) {
    if (!(std::abs(FloatAt(got, at) - FloatAt(sample.output, at)) <= sample.tolerance)) {
      return false;
    }
  }
  return true;
}

}  // namespace

void StressTotals::Add(const StressTotals& other) {
  started += other.started;
  good += other.good;
  expired += other.expired;
  cancelled += other.cancelled;
  lost += other.lost;
  wrong.insert(wrong.end(), other.wrong.begin(), other.wrong.end());
}

StressTotals StressClient::Run(std::int64_t requests) {
  while (totals_.started < requests && totals_.wrong.size() < kWrongMax && !stopping_) {
    const auto life = static_cast<std::int64_t>(1 + random_.Below(random_.OneIn(3) ? 20 : 3000));
    Live(std::min(life, requests - totals_.started));
  }
  return std::move(totals_);
}

void StressClient::Live(std::int64_t requests) {
  client_ = SocketClient::Connect(port_);
  if (client_ == nullptr) {
    if (!stopping_) Wrong("cannot connect");
    return;
  }
  // One life in four ends before its time.
  const bool breaks_off = random_.OneIn(4);
  const std::int64_t last = totals_.started + requests;
  const std::int64_t breaks_at = last - static_cast<std::int64_t>(random_.Below(20));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  while (totals_.started < last || !open_.empty()) {
    if (breaks_off && totals_.started >= breaks_at) break;
    while (totals_.started < last && open_.size() < kOpenMax && !random_.OneIn(20)) StartRequest();
    if (random_.OneIn(6)) DisturbOne();
    const bool idle = totals_.started >= last || open_.size() >= kOpenMax;
    const std::size_t send_max = random_.OneIn(4) ? 1 + random_.Below(3000) : std::string::npos;
    if (!client_->Pump(idle ? 20 : 0, send_max)) {
      if (!stopping_) Wrong("the server closed the connection");
      break;
    }
    CollectEnded();
    if (std::chrono::steady_clock::now() > deadline) {
      Wrong("a request without an end, on stream " + std::to_string(open_.begin()->first));
      break;
    }
  }
  totals_.lost += static_cast<std::int64_t>(open_.size());
  open_.clear();
  if (breaks_off && random_.OneIn(2) && !client_->ended()) client_->Abort();
  client_.reset();
}

void StressClient::StartRequest() {
  Open open;
  open.sample = random_.OneIn(300) ? &large_ : &small_[random_.Below(small_.size())];
  open.id = std::to_string(seed_) + "-" + std::to_string(totals_.started++);
  const Sample& sample = *open.sample;
  const std::string message =
      frames::Message(EncodeRawRequest(sample.model, open.id, {sample.input}));
  Http2Client::Fields more;
  if (random_.OneIn(10)) {
    open.has_deadline = true;
    more.emplace_back("grpc-timeout", std::to_string(random_.Below(2001)) + "u");
  }
  Http2Client& http = client_->http();
  const bool whole = !random_.OneIn(12);
  const std::size_t given = whole ? message.size() : random_.Below(message.size());
  const std::int32_t id = http.Begin(GrpcHeaders(kInferPath, more), message.substr(0, given));
  if (whole) http.End(id);
  open.rest = message.substr(given);
  // Before anything of it has left.
  if (random_.OneIn(60)) {
    http.Reset(id);
    open.reset = true;
  }
  open_.emplace(id, std::move(open));
}

// Cancels a request, or gives more of its message.
void StressClient::DisturbOne() {
  if (open_.empty()) return;
  auto at = open_.lower_bound(static_cast<std::int32_t>(
      static_cast<std::size_t>(open_.begin()->first) +
      random_.Below(static_cast<std::size_t>(open_.rbegin()->first - open_.begin()->first) + 1)));
  auto& [id, open] = *at;
  if (open.reset) return;
  Http2Client& http = client_->http();
  if (random_.OneIn(3)) {
    http.Reset(id);
    open.reset = true;
  } else if (!open.rest.empty()) {
    const std::size_t part = random_.OneIn(2) ? open.rest.size() : random_.Below(open.rest.size());
    http.Append(id, open.rest.substr(0, part));
    open.rest.erase(0, part);
    if (open.rest.empty()) http.End(id);
  }
}

void StressClient::CollectEnded() {
  for (auto at = open_.begin(); at != open_.end();) {
    auto& [id, open] = *at;
    Http2Client::Reply& reply = client_->http().reply(id);
    // Nothing but ourselves would ever end it.
    if (!reply.closed && !open.rest.empty() && random_.OneIn(10)) {
      client_->http().Append(id, open.rest);
      client_->http().End(id);
      open.rest.clear();
    }
    if (!reply.closed) {
      ++at;
      continue;
    }
    Check(open, reply);
    client_->http().Forget(id);
    at = open_.erase(at);
  }
}

void StressClient::Check(const Open& open, const Http2Client::Reply& reply) {
  const std::string status = reply.Find("grpc-status");
  if (open.reset && !reply.ended) {
    ++totals_.cancelled;
  } else if ((status == "4" || status == "8") && open.has_deadline) {
    ++totals_.expired;
  } else if (status != "0" && stopping_) {
    ++totals_.lost;
  } else if (status != "0") {
    Wrong("status '" + status + "' " + reply.Find("grpc-message") + ", stream error " +
          std::to_string(reply.error_code));
  } else {
    try {
      const Response response = DecodeResponse(std::string_view(reply.body).substr(5));
      if (response.id != open.id) return Wrong("the answer of " + response.id + " for " + open.id);
      if (!Matches(response.outputs.at(0).raw, *open.sample)) {
        return Wrong("a wrong answer of " + open.sample->model);
      }
      ++totals_.good;
    } catch (const std::exception& malformed) {
      Wrong(std::string("a malformed answer: ") + malformed.what());
    }
  }
}

void StressClient::Wrong(const std::string& what) {
  totals_.wrong.push_back(what);
}

}  // namespace penstock
