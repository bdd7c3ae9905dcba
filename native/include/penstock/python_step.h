// Steps that a function of Python's computes. The core never calls Python: a thread of Python's own
// pulls the batches that wait, holds the GIL while it computes, and hands back what it made; the
// threads of the core wait for it, never for the GIL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <penstock/tensor.h>

namespace penstock {

class Transform;
namespace preprocess {
class PythonQueue;
}

struct PythonStepSpec {
  struct Port {
    std::string datatype;                 // the protocol's name
    std::vector<std::int64_t> row_shape;  // -1 where it differs from batch to batch
  };
  std::vector<Port> inputs;   // none: whatever it is given
  std::vector<Port> outputs;  // at least one
  std::int64_t timeout_ms = 0;
};

// Some rows that were pulled. Whoever pulled it ends it, by Finish or by Fail.
class PythonBatch {
 public:
  virtual ~PythonBatch() = default;
  // Of the step that it is for, as MakeTransform said.
  virtual std::size_t step() const = 0;
  // The first dimension is the rows; valid as long as the batch.
  virtual std::span<const EngineTensor> inputs() const = 0;
  // Copies `outputs`. False where they are not what the step declares: the batch has failed then,
  // and `message` says why.
  virtual bool Finish(std::span<const EngineTensor> outputs, std::string* message) = 0;
  // `code` is a canonical status code; the message is for clients.
  virtual void Fail(int code, std::string message) = 0;
};

// Thread-safe. The transforms keep what they need of it.
class PythonSteps final {
 public:
  PythonSteps();
  ~PythonSteps();
  PythonSteps(const PythonSteps&) = delete;
  PythonSteps& operator=(const PythonSteps&) = delete;

  // Null where a datatype is none of the protocol's or cannot be had in NumPy: `message` says so.
  std::shared_ptr<const Transform> MakeTransform(const PythonStepSpec& spec, std::size_t* step,
                                                 std::string* message);
  // Waits for a batch; null once closed.
  std::shared_ptr<PythonBatch> Pull();
  // Batches that wait fail, and so does every later one.
  void Close();

 private:
  const std::shared_ptr<preprocess::PythonQueue> queue_;
};

}  // namespace penstock
