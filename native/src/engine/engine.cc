// Engine and its calls over the ModelHost. A call is a queue entry as a ModelInfer is, so that the
// scheduler tells no difference; its home is a mailbox that wakes whoever waits for it.
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <utility>

#include <penstock/engine.h>

#include "base/check.h"
#include "base/mailbox.h"
#include "base/strings.h"
#include "batching/batch_worker.h"
#include "engine/model_host.h"
#include "engine/model_metrics.h"
#include "inference/request_tensors.h"
#include "inference/response_tensors.h"

namespace penstock {
namespace {

// Below this a caller keeps what it holds (Python: the interpreter) while the model runs: letting
// go and taking back costs more.
constexpr TimeNs kBriefRun = 10 * kMicrosecond;

Status Stopped() {
  return Unavailable("the engine is closed");
}

// A mailbox whose owner sleeps until something is posted.
class WaitingMailbox final : public Mailbox {
 public:
  void WaitFor(std::chrono::nanoseconds patience) {
    {
      std::unique_lock<std::mutex> lock(mu_);
      if (!woken_.wait_for(lock, patience, [this] { return posted_; })) return;
      posted_ = false;
    }
    DeliverAll();
  }
  void Wait() {
    {
      std::unique_lock<std::mutex> lock(mu_);
      woken_.wait(lock, [this] { return posted_; });
      posted_ = false;
    }
    DeliverAll();
  }
  void Wake() override {
    // Under the lock, so that the one who wakes is done with this object before the owner, who may
    // destroy it, can go on.
    const std::lock_guard<std::mutex> lock(mu_);
    posted_ = true;
    woken_.notify_one();
  }

 private:
  std::mutex mu_;
  std::condition_variable woken_;
  bool posted_ = false;  // guarded by mu_
};

}  // namespace

class Engine::Impl final {
 public:
  explicit Impl(const ServerOptions& options) : host_(options, clock_) {}

  Status Start(const std::vector<ModelSource>& models) {
    RETURN_IF_ERROR(host_.Load(models));
    host_.StartComputing();
    return {};
  }
  bool Stop(std::chrono::milliseconds drain_timeout);

  // False: stopping; nothing may begin.
  bool Enter() {
    live_.fetch_add(1);
    if (!stopping_) return true;
    Leave();
    return false;
  }
  void Leave() {
    if (live_.fetch_sub(1) != 1 || !stopping_) return;
    const std::lock_guard<std::mutex> lock(mu_);
    at_rest_.notify_all();
  }

  ModelHost& host() { return host_; }
  const Clock& clock() const { return clock_; }
  WaitingMailbox& finished() { return finished_; }
  bool stopping() const { return stopping_; }
  bool stopped() const { return stopped_; }
  std::int64_t live() const { return live_; }
  // Where EngineFinished collects; its thread's alone.
  std::vector<EngineCall*> collected;

 private:
  void FailWaiting();

  const SteadyClock clock_;
  ModelHost host_;
  WaitingMailbox finished_;
  // All seq_cst: Enter counts, then looks at stopping_; Stop sets it, then looks at the count.
  std::atomic<std::int64_t> live_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> stopped_ = false;
  std::mutex mu_;
  std::condition_variable at_rest_;
};

// Drains while the compute threads run; what is left fails; then the threads end.
bool Engine::Impl::Stop(std::chrono::milliseconds drain_timeout) {
  if (stopping_.exchange(true)) return true;
  bool drained = false;
  {
    std::unique_lock<std::mutex> lock(mu_);
    drained = at_rest_.wait_for(lock, drain_timeout, [this] { return live_ == 0; });
  }
  if (!drained) host_.TerminateRuns();
  host_.StopComputing();
  FailWaiting();
  {
    // What a caller runs on its own thread ends by itself, soon.
    std::unique_lock<std::mutex> lock(mu_);
    at_rest_.wait(lock, [this] { return live_ == 0; });
  }
  stopped_ = true;
  finished_.Wake();
  return drained;
}

void Engine::Impl::FailWaiting() {
  std::vector<QueueEntry*> waiting;
  host_.scheduler().TakeAll(waiting);
  for (QueueEntry* entry : waiting) entry->result.status = Stopped();
  PostHome(waiting);
}

class EngineCall::Impl final : public QueueEntry {
 public:
  Impl(EngineCall& call, std::shared_ptr<Engine::Impl> engine)
      : call_(call),
        engine_(std::move(engine)),
        worker_(engine_->host().scheduler(), engine_->clock(), engine_->host().watchdog()) {}

  bool Begin();
  bool brief() const;
  void Run();
  bool TryRun();
  void Enqueue(Mailbox& mailbox);
  bool Wait(std::chrono::milliseconds patience);
  void Cancel();
  void Reset();
  std::string_view DeclaredDatatype(std::string_view input) const;
  std::vector<TensorReport> DeclaredInputs() const;

  Request request;
  std::span<const EngineTensor> results() const { return results_; }
  Engine::Impl& engine() { return *engine_; }
  WaitingMailbox& waiting() { return waiting_; }

 private:
  Status Admit();
  void Deliver() override;
  void Finish();
  void Count();
  bool Fail(Status status);
  bool Expire();

  EngineCall& call_;
  const std::shared_ptr<Engine::Impl> engine_;
  const ModelVersion* model_ = nullptr;
  bool entered_ = false;  // counted as live
  bool finished_ = false;
  std::int64_t untimed_ = 0;  // answers since the last whose time is known
  wire::InferRequest decoded_;
  BufferPool buffers_;  // for what has to be converted: nothing of an array's
  RequestTensors tensors_;
  std::vector<wire::InferOutput> outputs_;
  std::vector<EngineTensor> results_;
  BatchWorker worker_;
  WaitingMailbox waiting_;
};

bool EngineCall::Impl::Begin() {
  finished_ = false;
  model_ = nullptr;
  enqueued_at = 0;
  if (!engine_->Enter()) return Fail(Stopped());
  entered_ = true;
  Status status = Admit();
  if (!status.ok()) return Fail(std::move(status));
  inputs = tensors_.inputs;
  raw = tensors_.raw;
  rows = tensors_.rows;
  run_length = tensors_.run_length;
  priority = model_->default_priority();
  const TimeNs timeout = request.timeout.count() > 0 ? request.timeout.count() * kMicrosecond
                                                     : model_->default_timeout();
  deadline = timeout > 0 ? AddSaturated(engine_->clock().Now(), timeout) : kNever;
  return true;
}

// The request as a decoded message, so that one set of rules holds for both.
Status EngineCall::Impl::Admit() {
  decoded_.Clear();
  for (const EngineTensor& tensor : request.inputs) {
    wire::InferInput& input = decoded_.inputs.emplace_back();
    input.name = tensor.name;
    input.datatype = tensor.datatype;
    if (tensor.shape.size() > Shape::kRankMax) {
      return InvalidArgument(StrCat("input '", Printable(tensor.name), "': ", tensor.shape.size(),
                                    " dimensions, at most ", Shape::kRankMax, " are taken"));
    }
    for (const std::int64_t dim : tensor.shape) input.shape.Append(dim);
    decoded_.raw_input_contents.push_back(tensor.data);
  }
  decoded_.requested_outputs = request.outputs;
  ASSIGN_OR_RETURN(model_, engine_->host().models().Resolve(request.model, request.version));
  return BindRequest(decoded_, *model_, buffers_, tensors_);
}

std::string_view EngineCall::Impl::DeclaredDatatype(std::string_view input) const {
  const Result<const ModelVersion*> model =
      engine_->host().models().Resolve(request.model, request.version);
  if (!model.ok()) return "";
  for (const std::span<const TensorSpec> specs :
       {model.value()->inputs(), model.value()->raw_inputs()}) {
    for (const TensorSpec& spec : specs) {
      if (spec.name == input) return DataTypeName(spec.dtype);
    }
  }
  return "";
}

std::vector<TensorReport> EngineCall::Impl::DeclaredInputs() const {
  const Result<const ModelVersion*> model =
      engine_->host().models().Resolve(request.model, request.version);
  return model.ok() ? TensorReportsOf(model.value()->inputs()) : std::vector<TensorReport>();
}

bool EngineCall::Impl::brief() const {
  // What may run on a loop has a cost that the rows alone decide.
  if (!model_->warmup().run_inline) return false;
  const TimeNs expected = model_->queue().service_time().Predict(work());
  return expected > 0 && expected <= kBriefRun;
}

void EngineCall::Impl::Run() {
  if (Expire()) return;
  worker_.RunUnasked(model_->queue(), *this);
  Finish();
}

bool EngineCall::Impl::TryRun() {
  if (Expire()) return true;
  if (!worker_.TryRun(model_->queue(), *this)) return false;
  Finish();
  return true;
}

void EngineCall::Impl::Enqueue(Mailbox& mailbox) {
  home = &mailbox;
  enqueued_at = queued_at = engine_->clock().Now();
  EntryList list;
  list.PushBack(*this);
  engine_->host().scheduler().Enqueue(model_->queue(), list);
  // Still here: refused, with the reason. Delivered like any other end.
  if (list.PopFront() == nullptr) return;
  if (engine_->stopping()) result.status = Stopped();
  mailbox.Post(*this);
}

bool EngineCall::Impl::Wait(std::chrono::milliseconds patience) {
  if (finished_) return true;
  const TimeNs left = deadline - engine_->clock().Now();
  // What runs already is waited for: it reads the caller's memory.
  if (left <= 0 && engine_->host().scheduler().Remove(model_->queue(), *this)) return Expire();
  const std::chrono::nanoseconds until_deadline(left > 0 ? left : kNever);
  waiting_.WaitFor(std::min<std::chrono::nanoseconds>(patience, until_deadline));
  return finished_;
}

bool EngineCall::Impl::Expire() {
  if (deadline == kNever || deadline > engine_->clock().Now()) return false;
  Fail(ExpiredWaiting());
  return true;
}

void EngineCall::Impl::Cancel() {
  if (!engine_->host().scheduler().Remove(model_->queue(), *this)) return;
  result.status = penstock::Cancelled("the call was cancelled");
  home->Post(*this);
}

// On the thread that waits for the mailbox.
void EngineCall::Impl::Deliver() {
  Finish();
  if (home == &engine_->finished()) engine_->collected.push_back(&call_);
}

void EngineCall::Impl::Finish() {
  finished_ = true;
  // A run that Stop told to end says so in the words of ONNX Runtime.
  if (result.status.code() == StatusCode::kInternal && engine_->stopping()) {
    result.status = Stopped();
  }
  Count();
  if (!result.status.ok()) return;
  CollectOutputs(*model_, tensors_, result, outputs_);
  for (const wire::InferOutput& output : outputs_) {
    results_.push_back({.name = output.name,
                        .datatype = DataTypeName(output.dtype),
                        .shape = output.shape.dims(),
                        .data = output.data});
  }
}

// A run in place waits for nothing, and one that is brief is timed one in sixteen times
// (BatchWorker::RunUnasked), for those before it as well.
void EngineCall::Impl::Count() {
  if (model_ == nullptr) return;  // what names no model that is there belongs to none
  const bool queued = enqueued_at > 0;
  const bool timed = result.ended_at > 0;
  const TimeNs now = queued ? engine_->clock().Now() : result.ended_at;
  const TimeNs arrived_at = queued ? enqueued_at : result.started_at;
  model_->shared_cells().Use([&](metrics::ModelCells& cells) {
    if (!result.status.ok()) return cells.AddFailure(result.status.code(), now - arrived_at);
    cells.AddAnswers(1, rows);
    if (result.first_row == 0) cells.AddRunRows(result.batch_rows);
    if (!timed) return;
    const std::int64_t calls = queued ? 1 : 1 + untimed_;
    if (result.first_row == 0) cells.AddRunTime(result.ended_at - result.prepared_at, calls);
    cells.AddTimes({.arrived_at = arrived_at,
                    .queued_at = arrived_at,
                    .started_at = result.started_at,
                    .prepared_at = result.prepared_at,
                    .ended_at = result.ended_at},
                   now, calls);
  });
  if (!result.status.ok() || queued) return;
  untimed_ = timed ? 0 : untimed_ + 1;
}

// Always false, which is what its callers return.
bool EngineCall::Impl::Fail(Status status) {
  result.status = std::move(status);
  finished_ = true;
  Count();
  return false;
}

void EngineCall::Impl::Reset() {
  request.inputs.clear();
  request.outputs.clear();
  request.model = request.version = {};
  request.timeout = {};
  result = {};
  results_.clear();
  if (std::exchange(entered_, false)) engine_->Leave();
}

Engine::Engine(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() {
  impl_->Stop(std::chrono::milliseconds(0));
}

std::unique_ptr<Engine> Engine::Create(const ServerOptions& options,
                                       const std::vector<ModelSource>& models, Error* error) {
  auto impl = std::make_shared<Impl>(options);
  if (const Status status = impl->Start(models); !status.ok()) {
    *error = {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
    return nullptr;
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

const std::vector<ModelReport>& Engine::models() const {
  return impl_->host().reports();
}
bool Engine::Stop(std::chrono::milliseconds drain_timeout) {
  return impl_->Stop(drain_timeout);
}
std::string Engine::metrics_text() const {
  metrics::PrometheusText text;
  AddModelMetrics(text, impl_->host());
  return text.Take();
}
std::shared_ptr<const void> Engine::keep_alive() const {
  return impl_;
}
std::int64_t Engine::live_calls() const {
  return impl_->live();
}

EngineCall::EngineCall(const Engine& engine) : impl_(std::make_unique<Impl>(*this, engine.impl_)) {}
EngineCall::~EngineCall() {
  impl_->Reset();
}

EngineCall::Request& EngineCall::request() {
  return impl_->request;
}
std::string_view EngineCall::DeclaredDatatype(std::string_view input) const {
  return impl_->DeclaredDatatype(input);
}
std::vector<TensorReport> EngineCall::DeclaredInputs() const {
  return impl_->DeclaredInputs();
}
bool EngineCall::Begin() {
  return impl_->Begin();
}
bool EngineCall::brief() const {
  return impl_->brief();
}
void EngineCall::Run() {
  impl_->Run();
}
bool EngineCall::TryRun() {
  return impl_->TryRun();
}
void EngineCall::Enqueue() {
  impl_->Enqueue(impl_->waiting());
}
bool EngineCall::Wait(std::chrono::milliseconds patience) {
  return impl_->Wait(patience);
}
void EngineCall::Submit() {
  impl_->Enqueue(impl_->engine().finished());
}
void EngineCall::Cancel() {
  impl_->Cancel();
}
int EngineCall::code() const {
  return static_cast<int>(impl_->result.status.code());
}
std::string_view EngineCall::message() const {
  return impl_->result.status.message();
}
std::span<const EngineTensor> EngineCall::results() const {
  return impl_->results();
}
std::shared_ptr<const void> EngineCall::memory() const {
  return impl_->result.outputs;
}
std::int64_t EngineCall::batch_rows() const {
  return impl_->result.batch_rows;
}
void EngineCall::Reset() {
  impl_->Reset();
}

EngineFinished::EngineFinished(const Engine& engine) : impl_(engine.impl_) {}
EngineFinished::~EngineFinished() = default;

std::vector<EngineCall*> EngineFinished::Next() {
  while (impl_->collected.empty() && !impl_->stopped()) impl_->finished().Wait();
  return std::exchange(impl_->collected, {});
}

}  // namespace penstock
