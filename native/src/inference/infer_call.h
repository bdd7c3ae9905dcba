// THE STORY of one ModelInfer request, in life order: Start, Admit, Enqueue, (a batch runs),
// Deliver, Respond. Every early end goes to Respond as well: there is one way out, in grpc::Call,
// and it counts. One loop's thread.
#pragma once

#include <memory>
#include <vector>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/mailbox.h"
#include "batching/queue_entry.h"
#include "grpc/call.h"
#include "inference/inline_runner.h"
#include "inference/request_tensors.h"
#include "metrics/answer_tally.h"
#include "metrics/catalogue.h"
#include "model/model_table.h"
#include "wire/infer_request.h"
#include "wire/infer_response.h"

namespace penstock {

class InferCall;

// What the infer calls of one loop share; all of it outlives them.
struct InferContext {
  const ModelTable& models;
  InlineRunner& runner;
  BufferPool& buffers;  // the loop's
  const Clock& clock;
  std::size_t loop_index = 0;
  // The loop itself: results are delivered there.
  Mailbox& home;
  metrics::Cells& cells;
  metrics::AnswerTally answers;  // of the turn under way
  // For tests: the response says in which batch the request ran.
  bool report_batch_size = false;
  // False: what /metrics says of models stays zero.
  bool count_calls = true;
  // Calls that ended, kept with their memory for the next ones.
  std::vector<std::unique_ptr<InferCall>> free;
};

class InferCall final : public QueueEntry {
 public:
  // Takes one from context.free, or makes one, and runs its story.
  static void Start(InferContext& context, grpc::Call& call, Buffer message);
  // Why the model that `head` names would refuse the call, before its message is received; OK where
  // that cannot be told yet.
  static Status Foresee(InferContext& context, grpc::Call& call, const wire::RequestHead& head);
  // The call ended without an answer; ours ends when nothing uses it any more.
  static void Cancel(grpc::Call& call);

  explicit InferCall(InferContext& context) : context_(context) {}

 private:
  Status Admit();
  Status Convert();
  Status Prioritise();
  void Enqueue();
  void Deliver() override;
  void Respond();
  void RespondError(const Status& status);
  void CountRun();
  void CountInVain();
  void CountAnswer();
  void CountFailure(StatusCode code);
  void Recycle();

  InferContext& context_;
  grpc::Call* call_ = nullptr;
  Buffer message_;
  wire::InferRequest request_;
  const ModelVersion* model_ = nullptr;
  TimeNs lost_at_ = kNever;  // it ended while a run had it
  RequestTensors tensors_;
  std::vector<wire::InferOutput> outputs_;
};

}  // namespace penstock
