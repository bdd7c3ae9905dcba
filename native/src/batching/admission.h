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
  double refill_rate = 0;   // of them such as could take the place of this one, were it refused
};

// What a request may be told.
struct Forecast {
  TimeNs finish = 0;    // when its answer is to be expected
  TimeNs promised = 0;  // the latest answer that is promised: some time before the deadline

  bool in_time() const { return finish <= promised; }
};

// Of a request due at `deadline`. Batches ahead count with their mean, which adds up; its own with
// what nine of ten stay within, and with those that will have arrived by the time it is taken:
// promised a smaller one, the first in the queue would have no time for a large batch, and under
// load all would run in small ones, which carry less.
//
// A tenth of the time is kept back: under overload every answer is due at the end of its time, and
// a prediction that is a little off would make all of them late instead of few. More is kept back
// where others would fill a batch in part of the time there is for it: who is refused is replaced
// by one that comes later and has more time to spare, and a slow run makes nobody late.
Forecast PredictAnswer(const AdmissionFacts& facts, TimeNs deadline,
                       const ServiceTime& service_time);

// How long it will wait for what is ahead of it, in full batches.
TimeNs PredictWait(const AdmissionFacts& facts, const ServiceTime& service_time);

// How long a request without a deadline may have to wait: what is configured, or else ten seconds,
// but as long as twenty batches of a model whose runs are so long that its callers must be patient.
TimeNs WaitLimit(TimeNs configured, TimeNs batch);

// How long a client should stay away: what is queued drained, changed by up to a fifth by `jitter`
// (in [0, 1)), or the refused would all come back at once. At least a millisecond.
TimeNs RetryAfter(const AdmissionFacts& facts, const ServiceTime& service_time, double jitter);

}  // namespace penstock
