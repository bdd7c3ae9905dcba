// Raw TCP: sends the bytes of an HTTP/2 request in steady state and takes as many back, in order,
// for the peer is an echo. The floor that a round trip is compared with. See session.h.
#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "replay/frames.h"
#include "replay/session.h"

namespace penstock::bench {
namespace {

// HEADERS and DATA of a request whose header block has become constant.
std::vector<std::uint8_t> SteadyRequest(const RunState& run) {
  RequestHeaders headers(run.headers());
  while (!headers.constant()) headers.Next();
  const std::span<const std::uint8_t> block = headers.Next();
  std::vector<std::uint8_t> bytes(kFrameHeaderBytes);
  PutFrameHeader(bytes.data(), {.length = static_cast<std::uint32_t>(block.size()),
                                .type = kHeaders,
                                .flags = kFlagEndHeaders,
                                .stream_id = 1});
  bytes.insert(bytes.end(), block.begin(), block.end());
  std::uint8_t data_header[kFrameHeaderBytes];
  PutFrameHeader(data_header, {.length = static_cast<std::uint32_t>(run.body().size()),
                               .type = kData,
                               .flags = kFlagEndStream,
                               .stream_id = 1});
  bytes.insert(bytes.end(), data_header, data_header + kFrameHeaderBytes);
  bytes.insert(bytes.end(), run.body().begin(), run.body().end());
  return bytes;
}

class TcpSession final : public ReplaySession {
 public:
  TcpSession(const SessionOptions& options, RunState& run)
      : run_(run), streams_(options.streams), request_(SteadyRequest(run)) {}

  void Start() override {}
  bool Ready() const override { return true; }
  std::size_t InFlight() const override { return started_.size(); }
  std::size_t StreamLimit() const override { return streams_; }
  const std::string& Failure() const override { return failure_; }
  OutputQueue& Output() override { return output_; }

  void FillStreams(TimeNs now) override {
    while (started_.size() < streams_ && run_.TakeRequest()) {
      output_.Borrow(request_);
      started_.push_back(now);
    }
  }

  bool Receive(std::span<const std::uint8_t> bytes, TimeNs now) override {
    while (!bytes.empty()) {
      if (started_.empty()) {
        failure_ = "bytes came that no request asked for";
        return false;
      }
      const std::size_t size = std::min(bytes.size(), request_.size() - received_);
      wrong_ |= std::memcmp(request_.data() + received_, bytes.data(), size) != 0;
      received_ += size;
      bytes = bytes.subspan(size);
      if (received_ == request_.size()) Finish(now);
    }
    return true;
  }

  void Lost(const std::string& why) override {
    for (; !started_.empty(); started_.pop_front()) run_.Completed(0, 0, why);
  }

 private:
  void Finish(TimeNs now) {
    run_.Completed(now - started_.front(), received_, wrong_ ? "echo differs" : "");
    started_.pop_front();
    received_ = 0;
    wrong_ = false;
    FillStreams(now);
  }

  RunState& run_;
  const std::size_t streams_;
  const std::vector<std::uint8_t> request_;
  OutputQueue output_;
  std::deque<TimeNs> started_;
  std::size_t received_ = 0;
  bool wrong_ = false;
  std::string failure_;
};

}  // namespace

std::unique_ptr<ReplaySession> MakeTcpSession(const SessionOptions& options, RunState& run) {
  return std::make_unique<TcpSession>(options, run);
}

}  // namespace penstock::bench
