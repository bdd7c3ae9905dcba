// The CPU provider is always there and always last. The CUDA provider's library has no run path:
// the libraries that it needs are opened first, by absolute path, so that the dynamic linker finds
// them by name.
#include "session/ort_providers.h"

#include <dlfcn.h>

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

struct Provider {
  std::string_view name;         // ours
  std::string_view engine_name;  // in the engine's list of what it has
  const char* append_name;       // for the engine's generic call
  std::string_view remedy;       // where the installed engine has it not
};

constexpr std::array<Provider, 3> kProviders = {{
    {kCuda, "CUDAExecutionProvider", "CUDA",
     "run `pip uninstall onnxruntime` and then `pip install 'penstock[gpu]'`"},
    {"openvino", "OpenVINOExecutionProvider", "OpenVINO",
     "run `pip uninstall onnxruntime` and then `pip install onnxruntime-openvino`"},
    {"xnnpack", "XnnpackExecutionProvider", "XNNPACK",
     "no package on PyPI has it; build ONNX Runtime with --use_xnnpack"},
}};

std::string Joined(std::span<const std::string> names) {
  std::string joined;
  for (const std::string& name : names) joined += StrCat(joined.empty() ? "" : ", ", name);
  return joined;
}

Status CheckDriver() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) != nullptr) return {};
  return FailedPrecondition(
      StrCat("provider 'cuda' needs the NVIDIA driver, which no Python package brings: install it, "
             "and give containers the GPU (",
             dlerror(), ")"));
}

// Never closed, like the engine itself.
Status OpenLibraries(std::span<const std::string> paths) {
  for (const std::string& path : paths) {
    if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr) continue;
    return FailedPrecondition(StrCat("provider 'cuda' needs '", path,
                                     "', which cannot be opened: ", dlerror(),
                                     "; run `pip install --force-reinstall` for its "
                                     "package"));
  }
  return {};
}

// Why the engine could not load its CUDA library, which it does not say itself: the linker's words,
// which name the file that is missing.
std::string WhyCudaDoesNotLoad(const std::string& engine_path) {
  const std::string folder = engine_path.substr(0, engine_path.rfind('/') + 1);
  const auto opens = [&folder](const char* name, int flags) {
    return dlopen((folder + name).c_str(), flags) != nullptr;
  };
  // In this order, as the engine does: the second takes symbols from the first.
  if (opens("libonnxruntime_providers_shared.so", RTLD_NOW | RTLD_GLOBAL) &&
      opens("libonnxruntime_providers_cuda.so", RTLD_NOW | RTLD_LOCAL)) {
    return "its library loads";
  }
  return dlerror();
}

Status AppendCuda(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                  const ProviderChoice& choice) {
  RETURN_IF_ERROR(CheckDriver());
  RETURN_IF_ERROR(OpenLibraries(choice.libraries));
  constexpr std::string_view kWhat = "provider 'cuda' cannot be used";
  ort_abi::CudaOptions* raw = nullptr;
  Status status = TakeSetupStatus(api, api.CreateCudaOptions(&raw), kWhat);
  const OrtHandle<ort_abi::CudaOptions> cuda(raw, api.ReleaseCudaOptions);
  if (status.ok())
    status = TakeSetupStatus(api, api.AppendCudaProvider(options, cuda.get()), kWhat);
  if (status.ok()) return {};
  return FailedPrecondition(StrCat(status.message(), " (", WhyCudaDoesNotLoad(choice.library_path),
                                   "); run `pip install 'penstock[gpu]'`, which brings what it "
                                   "needs beyond the driver"));
}

Status AppendProvider(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                      const Provider& provider, const ProviderChoice& choice) {
  if (std::ranges::find(choice.available, provider.engine_name) == choice.available.end()) {
    return FailedPrecondition(StrCat("provider '", provider.name,
                                     "' is asked for, but the installed ONNX Runtime has only ",
                                     Joined(choice.available), "; ", provider.remedy));
  }
  if (provider.name == kCuda) return AppendCuda(api, options, choice);
  return TakeSetupStatus(api,
                         api.AppendProvider(options, provider.append_name, nullptr, nullptr, 0),
                         StrCat("provider '", provider.name, "' cannot be used"));
}

Status UnknownProvider(std::string_view name) {
  std::string known(kCpu);
  for (const Provider& provider : kProviders) known += StrCat(", ", provider.name);
  return InvalidArgument(
      StrCat("provider '", Printable(name), "' is not known; there are ", known));
}

}  // namespace

Status AppendProviders(const ort_abi::Api& api, ort_abi::SessionOptions* options,
                       const ProviderChoice& choice) {
  if (choice.wanted.empty()) return InvalidArgument("providers is empty; cpu is the least");
  bool cpu_wanted = false;
  for (std::size_t i = 0; i < choice.wanted.size(); ++i) {
    const std::string& name = choice.wanted[i];
    if (name == kCpu) {
      cpu_wanted = true;
      if (i + 1 == choice.wanted.size()) continue;
      return InvalidArgument("provider 'cpu' takes whatever it is given, so it must come last");
    }
    const auto* const provider = std::ranges::find(kProviders, name, &Provider::name);
    if (provider == kProviders.end()) return UnknownProvider(name);
    RETURN_IF_ERROR(AppendProvider(api, options, *provider, choice));
  }
  if (cpu_wanted) return {};
  return TakeSetupStatus(api,
                         api.AddSessionConfigEntry(options, "session.disable_cpu_ep_fallback", "1"),
                         "ONNX Runtime refuses a session option");
}

}  // namespace penstock
