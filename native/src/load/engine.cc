#include "load/engine.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock::load {
namespace {

// Calls of one turn; answers are read in between.
constexpr int kBurstMax = 64;

}  // namespace

Engine::Engine(const LoadOptions& options, std::vector<SocketAddress> addresses, IoLoop& loop)
    : options_(options),
      addresses_(std::move(addresses)),
      loop_(loop),
      requests_(options.payloads, StrCat(options.host, ":", options.port)),
      checker_(options.payloads),
      mix_(options.payloads, options.seed + 1),
      recorder_(options.payloads.size(), options.keep_second_buckets) {
  AddSources(options.payloads);
  loop_.AddTurnHook(*this);
}

void Engine::AddSources(const std::vector<LoadPayload>& payloads) {
  std::vector<std::string> names;
  for (const LoadPayload& payload : payloads) {
    const auto known = std::ranges::find(names, payload.source);
    source_of_.push_back(static_cast<std::size_t>(known - names.begin()));
    if (known != names.end()) continue;
    names.push_back(payload.source);
    sources_.emplace_back();
    if (!payload.source.empty()) sources_.back() = ParseAddress(payload.source, 0).value();
    for (int i = 0; i < options_.connections; ++i) {
      slots_.push_back({.source = sources_.size() - 1});
    }
  }
}

Engine::~Engine() {
  Disarm();
  CloseAll();
}

// ---- one turn ----

void Engine::OnTurnEnd() {
  if (phase_ == Phase::kEnded) return;
  bool worked = !dirty_.empty();
  const TimeNs now = Now();
  AdvancePhase(now);
  if (sending()) worked |= open_loop() ? SendDue(now) : SendForCallers(now);
  worked |= FlushDirty();
  StampSent();
  if (now >= next_check_) Check(now);
  if (phase_ == Phase::kDraining && in_flight_ == 0) End(LoadEnd::kFinished, "");
  if (phase_ == Phase::kEnded) return;
  if (worked) busy_ += Now() - loop_.now();
  PlanWake(now);
}

bool Engine::SendDue(TimeNs now) {
  int burst = 0;
  turn_slot_ = (turn_slot_ + 1) % static_cast<std::size_t>(options_.connections);
  while (next_due_ <= now && burst < kBurstMax) {
    const bool measured = phase_ == Phase::kRunning;
    if (measured) recorder_.Advance(next_due_);
    const MixChoice choice = mix_.Next();
    if (in_flight_ >= options_.in_flight_max) {
      Fail(choice, Verdict::kGeneratorLimited, "not sent: in_flight_max was reached", now);
    } else {
      Send(choice, PickSlot(source_of_[choice.payload]), next_due_);
    }
    ++burst;
    next_due_ = AddSaturated(start_, schedule_->Next());
    if (measured && recorder_.offered() == options_.requests_max) next_due_ = kNever;
  }
  return burst > 0;
}

bool Engine::SendForCallers(TimeNs now) {
  bool any = false;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    while (slots_[i].idle_callers > 0 && Usable(slots_[i])) {
      if (options_.requests_max > 0 && recorder_.offered() == options_.requests_max) return any;
      --slots_[i].idle_callers;
      Send(mix_.Next(), i, now);
      any = true;
    }
  }
  return any;
}

// The burst of a turn leaves on one connection, in one write, while that has a stream free.
std::size_t Engine::PickSlot(std::size_t source) {
  const auto count = static_cast<std::size_t>(options_.connections);
  const std::size_t first = source * count;
  std::size_t usable = slots_.size();
  for (std::size_t step = 0; step < count; ++step) {
    const std::size_t i = first + (turn_slot_ + step) % count;
    if (!Usable(slots_[i])) continue;
    ClientConnection& calls = slots_[i].socket->calls();
    if (calls.calls() < calls.streams_max()) {
      turn_slot_ = i - first;
      return i;
    }
    if (usable == slots_.size()) usable = i;
  }
  if (usable < slots_.size()) ++stream_limited_;
  return usable;
}

// `slot` may be none of slots_: then no connection can take the call.
void Engine::Send(const MixChoice& choice, std::size_t slot, TimeNs due) {
  if (slot == slots_.size()) {
    Fail(choice, Verdict::kTransportError, "no connection to the server", due);
    return;
  }
  if (free_calls_.empty()) {
    calls_.push_back(std::make_unique<ClientCall>(static_cast<CallEvents&>(*this)));
    free_calls_.push_back(calls_.back().get());
  }
  ClientCall& call = *free_calls_.back();
  ClientSocket& socket = *slots_[slot].socket;
  MarkDirty(socket);
  if (!socket.calls().Start(call, requests_.headers(choice.payload),
                            requests_.body(choice.payload, choice.message))) {
    Fail(choice, Verdict::kTransportError, "the server takes no calls on this connection", due);
    return;
  }
  free_calls_.pop_back();
  call.notes = {.due = due,
                .deadline = AddSaturated(due, requests_.timeout(choice.payload)),
                .payload = static_cast<std::uint32_t>(choice.payload),
                .message = static_cast<std::uint32_t>(choice.message),
                .slot = static_cast<std::uint32_t>(slot),
                .socket = &socket,
                .measured = phase_ == Phase::kRunning};
  if (call.notes.deadline != kNever) loop_.timers().Arm(call, call.notes.deadline);
  ++in_flight_;
  started_.push_back(&call);
  if (call.notes.measured) {
    recorder_.Offered(choice.payload);
    recorder_.Sent(choice.payload);
  } else {
    ++warmup_calls_;
  }
}

// A call that could not even be sent.
void Engine::Fail(const MixChoice& choice, Verdict verdict, std::string_view why, TimeNs now) {
  if (phase_ != Phase::kRunning) return;
  recorder_.Offered(choice.payload);
  recorder_.Ended({.payload = choice.payload, .verdict = verdict, .at = now});
  recorder_.Example(why);
}

// What this turn started has left now, not before: writing takes its time too.
void Engine::StampSent() {
  if (started_.empty()) return;
  const TimeNs now = Now();
  for (ClientCall* call : started_) {
    if (call->connection() == nullptr) continue;  // lost in the same turn
    call->notes.sent = now;
    if (call->notes.measured && open_loop()) recorder_.ScheduleError(now - call->notes.due);
  }
  started_.clear();
}

// ---- the end of a call ----

void Engine::OnCallEnd(ClientCall& call, const CallOutcome& outcome) {
  --in_flight_;
  ++slots_[call.notes.slot].idle_callers;
  // Without an answer there were no bytes, and the connection's time is old.
  const TimeNs now = outcome.code >= 0 ? call.connection()->now() : Now();
  last_progress_ = now;
  if (!call.notes.measured) return;
  const Verdict verdict = Judge(call, outcome, now);
  // Who stops a run early does not make the server slow.
  const bool timed = verdict == Verdict::kOk || verdict == Verdict::kDeadlineMissed ||
                     (verdict == Verdict::kUnanswered && end_ != LoadEnd::kStopped);
  recorder_.Ended({.payload = call.notes.payload,
                   .verdict = verdict,
                   .code = outcome.code,
                   .latency = timed ? now - call.notes.due : -1,
                   .latency_from_send = timed ? now - call.notes.sent : -1,
                   .shed_latency = verdict == Verdict::kShed ? now - call.notes.due : -1,
                   .at = now});
}

Verdict Engine::Judge(const ClientCall& call, const CallOutcome& outcome, TimeNs now) {
  if (outcome.code < 0) {
    if (phase_ == Phase::kEnded) return Verdict::kUnanswered;
    recorder_.Example(outcome.text);
    return Verdict::kTransportError;
  }
  if (outcome.code == 0) {
    if (now > call.notes.deadline) return Verdict::kDeadlineMissed;
    const std::string wrong =
        checker_.Check(call.notes.payload, call.notes.message, outcome.message);
    if (wrong.empty()) return Verdict::kOk;
    recorder_.Example(StrCat("wrong answer: ", wrong));
    return Verdict::kWrong;
  }
  const auto code = static_cast<StatusCode>(std::min(outcome.code, kStatusCodeCount - 1));
  recorder_.Example(StrCat(StatusCodeName(code), ": ", outcome.text));
  if (code == StatusCode::kDeadlineExceeded) return Verdict::kDeadlineMissed;
  return code == StatusCode::kResourceExhausted ? Verdict::kShed : Verdict::kError;
}

// The deadline has passed: what a gRPC client does then.
void Engine::OnCallTimer(ClientCall& call, TimeNs now) {
  --in_flight_;
  ++slots_[call.notes.slot].idle_callers;
  if (call.notes.measured) {
    recorder_.Ended({.payload = call.notes.payload,
                     .verdict = Verdict::kDeadlineMissed,
                     .code = static_cast<int>(StatusCode::kDeadlineExceeded),
                     .latency = now - call.notes.due,
                     .latency_from_send = now - call.notes.sent,
                     .at = now});
    recorder_.Example("DEADLINE_EXCEEDED: given up, no answer came");
  }
  call.connection()->Cancel(call);
  MarkDirty(*call.notes.socket);
}

void Engine::OnCallFree(ClientCall& call) {
  free_calls_.push_back(&call);
}

// ---- connections ----

bool Engine::Usable(const Slot& slot) const {
  return slot.socket != nullptr && slot.socket->state() == ClientSocket::State::kOpen &&
         slot.socket->calls().takes_calls();
}

void Engine::Open(Slot& slot) {
  slot.socket =
      std::make_unique<ClientSocket>(addresses_[slot.address], sources_[slot.source], loop_,
                                     blocks_, buffers_, static_cast<SocketOwner&>(*this));
}

void Engine::MarkDirty(ClientSocket& socket) {
  if (!socket.linked()) dirty_.PushBack(socket);
}

bool Engine::FlushDirty() {
  bool wrote = false;
  // What is marked while flushing wants another turn.
  IntrusiveList<ClientSocket, ClientSocket> flushing;
  flushing.Splice(dirty_);
  bool changed = false;
  while (ClientSocket* socket = flushing.PopFront()) {
    wrote |= socket->Flush();
    changed |= socket->state() != ClientSocket::State::kOpen || !socket->calls().takes_calls() ||
               (phase_ == Phase::kConnecting);
  }
  if (changed) {
    const TimeNs now = Now();
    for (Slot& slot : slots_) LookAfter(slot, now);
    std::erase_if(retiring_, [](const std::unique_ptr<ClientSocket>& socket) {
      return socket->state() == ClientSocket::State::kLost || socket->calls().calls() == 0;
    });
  }
  if (!dirty_.empty()) loop_.RunSoon();
  return wrote;
}

void Engine::LookAfter(Slot& slot, TimeNs now) {
  if (slot.socket == nullptr || phase_ == Phase::kEnded) return;
  if (slot.socket->state() == ClientSocket::State::kLost) {
    OnLost(slot, now);
  } else if (slot.socket->state() == ClientSocket::State::kOpen &&
             !slot.socket->calls().takes_calls()) {
    // GOAWAY: what is on it is finished, what comes goes elsewhere.
    retiring_.push_back(std::move(slot.socket));
    if (sending()) Open(slot);
  }
}

void Engine::OnLost(Slot& slot, TimeNs now) {
  constexpr TimeNs kRetryDelay = 100 * kMillisecond;
  const std::string why = slot.socket->failure();
  slot.socket.reset();
  if (phase_ == Phase::kConnecting) {
    if (++slot.address < addresses_.size()) {
      Open(slot);
    } else {
      End(LoadEnd::kNotConnected, StrCat("cannot reach a gRPC server at ", Peer(), ": ", why));
    }
    return;
  }
  ++connections_lost_;
  recorder_.Example(StrCat("connection lost: ", why));
  slot.retry_at = now + kRetryDelay;
}

std::string Engine::Peer() const {
  return StrCat(options_.host, ":", options_.port);
}

}  // namespace penstock::load
