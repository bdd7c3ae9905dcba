// PURE. Can a request make its deadline? Judged at arrival by the learned service time and what is
// queued before it, so that what would be late is told at once instead of at its deadline.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "batching/service_time.h"

namespace penstock {

// What is known when a request asks to be queued.
struct AdmissionFacts {
  TimeNs now = 0;
  std::int64_t rows = 1;
  std::int64_t rows_ahead = 0;  // that will run before it
  std::int64_t rows_max = 1;    // in one batch
  bool contended = false;       // by another model: see BatchQueue::RowsMax
  TimeNs free_in = 0;           // until a run of this model may begin; 0: one may now
  double servers = 1;       // runs at once that this model may count on, a share being a fraction
  double arrival_rate = 0;  // rows a nanosecond, refused ones as well
};

// When an answer due at `deadline` is to be expected. Batches ahead count with their mean, which
// adds up; its own with what nine of ten stay within, and with those that will have arrived by the
// time it is taken: promised a smaller one, the first in the queue would have no time for a large
// batch, and under load all would run in small ones, which carry less.
TimeNs PredictFinish(const AdmissionFacts& facts, TimeNs deadline, const ServiceTime& service_time);

// Whether an answer at `finish` is early enough to be promised for `deadline`. A tenth of the time
// is kept back: under overload every answer is due at the end of its time, and a prediction that is
// a little off would make all of them late instead of few.
bool InTime(TimeNs finish, TimeNs deadline, TimeNs now);

// How long it will wait for what is ahead of it, in full batches.
TimeNs PredictWait(const AdmissionFacts& facts, const ServiceTime& service_time);

// How long a request without a deadline may have to wait: what is configured, or else ten seconds,
// but as long as twenty batches of a model whose runs are so long that its callers must be patient.
TimeNs WaitLimit(TimeNs configured, TimeNs batch);

// How long a client should stay away: what is queued drained, changed by up to a fifth by `jitter`
// (in [0, 1)), or the refused would all come back at once. At least a millisecond.
TimeNs RetryAfter(const AdmissionFacts& facts, const ServiceTime& service_time, double jitter);

}  // namespace penstock
