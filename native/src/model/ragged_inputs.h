// What a model's settings say of inputs that differ in length, held against the model itself: that
// it has such inputs, and that padding changes nothing of what it answers. Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <penstock/ragged.h>

#include "base/status.h"
#include "batching/ragged.h"
#include "model/batch_probe.h"
#include "pipeline/pipeline.h"
#include "session/session.h"

namespace penstock {

// PURE. INVALID_ARGUMENT, beginning with the place in the settings ("ragged[0].axis: "), where the
// model has no such input. Nothing is said of outputs yet.
Result<Ragged> ResolveRagged(std::span<const RaggedDeclaration> declared,
                             std::span<const TensorSpec> inputs);

// PURE. What preprocessing makes of rows of any length, where nothing was declared.
Ragged RaggedOf(const Pipeline& pipeline, std::span<const TensorSpec> inputs);

// Runs rows of two lengths alone and together. Fills ragged.outputs with those that follow the
// length; FAILED_PRECONDITION where a row that was padded is answered differently, or an output can
// not be cut back. `pipeline`, where there is one, has the last word on the answers.
Status ProveRagged(Session& session, const Pipeline* pipeline, ProbeInputs::Recipe recipe,
                   Ragged& ragged);

// PURE. The inputs of a model whose ragged ones are so long; as they are where `ragged` is null.
std::vector<TensorSpec> WithLength(std::span<const TensorSpec> inputs, const Ragged* ragged,
                                   std::int64_t length);

// Those that are masks, as ProbeInputs::Recipe::ones names them.
std::uint64_t MasksOf(const Ragged& ragged);

// "input_ids, attention_mask (mask); cut back: logits", for people; empty where nothing is ragged.
std::string DescribeRagged(const Ragged& ragged, std::span<const TensorSpec> inputs,
                           std::span<const TensorSpec> outputs);

}  // namespace penstock
