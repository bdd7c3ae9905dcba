#include "preprocess/image/resample_kernels.h"

namespace penstock::preprocess {
namespace {

struct Choice {
  const ResampleKernels* kernels[5] = {};
};

Choice Choose() {
  Choice choice;
  const ResampleKernels** next = choice.kernels;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni")) {
    *next++ = &kAvx512Kernels;
  }
  if (__builtin_cpu_supports("avx2")) *next++ = &kAvx2Kernels;
  if (__builtin_cpu_supports("sse4.1")) *next++ = &kSse41Kernels;
#endif
  *next = &kScalarKernels;
  return choice;
}

}  // namespace

const ResampleKernels* const* RunnableKernels() {
  static const Choice choice = Choose();
  return choice.kernels;
}

}  // namespace penstock::preprocess
