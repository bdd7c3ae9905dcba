// One run of the generator on one event loop: sends what is due, takes what comes, records it.
// The loop's thread only, but for Progress and Seconds.
//
//   connecting --all open--> warming --> running --schedule worked off--> draining --> ended
//        \______________________\___________\__ lost, stalled, stopped _____/
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <penstock/load.h>

#include "base/block_pool.h"
#include "base/buffer.h"
#include "base/mailbox.h"
#include "load/answer_checker.h"
#include "load/arrivals.h"
#include "load/client_socket.h"
#include "load/mix.h"
#include "load/recorder.h"
#include "load/request_set.h"
#include "runtime/io_loop.h"

namespace penstock::load {

class Engine final : public TurnHook,
                     private CallEvents,
                     private SocketOwner,
                     private Timer,
                     private MailboxItem {
 public:
  // `options` passed CheckOptions; `addresses` is not empty. Registers itself with the loop, which
  // it stops when the run has ended.
  Engine(const LoadOptions& options, std::vector<SocketAddress> addresses, IoLoop& loop);
  ~Engine();

  // On the loop's thread, before the loop runs.
  void Begin();
  // Any thread, once: ends the run.
  void RequestStop() { loop_.Post(*this); }
  // After the loop has run: closes the connections and reports.
  LoadResult TakeResult();

  // Any thread.
  LoadProgress Progress() const;
  std::vector<LoadSecond> Seconds(std::int64_t from) const;

 private:
  enum class Phase : std::uint8_t { kConnecting, kWarming, kRunning, kDraining, kEnded };

  // The place of one connection; reconnected when it is lost.
  struct Slot {
    std::unique_ptr<ClientSocket> socket;
    std::size_t source = 0;   // of sources_
    std::size_t address = 0;  // of addresses_, the one being used
    TimeNs retry_at = 0;
    std::size_t idle_callers = 0;  // closed loop: callers bound to this connection that may call
  };

  void OnTurnEnd() override;
  void OnTimer(TimeNs /*now*/) override {}  // it only wakes the loop
  void Deliver() override { End(LoadEnd::kStopped, ""); }
  void MarkDirty(ClientSocket& socket) override;

  // Calls.
  void OnCallEnd(ClientCall& call, const CallOutcome& outcome) override;
  void OnCallFree(ClientCall& call) override;
  void OnCallTimer(ClientCall& call, TimeNs now) override;
  Verdict Judge(const ClientCall& call, const CallOutcome& outcome, TimeNs now);
  void Fail(const MixChoice& choice, Verdict verdict, std::string_view why, TimeNs now);
  bool SendDue(TimeNs now);
  bool SendForCallers(TimeNs now);
  void Send(const MixChoice& choice, std::size_t slot, TimeNs due);
  void StampSent();
  std::size_t PickSlot(std::size_t source);
  void AddSources(const std::vector<LoadPayload>& payloads);

  // Connections.
  bool Usable(const Slot& slot) const;
  void Open(Slot& slot);
  bool FlushDirty();
  void LookAfter(Slot& slot, TimeNs now);
  void OnLost(Slot& slot, TimeNs now);
  std::string Peer() const;

  // Phases.
  void OnAllOpen(TimeNs now);
  void BeginSchedule(TimeNs start);
  void AdvancePhase(TimeNs now);
  void Check(TimeNs now);
  void End(LoadEnd end, std::string failure);
  void CloseAll();
  void PlanWake(TimeNs now);
  void Publish(TimeNs now);
  TimeNs Now() const { return loop_.clock().Now(); }
  bool sending() const { return phase_ == Phase::kWarming || phase_ == Phase::kRunning; }
  bool open_loop() const { return options_.mode == LoadMode::kOpen; }
  TimeNs ScheduleLength() const;

  const LoadOptions& options_;
  const std::vector<SocketAddress> addresses_;
  IoLoop& loop_;
  const RequestSet requests_;
  AnswerChecker checker_;
  Mix mix_;
  Recorder recorder_;

  Phase phase_ = Phase::kConnecting;
  LoadEnd end_ = LoadEnd::kRunning;
  std::string failure_;
  TimeNs begun_at_ = 0;  // the phase connecting
  TimeNs start_ = 0;     // of the schedule in use
  TimeNs phase_end_ = kNever;
  TimeNs drain_began_ = 0;
  TimeNs ended_at_ = 0;
  TimeNs planned_wake_ = kNever;
  TimeNs next_check_ = 0;
  TimeNs last_progress_ = 0;  // a call ended, or none waited
  TimeNs down_since_ = kNever;
  std::optional<ArrivalSchedule> schedule_;
  TimeNs next_due_ = kNever;  // absolute
  std::int64_t in_flight_ = 0;
  std::int64_t warmup_calls_ = 0;
  std::int64_t connections_lost_ = 0;
  std::int64_t stream_limited_ = 0;
  std::int64_t stream_limit_ = 0;
  TimeNs cpu_at_start_ = 0;
  TimeNs busy_ = 0;

  BlockPool blocks_;
  BufferPool buffers_;
  std::vector<std::unique_ptr<ClientCall>> calls_;
  std::vector<ClientCall*> free_calls_;
  std::vector<ClientCall*> started_;  // in this turn
  IntrusiveList<ClientSocket, ClientSocket> dirty_;
  std::vector<std::optional<SocketAddress>> sources_;
  std::vector<std::size_t> source_of_;  // each payload
  std::vector<Slot> slots_;             // those of the first source, those of the second, ...
  std::vector<std::unique_ptr<ClientSocket>> retiring_;  // told to go away, calls still on them
  std::size_t turn_slot_ = 0;                            // among those of one source

  // Any thread.
  mutable std::mutex mu_;
  LoadProgress progress_;            // guarded by mu_
  std::vector<LoadSecond> seconds_;  // guarded by mu_
};

}  // namespace penstock::load
