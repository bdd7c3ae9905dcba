// The scan of a model's file, which runs before anything else has looked at it. An input is the
// file. No finding of it may be longer than the file is.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/check.h"
#include "session/onnx_scan.h"

namespace penstock {
namespace {

// One file in memory for all inputs: the scan reads files, and a disk would be the slowest part.
class MemoryFile final {
 public:
  MemoryFile() : fd_(memfd_create("penstock_fuzz", MFD_CLOEXEC)) {
    CHECK_GE(fd_, 0);
    path_ = "/proc/self/fd/" + std::to_string(fd_);
  }
  void Set(const std::uint8_t* data, std::size_t size) const {
    CHECK_EQ(ftruncate(fd_, 0), 0);
    CHECK_EQ(pwrite(fd_, data, size, 0), static_cast<ssize_t>(size));
  }
  const std::string& path() const { return path_; }

 private:
  const int fd_;
  std::string path_;
};

void Scan(const std::string& path, std::size_t size) {
  Result<OnnxFacts> facts = ScanOnnxFile(path);
  if (!facts.ok()) {
    CHECK(!facts.status().message().empty());
    return;
  }
  CHECK_LE(facts->inputs_without_shape.size(), size);
  for (const std::string& name : facts->inputs_without_shape) CHECK_LE(name.size(), size);
  for (const std::string& location : facts->external_locations) CHECK_LE(location.size(), size);
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const penstock::MemoryFile& file = *new penstock::MemoryFile();
  file.Set(data, size);
  penstock::Scan(file.path(), size);
  return 0;
}
