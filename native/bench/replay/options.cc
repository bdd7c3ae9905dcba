// See options.h.
#include "replay/options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace penstock::bench {
namespace {

constexpr char kUsage[] =
    "usage: replay_client --port N --message FILE [flags]\n"
    "  --host ADDRESS         IPv4 address (127.0.0.1)\n"
    "  --connections N        (1)\n"
    "  --streams N            requests in flight on each connection (1)\n"
    "  --warmup-s S           (0.5)\n"
    "  --duration-s S         (2)\n"
    "  --requests N           exactly N requests instead of a duration\n"
    "  --path PATH            (/inference.GRPCInferenceService/ModelInfer)\n"
    "  --message FILE         serialized request\n"
    "  --expect FILE          serialized response that every reply must equal\n"
    "  --float-tail N         the last N FP32 of it may differ by --tolerance\n"
    "  --tolerance X          of the largest expected magnitude (1e-5)\n"
    "  --record FILE          writes the first reply's message\n"
    "  --max-frame-bytes N    SETTINGS_MAX_FRAME_SIZE to announce (4194304)\n"
    "  --stall-timeout-s N    give up when no reply comes for so long (10)\n"
    "  --server-pid PID       read this process's CPU time around the window; may repeat\n"
    "  --tcp                  raw TCP echo of a request's bytes\n";

[[noreturn]] void Fail(std::string_view what, std::string_view flag) {
  std::fprintf(stderr, "replay_client: %.*s '%.*s'\n%s", static_cast<int>(what.size()), what.data(),
               static_cast<int>(flag.size()), flag.data(), kUsage);
  std::exit(2);
}

template <typename T>
void Number(std::string_view flag, std::string_view text, T low, T high, T& out) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    Fail("number out of range for", flag);
  }
  out = value;
}

// True if `flag` is one of the textual flags, which is then set.
bool SetText(ReplayOptions& options, std::string_view flag, std::string_view text) {
  std::string* target = nullptr;
  if (flag == "--host") target = &options.host;
  if (flag == "--path") target = &options.path;
  if (flag == "--message") target = &options.message_file;
  if (flag == "--expect") target = &options.expect_file;
  if (flag == "--record") target = &options.record_file;
  if (target != nullptr) *target = text;
  return target != nullptr;
}

bool SetNumber(ReplayOptions& options, std::string_view flag, std::string_view text) {
  constexpr std::int64_t kMaxRequests = std::int64_t{1} << 40;
  if (flag == "--port") {
    Number(flag, text, 1, 65535, options.port);
  } else if (flag == "--connections") {
    Number(flag, text, 1, 10'000, options.connections);
  } else if (flag == "--streams") {
    Number(flag, text, 1, 10'000, options.streams);
  } else if (flag == "--warmup-s") {
    Number(flag, text, 0.0, 3600.0, options.warmup_s);
  } else if (flag == "--duration-s") {
    Number(flag, text, 0.001, 3600.0, options.duration_s);
  } else if (flag == "--requests") {
    Number(flag, text, std::int64_t{1}, kMaxRequests, options.requests);
  } else if (flag == "--float-tail") {
    Number(flag, text, 0, 1 << 24, options.float_tail);
  } else if (flag == "--tolerance") {
    Number(flag, text, 0.0, 1.0, options.tolerance);
  } else if (flag == "--max-frame-bytes") {
    Number(flag, text, 16'384, 16'777'215, options.max_frame_bytes);
  } else if (flag == "--stall-timeout-s") {
    Number(flag, text, 1, 3600, options.stall_timeout_s);
  } else if (flag == "--server-pid") {
    Number(flag, text, 1, 1 << 30, options.server_pids.emplace_back());
  } else {
    return false;
  }
  return true;
}

}  // namespace

ReplayOptions ParseReplayOptions(int argc, char** argv) {
  ReplayOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    if (flag == "--tcp") {
      options.tcp = true;
      continue;
    }
    if (i + 1 >= argc) Fail("unknown flag, or its value is missing:", flag);
    const std::string_view text = argv[++i];
    if (!SetText(options, flag, text) && !SetNumber(options, flag, text)) {
      Fail("unknown flag", flag);
    }
  }
  if (options.port == 0) Fail("missing flag", "--port");
  if (options.message_file.empty()) Fail("missing flag", "--message");
  if (options.float_tail > 0 && options.expect_file.empty()) Fail("missing flag", "--expect");
  return options;
}

}  // namespace penstock::bench
