// The server's side of gRPC connections without sockets: two fake methods, a clock and all that a
// loop lends its connections. For tests and the fuzzer. One thread.
#pragma once

#include <string>

#include "base/strings.h"
#include "grpc/server_connection.h"
#include "support/fake_method.h"

namespace penstock {

inline constexpr char kUnaryPath[] = "/test.Service/Unary";
inline constexpr char kStreamPath[] = "/test.Service/Stream";

struct GrpcSide final {
  explicit GrpcSide(const grpc::CallLimits& given = {}, std::size_t budget_bytes = 1 << 30)
      : limits(given), budget(budget_bytes) {
    router.Add(kUnaryPath, unary);
    router.Add(kStreamPath, stream);
  }
  GrpcSide(const GrpcSide&) = delete;
  GrpcSide& operator=(const GrpcSide&) = delete;

  void Advance(TimeNs duration) {
    now += duration;
    timers.Advance(now);
  }

  // Once every connection is gone and every call was let go: what is live all the same. Empty where
  // nothing is and each accepted call was finished and released. Time is over afterwards.
  std::string NotAtRest() {
    using metrics::Counter;
    const std::int64_t accepted = cells.Get(Counter::kCallsAccepted);
    const std::int64_t finished = cells.Get(Counter::kCallsFinished);
    const std::int64_t released = cells.Get(Counter::kCallsReleased);
    std::string live;
    if (finished != accepted || released != accepted) {
      live = StrCat("of ", accepted, " calls ", finished, " finished, ", released, " released; ");
    }
    if (buffers.live() != 0) live += StrCat(buffers.live(), " buffers; ");
    if (budget.used() != 0) live += StrCat(budget.used(), " bytes of the budget; ");
    // Armed timers would be due in the end; disarmed ones may leave an early guess behind.
    Advance(1'000'000'000 * kSecond);
    if (timers.NextDue() != kNever) live += "a timer; ";
    return live;
  }

  TimeNs now = 7 * kSecond;
  const grpc::CallLimits limits;
  FakeMethod unary;
  FakeMethod stream{/*is_streaming=*/true};
  grpc::Router router;
  BufferPool buffers;
  BlockPool blocks;
  TimerWheel timers{now};
  grpc::ByteBudget budget;
  metrics::Cells cells;
  grpc::CallContext context{.router = router,
                            .limits = limits,
                            .buffers = buffers,
                            .blocks = blocks,
                            .timers = timers,
                            .budget = budget,
                            .cells = cells,
                            .free_bodies = {}};
};

}  // namespace penstock
