// What an entry that was padded gets of its batch's outputs: its own rows at its own length, where
// an output follows the inputs' length; the batch's tensor as it is, where it does not.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "batching/output_rows.h"
#include "batching/ragged.h"
#include "session/session.h"

namespace penstock {

class UnpaddedOutputs final : public SessionOutputs {
 public:
  // Of `batch`, which passed CheckRaggedOutputs, the given rows at `length`. What stands in one
  // piece is shared with the batch, the rest is copied.
  UnpaddedOutputs(std::shared_ptr<const SessionOutputs> batch, const Ragged& ragged,
                  const RowRange& rows, std::int64_t length);

  std::span<const TensorView> tensors() const override { return tensors_; }
  // No output that follows the inputs' length is BYTES.
  std::span<const std::size_t> element_offsets(std::size_t index) const override {
    return batch_->element_offsets(index);
  }

 private:
  void CutOut(TensorView& tensor, std::uint32_t axes, std::int64_t length, bool at_the_end);

  const std::shared_ptr<const SessionOutputs> batch_;
  std::vector<TensorView> tensors_;
  std::vector<std::vector<std::byte>> copies_;
};

// INTERNAL where an output that follows the inputs did not, this time.
Status CheckRaggedOutputs(const SessionOutputs& outputs, const Ragged& ragged, std::int64_t length);

}  // namespace penstock
