// Replays one recorded request to any gRPC server over h2c, closed loop, checks every reply and
// prints what it measured as one JSON object. Cheap enough to drive any contender from one core:
// one thread, one epoll, no protobuf, no copy of a large body. It knows nothing of Penstock.
//
// Exit code: 0 if every reply was right, 1 if any was not (the JSON says what), 2 for bad flags.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/strings.h"
#include "replay/options.h"
#include "replay/report.h"
#include "replay/session.h"

namespace penstock::bench {
namespace {

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "replay_client: %s\n", what.c_str());
  std::exit(1);
}

std::vector<std::uint8_t> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Die(StrCat("cannot read ", path));
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void WriteFile(const std::string& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) Die(StrCat("cannot write ", path));
}

// What gRPC's own clients send, in their order.
HeaderList GrpcHeaders(const ReplayOptions& options) {
  return {{":method", "POST"},
          {":scheme", "http"},
          {":path", options.path},
          {":authority", StrCat(options.host, ":", options.port)},
          {"te", "trailers"},
          {"content-type", "application/grpc"},
          {"user-agent", "penstock-replay"},
          {"grpc-accept-encoding", "identity"}};
}

ReplyChecker::Options CheckOptions(const ReplayOptions& options) {
  ReplyChecker::Options check;
  check.record = !options.record_file.empty();
  if (options.expect_file.empty()) return check;
  check.has_expected = true;
  check.expected = ReadFile(options.expect_file);
  check.float_tail = static_cast<std::size_t>(options.float_tail);
  check.tolerance = options.tolerance;
  if (check.float_tail * sizeof(float) > check.expected.size()) Die("--float-tail is too long");
  return check;
}

int Connect(const ReplayOptions& options) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.port));
  if (inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) Die("--host is no IPv4");
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Die(StrCat("cannot connect to port ", options.port, ": ", std::strerror(errno)));
  }
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// CPU time that the processes, all their threads included, have used so far.
std::int64_t CpuNs(const std::vector<int>& pids) {
  std::int64_t total = 0;
  for (const int pid : pids) {
    clockid_t clock{};
    timespec used{};
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
      Die(StrCat("cannot read the CPU time of process ", pid));
    }
    total += static_cast<std::int64_t>(used.tv_sec) * kSecond + used.tv_nsec;
  }
  return total;
}

class ReplayLoop final {
 public:
  explicit ReplayLoop(const ReplayOptions& options)
      : options_(options),
        run_(GrpcHeaders(options), ReadFile(options.message_file), CheckOptions(options),
             options.requests),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        input_(kInputBytes) {}

  int Run();

 private:
  // connecting -> warming -> measuring -> draining -> done. In count mode warming is skipped and
  // measuring ends with the last reply.
  enum class Phase { kConnecting, kWarming, kMeasuring, kDraining, kDone };

  struct Connection {
    int fd = -1;
    std::unique_ptr<ReplaySession> session;
    bool wants_write = false;
  };

  static constexpr std::size_t kInputBytes = 1 << 20;
  static constexpr int kTurnMs = 100;  // how late a phase may end when nothing arrives

  void Open();
  void Advance(TimeNs now);
  void BeginWindow(TimeNs now);
  void EndWindow(TimeNs now);
  void OnEvent(Connection& connection, std::uint32_t events);
  void Read(Connection& connection);
  void Write(Connection& connection);
  void Close(Connection& connection, const std::string& why);
  std::size_t InFlight() const;
  bool Stalled(TimeNs now);
  int Report();

  const ReplayOptions& options_;
  RunState run_;
  SteadyClock clock_;
  const int epoll_;
  std::vector<std::uint8_t> input_;
  std::vector<Connection> connections_;
  Phase phase_ = Phase::kConnecting;
  TimeNs phase_end_ = kNever;
  std::int64_t progress_ = -1;  // replies when the stall guard last looked
  TimeNs progress_time_ = 0;
  Window window_;
};

int ReplayLoop::Run() {
  Open();
  std::array<epoll_event, 256> events;
  while (phase_ != Phase::kDone) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), kTurnMs);
    for (int i = 0; i < count; ++i) {
      OnEvent(connections_[events[static_cast<std::size_t>(i)].data.u32],
              events[static_cast<std::size_t>(i)].events);
    }
    const TimeNs now = clock_.Now();
    Advance(now);
    if (Stalled(now)) {
      for (Connection& connection : connections_) Close(connection, "no reply in time");
      if (phase_ == Phase::kMeasuring) EndWindow(now);
      phase_ = Phase::kDone;
    }
  }
  return Report();
}

void ReplayLoop::Open() {
  const SessionOptions session_options = {
      .streams = static_cast<std::size_t>(options_.streams),
      .max_frame_bytes = static_cast<std::uint32_t>(options_.max_frame_bytes)};
  for (int i = 0; i < options_.connections; ++i) {
    Connection connection;
    connection.fd = Connect(options_);
    connection.session = options_.tcp ? MakeTcpSession(session_options, run_)
                                      : MakeHttp2Session(session_options, run_);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<std::uint32_t>(i);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event) != 0) Die("epoll_ctl failed");
    connection.session->Start();
    connections_.push_back(std::move(connection));
    Write(connections_.back());
  }
  Advance(clock_.Now());
}

// Moves to the next phase where its time has come.
void ReplayLoop::Advance(TimeNs now) {
  if (phase_ == Phase::kConnecting) {
    for (const Connection& connection : connections_) {
      if (!connection.session->Ready()) return;
    }
    const bool count_mode = options_.requests > 0;
    phase_ = Phase::kWarming;
    phase_end_ = count_mode ? now : now + static_cast<TimeNs>(options_.warmup_s * 1e9);
    if (count_mode) BeginWindow(now);
    for (Connection& connection : connections_) {
      connection.session->FillStreams(clock_.Now());
      Write(connection);
    }
    return;
  }
  if (phase_ == Phase::kWarming && now >= phase_end_) BeginWindow(now);
  const bool all_done = options_.requests > 0 && run_.completed() >= options_.requests;
  if (phase_ == Phase::kMeasuring && (now >= phase_end_ || all_done)) EndWindow(now);
  if (phase_ == Phase::kDraining && InFlight() == 0) phase_ = Phase::kDone;
}

void ReplayLoop::BeginWindow(TimeNs now) {
  phase_ = Phase::kMeasuring;
  phase_end_ =
      options_.requests > 0 ? kNever : now + static_cast<TimeNs>(options_.duration_s * 1e9);
  window_.server_cpu_ns = -CpuNs(options_.server_pids);
  window_.client_cpu_ns = -CpuNs({getpid()});
  window_.duration_ns = -clock_.Now();
  run_.StartMeasuring();
}

void ReplayLoop::EndWindow(TimeNs) {
  window_.duration_ns += clock_.Now();
  window_.server_cpu_ns += CpuNs(options_.server_pids);
  window_.client_cpu_ns += CpuNs({getpid()});
  run_.StopMeasuring();
  run_.Drain();
  phase_ = Phase::kDraining;
}

void ReplayLoop::OnEvent(Connection& connection, std::uint32_t events) {
  if (connection.fd < 0) return;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) Read(connection);
  if (connection.fd >= 0 && !connection.session->Output().empty()) Write(connection);
}

void ReplayLoop::Read(Connection& connection) {
  const ssize_t size = recv(connection.fd, input_.data(), input_.size(), MSG_DONTWAIT);
  if (size < 0) {
    if (errno != EAGAIN && errno != EINTR) Close(connection, std::strerror(errno));
    return;
  }
  if (size == 0) {
    Close(connection, "connection closed by the server");
    return;
  }
  const std::span<const std::uint8_t> bytes(input_.data(), static_cast<std::size_t>(size));
  if (!connection.session->Receive(bytes, clock_.Now())) {
    Close(connection, connection.session->Failure());
  }
}

void ReplayLoop::Write(Connection& connection) {
  OutputQueue& output = connection.session->Output();
  std::array<iovec, 64> pieces;
  bool blocked = false;
  while (!output.empty() && !blocked) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = output.Pieces(pieces);
    const ssize_t size = sendmsg(connection.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size >= 0) {
      output.Sent(static_cast<std::size_t>(size));
    } else if (errno == EAGAIN) {
      blocked = true;
    } else if (errno != EINTR) {
      Close(connection, std::strerror(errno));
      return;
    }
  }
  if (blocked == connection.wants_write) return;
  connection.wants_write = blocked;
  epoll_event event{};
  event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u32 = static_cast<std::uint32_t>(&connection - connections_.data());
  epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
}

void ReplayLoop::Close(Connection& connection, const std::string& why) {
  if (connection.fd < 0) return;
  close(connection.fd);
  connection.fd = -1;
  // A server that closes a connection nobody uses any more is in order; any other loss is not.
  if (phase_ == Phase::kDraining && connection.session->InFlight() == 0) return;
  ++window_.connections_lost;
  if (window_.first_loss.empty()) window_.first_loss = why;
  connection.session->Lost(why);
  const bool all_lost = std::all_of(connections_.begin(), connections_.end(),
                                    [](const Connection& each) { return each.fd < 0; });
  if (!all_lost) return;
  if (phase_ == Phase::kMeasuring) EndWindow(clock_.Now());
  phase_ = Phase::kDone;
}

std::size_t ReplayLoop::InFlight() const {
  std::size_t total = 0;
  for (const Connection& connection : connections_) total += connection.session->InFlight();
  return total;
}

bool ReplayLoop::Stalled(TimeNs now) {
  if (phase_ == Phase::kDone) return false;
  if (run_.completed() != progress_) {
    progress_ = run_.completed();
    progress_time_ = now;
    return false;
  }
  return now - progress_time_ > options_.stall_timeout_s * kSecond;
}

int ReplayLoop::Report() {
  window_.stream_limit = connections_.front().session->StreamLimit();
  for (const Connection& connection : connections_) {
    window_.stream_limit = std::min(window_.stream_limit, connection.session->StreamLimit());
    if (connection.fd >= 0) close(connection.fd);
  }
  close(epoll_);
  PrintReport(options_, run_, window_);
  if (!options_.record_file.empty()) {
    if (run_.checker().recorded().empty()) Die("no good reply to record");
    WriteFile(options_.record_file, run_.checker().recorded());
  }
  return run_.errors_ever() == 0 && window_.connections_lost == 0 ? 0 : 1;
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  const penstock::bench::ReplayOptions options = penstock::bench::ParseReplayOptions(argc, argv);
  return penstock::bench::ReplayLoop(options).Run();
}
