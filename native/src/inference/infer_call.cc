#include "inference/infer_call.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"
#include "inference/response_tensors.h"

namespace penstock {

// 1. Start: the message is complete. Views are laid over it; nothing is copied.
void InferCall::Start(InferContext& context, grpc::Call& call, Buffer message) {
  if (context.free.empty()) context.free.push_back(std::make_unique<InferCall>(context));
  InferCall* self = context.free.back().release();
  context.free.pop_back();
  self->call_ = &call;
  self->message_ = std::move(message);
  call.set_method_state(self);
  const Status status = self->Admit();
  if (status.ok()) {
    self->Enqueue();
  } else {
    self->RespondError(status);
  }
}

// 2. Admit: is it a request that the model can answer?
Status InferCall::Admit() {
  RETURN_IF_ERROR(wire::DecodeInferRequest(message_.bytes(), request_));
  ASSIGN_OR_RETURN(model_, context_.models.Resolve(request_.model_name, request_.model_version));
  RETURN_IF_ERROR(CheckRequest(request_, *model_, tensors_));
  if (!tensors_.typed.empty()) RETURN_IF_ERROR(Convert());
  return Prioritise();
}

// Typed contents become up to eight times as long; that counts as the message does.
Status InferCall::Convert() {
  RETURN_IF_ERROR(call_->ReserveMore(ConvertedBytes(tensors_)));
  return ConvertTyped(*model_, context_.buffers, tensors_);
}

// Its priority and its deadline: of what the client and the model's settings say, the earlier.
Status InferCall::Prioritise() {
  if (request_.priority > static_cast<std::uint64_t>(kPriorityLowest)) {
    return InvalidArgument(StrCat("parameter 'priority': ", request_.priority, "; expected ",
                                  kPriorityHighest, " (first) to ", kPriorityLowest,
                                  ", or 0 for the model's default"));
  }
  priority =
      request_.priority == 0 ? model_->default_priority() : static_cast<int>(request_.priority);
  TimeNs timeout = model_->default_timeout();
  if (request_.timeout_us.value_or(0) > 0) {
    timeout = std::min(*request_.timeout_us, kNever / kMicrosecond) * kMicrosecond;
  } else if (call_->deadline() != kNever) {
    timeout = 0;
  }
  if (timeout > 0) call_->TightenDeadline(AddSaturated(call_->now(), timeout));
  deadline = call_->deadline();
  return {};
}

// 3. Enqueue: from here the entry is in one queue, until it is run, expired or cancelled.
void InferCall::Enqueue() {
  inputs = tensors_.inputs;
  raw = tensors_.raw;
  rows = tensors_.rows;
  run_length = tensors_.run_length;
  client = call_->client();
  enqueued_at = call_->now();
  home = &context_.home;
  handed_over = false;
  context_.runner.Enqueue(*model_, *this);
}

// 4. Deliver: back on the loop, with the rows of a batch or with the reason why there are none.
void InferCall::Deliver() {
  CountRun();
  CountInVain();
  if (call_->concluded()) {
    // Cancelled while it ran: nobody waits for the answer.
    grpc::Call& call = *call_;
    Recycle();
    call.Release();
  } else if (!result.status.ok()) {
    RespondError(result.status);
  } else {
    if (handed_over) context_.cells.Add(metrics::Counter::kRequestsPool);
    CountAnswer();
    Respond();
  }
}

// 5. Respond: small outputs are copied into the reply, large ones are sent from the batch's memory.
void InferCall::Respond() {
  CollectOutputs(*model_, tensors_, result, outputs_);
  const std::shared_ptr<const void> owner =
      tensors_.classes.empty() ? result.outputs
                               : ClassifyOutputs(*model_, tensors_, result, outputs_);
  const std::array<wire::InferParameter, 2> batch = {
      {{.name = "penstock_batch_size", .value = result.batch_rows},
       {.name = "penstock_batch_row", .value = result.first_row}}};
  wire::InferResponse response = {.model_name = model_->name(),
                                  .model_version = model_->version_text(),
                                  .id = request_.id,
                                  .outputs = outputs_};
  if (context_.report_batch_size) response.parameters = batch;
  ByteQueue& body = call_->BeginMessage(wire::InferResponseSize(response));
  wire::EncodeInferResponse(response, owner, body);
  grpc::Call& call = *call_;
  Recycle();
  call.Finish({});
}

void InferCall::RespondError(const Status& status) {
  CountFailure(status.code());
  if (result.retry_after > 0) call_->SetRetryAfter(result.retry_after);
  call_->Finish(status);
  Recycle();  // now: `status` may be our own result's
}

namespace {

// Stands for a request that is not there yet.
class ForeseenEntry final : public QueueEntry {
  void Deliver() override { CHECK(false); }
};

}  // namespace

Status InferCall::Foresee(InferContext& context, grpc::Call& call, const wire::RequestHead& head) {
  if (head.model_name.empty()) return {};
  const Result<const ModelVersion*> model =
      context.models.Resolve(head.model_name, head.model_version);
  // An unknown model is said when the whole request is there: its version may be yet to come.
  if (!model.ok()) return {};
  ForeseenEntry entry;
  entry.deadline = call.deadline();
  // The best that its priority may turn out to be.
  entry.priority = kPriorityHighest;
  entry.client = call.client();
  const Status status = context.runner.Foresee(*model.value(), entry);
  if (!status.ok()) call.SetRetryAfter(entry.result.retry_after);
  return status;
}

void InferCall::Cancel(grpc::Call& call) {
  auto& self = *static_cast<InferCall*>(call.method_state());
  self.CountFailure(call.conclusion());
  // Not to be removed any more: a run uses its memory, and Deliver will release it.
  if (!self.context_.runner.Remove(*self.model_, self)) {
    self.lost_at_ = self.context_.clock.Now();
    return;
  }
  self.Recycle();
  call.Release();
}

// Of the calls that shared a run, the first one counts it.
void InferCall::CountRun() {
  if (!context_.count_calls || result.outputs == nullptr || result.first_row != 0) return;
  model_->cells(context_.loop_index)
      .AddRun(result.ended_at - result.prepared_at, result.batch_rows);
}

// What batches are promised to leave out, held against when its batch was taken: 0 where none was.
void InferCall::CountInVain() {
  const TimeNs taken_at = result.started_at;
  if (taken_at < deadline && taken_at <= lost_at_) return;
  metrics::ModelCells& cells = model_->cells(context_.loop_index);
  if (taken_at >= deadline) cells.AddRunExpired();
  if (taken_at > lost_at_) cells.AddRunCancelled();
}

void InferCall::CountAnswer() {
  if (!context_.count_calls) return;
  context_.answers.Add(model_->cells(context_.loop_index),
                       {.arrived_at = enqueued_at,
                        .queued_at = queued_at,
                        .started_at = result.started_at,
                        .prepared_at = result.prepared_at,
                        .ended_at = result.ended_at},
                       rows);
}

// What names no model that is served belongs to none.
void InferCall::CountFailure(StatusCode code) {
  if (!context_.count_calls || model_ == nullptr) return;
  const TimeNs arrived_at = enqueued_at;
  model_->cells(context_.loop_index)
      .AddFailure(code, arrived_at == 0 ? 0 : context_.clock.Now() - arrived_at);
}

// Everything that belongs to this request goes; what is only memory stays for the next.
void InferCall::Recycle() {
  call_ = nullptr;
  model_ = nullptr;
  lost_at_ = kNever;
  enqueued_at = 0;
  result = {};
  message_.Reset();
  tensors_.converted.Reset();
  // As many as wait for compute under load; one is about a kilobyte.
  constexpr std::size_t kFreeMax = 8192;
  // A request with very many tensors does not leave its memory behind.
  constexpr std::size_t kEntriesKeptMax = 64;
  std::unique_ptr<InferCall> self(this);
  const bool small = request_.inputs.capacity() <= kEntriesKeptMax &&
                     request_.raw_input_contents.capacity() <= kEntriesKeptMax &&
                     request_.requested_outputs.capacity() <= kEntriesKeptMax;
  if (small && context_.free.size() < kFreeMax) context_.free.push_back(std::move(self));
}

}  // namespace penstock
