// The CPU provider is always there and always last. The CUDA provider's library has no run path:
// the libraries it needs are opened from NVIDIA's Python packages first, by absolute path, so that
// the dynamic linker finds them by name.
#include "session/ort_providers.h"

#include <dlfcn.h>
#include <glob.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/strings.h"
#include "session/ort_handle.h"
#include "session/ort_status.h"

namespace penstock {
namespace {

constexpr std::string_view kCpu = "cpu";
constexpr std::string_view kCuda = "cuda";
constexpr std::string_view kCudaProvider = "CUDAExecutionProvider";

// In order of dependence. What is not found is left to the provider, whose error names it.
constexpr std::array<std::string_view, 5> kCudaLibraries = {
    "libcudart.so.*", "libcublasLt.so.*", "libcublas.so.*", "libcurand.so.*", "libcudnn.so.*"};

bool Contains(std::span<const std::string> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// .../site-packages/onnxruntime/capi/libonnxruntime.so.X -> .../site-packages
std::string PackagesFolder(std::string path) {
  for (int i = 0; i < 3; ++i) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    path.resize(slash);
  }
  return path;
}

void OpenCudaLibraries(const std::string& library_path) {
  const std::string folder = PackagesFolder(library_path);
  for (const std::string_view name : kCudaLibraries) {
    glob_t found{};
    const std::string pattern = StrCat(folder, "/nvidia/*/lib/", name);
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
      // Never closed, like the engine itself.
      for (std::size_t i = 0; i < found.gl_pathc; ++i) {
        dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_GLOBAL);
      }
    }
    globfree(&found);
  }
}

Status AppendCuda(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                  const ProviderChoice& choice) {
  if (!Contains(choice.available, kCudaProvider)) {
    return FailedPrecondition(
        "provider 'cuda' is asked for, but the installed ONNX Runtime has none: "
        "pip uninstall onnxruntime, then pip install penstock[gpu]");
  }
  constexpr std::string_view kWhat =
      "provider 'cuda' cannot be used (pip install penstock[gpu] brings what it needs beyond the "
      "driver)";
  OpenCudaLibraries(choice.library_path);
  ort_abi::CudaOptions* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CreateCudaOptions(&raw), kWhat));
  const OrtHandle<ort_abi::CudaOptions> cuda(raw, api.ReleaseCudaOptions);
  return TakeSetupStatus(api, api.AppendCudaProvider(options, cuda.get()), kWhat);
}

}  // namespace

Status AppendProviders(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                       const ProviderChoice& choice) {
  if (choice.wanted.empty()) return InvalidArgument("providers is empty; it takes cpu and cuda");
  for (std::size_t i = 0; i < choice.wanted.size(); ++i) {
    const std::string& name = choice.wanted[i];
    if (name == kCuda) {
      RETURN_IF_ERROR(AppendCuda(api, options, choice));
    } else if (name != kCpu) {
      return InvalidArgument(
          StrCat("provider '", Printable(name), "' is not known; there are cpu and cuda"));
    } else if (i + 1 != choice.wanted.size()) {
      return InvalidArgument("provider 'cpu' takes whatever it is given, so it must come last");
    }
  }
  if (Contains(choice.wanted, kCpu)) return {};
  return TakeSetupStatus(api,
                         api.AddSessionConfigEntry(options, "session.disable_cpu_ep_fallback", "1"),
                         "ONNX Runtime refuses a session option");
}

}  // namespace penstock
