// The loops over numbers of softmax, sigmoid, L2 and mean pooling. A file of its own, compiled for
// speed. `in` and `out` may be the same memory. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::preprocess {

// exp(x - max) / sum: no overflow, however large the values are. A row with NaN or infinity gives
// NaN, and so does a row of nothing but minus infinity, as in NumPy.
void SoftmaxRow(const float* in, float* out, std::size_t count);
void SoftmaxRow(const double* in, double* out, std::size_t count);

void SigmoidRow(const float* in, float* out, std::size_t count);
void SigmoidRow(const double* in, double* out, std::size_t count);

// Divided by their Euclidean length, which is at least 1e-12: zeros stay zeros.
void L2NormalizeRow(const float* in, float* out, std::size_t count);
void L2NormalizeRow(const double* in, double* out, std::size_t count);

// The mean of the `width` columns over those of `tokens` rows whose mask is not 0; all of them
// where `mask` is null. Zeros where none is left. What the mask hides is not looked at.
void MeanPoolRow(const float* in, const std::int64_t* mask, std::size_t tokens, std::size_t width,
                 float* out);
void MeanPoolRow(const double* in, const std::int64_t* mask, std::size_t tokens, std::size_t width,
                 double* out);

}  // namespace penstock::preprocess
