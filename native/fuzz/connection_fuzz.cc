// The server's side of a connection under a peer, a clock and methods that do what the input says:
// raw bytes in slices of any size, well-formed frames in any order, time that passes, answers,
// cancels, shutdown, disconnects. At the end nothing is live and every call accepted is finished.
//
// An input is a list of operations: a byte that names one, then what it takes. They are in the
// order of kOperations; tests/fuzz/make_corpus.py writes the same.
#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "fuzz/fuzz_input.h"
#include "support/exchange.h"
#include "support/frames.h"
#include "support/grpc_side.h"

namespace penstock {
namespace {

// What recorded clients call.
constexpr std::string_view kInferPath = "/inference.GRPCInferenceService/ModelInfer";
constexpr std::string_view kReflectionPath =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
// Small, so that a short input reaches them.
constexpr grpc::CallLimits kLimits = {.message_bytes_max = 200'000, .max_concurrent_streams = 8};
constexpr std::size_t kBudgetBytes = 300'000;
// One operation sends, or is sent, as much at most: larger than a window and than a large output.
constexpr std::size_t kFillMax = 100'000;

class Peer final : public grpc::ConnectionHost {
 public:
  Peer() {
    side_.router.Add(kInferPath, side_.unary);
    side_.router.Add(kReflectionPath, side_.stream);
    // Held until LetGo, unless that says another: work that outlives its call, and its connection.
    side_.unary.release_at_once = side_.stream.release_at_once = false;
    side_.unary.finish_at_half_close = false;
    side_.stream.on_message = [](grpc::Call& call) {
      Reply(call, "echo");
      call.Flush();
    };
    Connect();
  }
  ~Peer() { ExpectAtRest(); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void Run(FuzzInput& input) {
    while (!input.empty()) {
      (this->*kOperations[input.Byte() % kOperations.size()])(input);
      if (connection_ != nullptr && connection_->Done()) Disconnect(input);
    }
  }
  void OnOutput() override { CHECK(connection_ != nullptr); }

 private:
  using Operation = void (Peer::*)(FuzzInput&);

  // --- what the peer sends ---

  void Raw(FuzzInput& input) {
    const std::size_t slice = 1 + input.Byte();
    Send(input.Bytes(input.Word()), slice);
  }
  void Preface(FuzzInput& /*input*/) { Send(std::string(frames::kPreface) + frames::Settings()); }
  void Frame(FuzzInput& input) {
    const auto type = static_cast<http2::FrameType>(input.Byte());
    const std::uint8_t flags = input.Byte();
    const std::int32_t id = input.Byte();
    Send(frames::Frame(type, flags, id, input.Bytes(input.Byte())));
  }
  void Begin(FuzzInput& input) {
    static constexpr std::array<std::string_view, 4> kPaths = {kUnaryPath, kStreamPath, "/no/one",
                                                               ""};
    const std::uint8_t shape = input.Byte();
    frames::Fields fields = {{":method", (shape & 0x40) != 0 ? "GET" : "POST"},
                             {":scheme", "http"},
                             {":path", std::string(kPaths[shape % kPaths.size()])},
                             {"content-type", "application/grpc"},
                             {"te", "trailers"}};
    if ((shape & 0x04) != 0) {
      fields.emplace_back("grpc-timeout", std::string(input.Bytes(input.Byte() % 10)));
    }
    if ((shape & 0x08) != 0) fields.emplace_back("grpc-encoding", "gzip");
    if ((shape & 0x10) != 0) fields.emplace_back("x", std::string(input.Bytes(input.Byte() / 4)));
    std::uint8_t flags = http2::kFlagEndHeaders;
    if ((shape & 0x20) != 0) flags |= http2::kFlagEndStream;
    last_id_ += 2;
    Send(frames::Headers(last_id_, frames::HeaderBlock(fields, (shape & 0x80) != 0), flags));
  }
  // A message or a part of one: the prefix says one length, and another one comes.
  void Message(FuzzInput& input) {
    const std::uint8_t shape = input.Byte();
    const std::int32_t id = StreamOf(shape >> 4);
    const std::size_t said = std::size_t{4} * input.Word();
    const std::size_t sent = (shape & 0x01) != 0 ? said : std::size_t{4} * input.Word();
    std::string bytes;
    if ((shape & 0x02) == 0) {
      bytes.push_back((shape & 0x04) != 0 ? '\x01' : '\x00');
      bytes.append(frames::BigEndian(said, 4));
    }
    bytes.append(std::min(sent, kFillMax), 'm');
    while (!bytes.empty()) {
      const std::string_view part = std::string_view(bytes).substr(0, 16'384);
      const bool last = part.size() == bytes.size() && (shape & 0x08) != 0;
      Send(frames::Data(id, part, last ? http2::kFlagEndStream : std::uint8_t{0}));
      bytes.erase(0, part.size());
    }
  }
  void Reset(FuzzInput& input) {
    const std::uint8_t which = input.Byte();
    Send(frames::ResetStream(StreamOf(which >> 4), which & 0x0f));
  }
  void Window(FuzzInput& input) {
    const std::uint8_t which = input.Byte();
    const std::int32_t id = (which & 1) != 0 ? 0 : StreamOf(which >> 4);
    Send(frames::WindowUpdate(id, std::uint32_t{64} * input.Word()));
  }

  // --- what happens on our side ---

  void PassTime(FuzzInput& input) {
    static constexpr std::array<TimeNs, 4> kUnits = {1'000, 1'000'000, 100'000'000, kSecond};
    const std::uint8_t step = input.Byte();
    side_.Advance(kUnits[step % kUnits.size()] * (1 + step / 4));
    if (connection_ == nullptr || (step & 0x80) == 0) return;
    if (!connection_->CheckTimeouts(side_.now).ok()) Disconnect(input);
  }
  void Answer(FuzzInput& input) {
    const std::uint8_t shape = input.Byte();
    FakeMethod& method = (shape & 1) != 0 ? side_.stream : side_.unary;
    if (method.held.empty()) return;
    grpc::Call& call = *method.held[(shape >> 4) % method.held.size()];
    const std::size_t size = std::min(std::size_t{4} * input.Word(), kFillMax);
    if ((shape & 2) != 0) Reply(call, std::string(size, 'r'));
    method.Finish(call, (shape & 4) != 0 ? NotFound("as the input says") : Status());
  }
  // Lets go of what was cancelled, and says what becomes of what will be.
  void LetGo(FuzzInput& input) {
    const std::uint8_t which = input.Byte();
    FakeMethod& method = (which & 1) != 0 ? side_.stream : side_.unary;
    method.release_at_once = (which & 2) != 0;
    for (grpc::Call* call : std::vector(method.held)) {
      if (call->concluded()) method.Release(*call);
    }
  }
  void Read(FuzzInput& input) {
    if (connection_ == nullptr) return;
    connection_->Pump();
    CHECK_LE(connection_->output().pending_bytes(), 2 * http2::Connection::kOutputHighWater);
    std::array<iovec, 4> slices;
    std::size_t taken = 0;
    const std::size_t wanted = std::size_t{64} * (1 + input.Byte());
    const std::size_t count = connection_->output().Slices(slices);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t part = std::min(slices[i].iov_len, wanted - taken);
      CheckReadable(static_cast<const std::uint8_t*>(slices[i].iov_base), part);
      taken += part;
    }
    connection_->output().Sent(taken);
  }
  void ReadAll(FuzzInput& /*input*/) {
    if (connection_ != nullptr) TakeOutput(*connection_);
  }
  void BeginShutdown(FuzzInput& /*input*/) {
    if (connection_ != nullptr) connection_->BeginShutdown();
  }
  void FinishShutdown(FuzzInput& /*input*/) {
    if (connection_ != nullptr) connection_->FinishShutdown();
  }
  void Disconnect(FuzzInput& /*input*/) { connection_.reset(); }
  void Reconnect(FuzzInput& input) {
    Disconnect(input);
    Connect();
    Preface(input);
  }

  static constexpr std::array<Operation, 16> kOperations = {
      &Peer::Raw,           &Peer::Preface,        &Peer::Frame,      &Peer::Begin,
      &Peer::Message,       &Peer::Reset,          &Peer::Window,     &Peer::PassTime,
      &Peer::Answer,        &Peer::LetGo,          &Peer::Read,       &Peer::ReadAll,
      &Peer::BeginShutdown, &Peer::FinishShutdown, &Peer::Disconnect, &Peer::Reconnect};

  void Connect() {
    last_id_ = -1;
    connection_ = std::make_unique<grpc::ServerConnection>(side_.context, *this, side_.now);
  }
  // One of the last sixteen streams.
  std::int32_t StreamOf(int back) const { return std::max(last_id_ - 2 * back, 1); }
  void Send(std::string_view bytes, std::size_t slice = std::string_view::npos) {
    if (connection_ == nullptr) return;
    // As a socket would, nothing is read any more past this much that waits to be sent.
    if (connection_->output().pending_bytes() > http2::Connection::kOutputHighWater) return;
    if (Feed(*connection_, bytes, side_.now, slice).ok()) return;
    TakeOutput(*connection_);
    connection_.reset();
  }
  static void CheckReadable(const std::uint8_t* bytes, std::size_t size) {
    volatile unsigned sum = 0;
    for (std::size_t i = 0; i < size; ++i) sum = sum + bytes[i];
  }
  void ExpectAtRest() {
    connection_.reset();
    side_.unary.ReleaseAll();
    side_.stream.ReleaseAll();
    const std::string live = side_.NotAtRest();
    if (!live.empty()) std::fprintf(stderr, "still live: %s\n", live.c_str());
    CHECK(live.empty());
  }

  GrpcSide side_{kLimits, kBudgetBytes};
  std::unique_ptr<grpc::ServerConnection> connection_;
  std::int32_t last_id_ = -1;
};

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::FuzzInput input(data, size);
  penstock::Peer().Run(input);
  return 0;
}
