// A reader over a file descriptor and a walk of the few message types that matter. The file is
// read, not mapped: a file that is cut short while it is mapped would end the process with SIGBUS.
#include "session/onnx_scan.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace penstock {
namespace {

// Field numbers of onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kModelFunctions = 25;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kGraphInput = 11;
constexpr std::uint32_t kFunctionNode = 7;
constexpr std::uint32_t kNodeOpType = 4;
constexpr std::uint32_t kValueName = 1;
constexpr std::uint32_t kValueType = 2;
constexpr std::uint32_t kTypeTensor = 1;
constexpr std::uint32_t kTensorTypeShape = 2;
constexpr std::uint32_t kShapeDimension = 1;
constexpr std::uint32_t kDimensionValue = 1;  // the only one that is no message or string

// Longer names than this are no operator that we look for and no name worth keeping.
constexpr std::uint64_t kNameBytesMax = 4096;

// ONNX's own control flow, and the operators that hold a loop inside.
constexpr std::array<std::string_view, 8> kControlFlow = {
    "Loop",       "Scan",         "If",       "SequenceMap",
    "BeamSearch", "GreedySearch", "Sampling", "WhisperBeamSearch"};

class FileReader final {
 public:
  FileReader() = default;
  ~FileReader() {
    if (fd_ >= 0) close(fd_);
  }
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  Status Open(const std::string& path);
  std::uint64_t size() const { return size_; }
  std::uint64_t position() const { return position_; }

  bool ReadByte(std::uint8_t& byte);
  bool ReadVarint(std::uint64_t& value);
  bool ReadString(std::uint64_t length, std::string& text);
  // The caller has checked that it stays within the file.
  void Seek(std::uint64_t position) { position_ = position; }

 private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t buffer_start_ = 0;
  std::size_t buffer_len_ = 0;
  std::array<std::uint8_t, 16384> buffer_;
};

Status FileReader::Open(const std::string& path) {
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) {
      return NotFound(StrCat("there is no model file '", path, "'"));
    }
    return FailedPrecondition(
        StrCat("model file '", path, "' cannot be opened: ", std::strerror(error)));
  }
  struct stat info;
  if (fstat(fd_, &info) != 0) {
    return FailedPrecondition(
        StrCat("model file '", path, "' cannot be read: ", std::strerror(errno)));
  }
  if (!S_ISREG(info.st_mode)) {
    return FailedPrecondition(StrCat("model path '", path, "' is not a regular file"));
  }
  size_ = static_cast<std::uint64_t>(info.st_size);
  return {};
}

bool FileReader::ReadByte(std::uint8_t& byte) {
  if (position_ < buffer_start_ || position_ >= buffer_start_ + buffer_len_) {
    ssize_t got = -1;
    do {
      got = pread(fd_, buffer_.data(), buffer_.size(), static_cast<off_t>(position_));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    buffer_start_ = position_;
    buffer_len_ = static_cast<std::size_t>(got);
  }
  byte = buffer_[position_ - buffer_start_];
  ++position_;
  return true;
}

bool FileReader::ReadVarint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t byte = 0;
    if (!ReadByte(byte)) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool FileReader::ReadString(std::uint64_t length, std::string& text) {
  text.clear();
  for (std::uint64_t i = 0; i < length; ++i) {
    std::uint8_t byte = 0;
    if (!ReadByte(byte)) return false;
    text.push_back(static_cast<char>(byte));
  }
  return true;
}

// One field of a message that reaches to `end`. For a length-delimited field `end` of the content
// is set and the reader stands at its start; every other field has been read past already and
// `content_end` is where the reader stands.
struct Field {
  std::uint32_t number = 0;
  bool has_content = false;
  std::uint64_t content_end = 0;

  bool Holds(std::uint32_t wanted) const { return has_content && number == wanted; }
};

bool ReadField(FileReader& file, std::uint64_t end, Field& field) {
  std::uint64_t key = 0;
  if (!file.ReadVarint(key) || key >> 3 == 0 || key >> 3 > (1U << 29) - 1) return false;
  field.number = static_cast<std::uint32_t>(key >> 3);
  field.has_content = false;
  std::uint64_t length = 0;
  switch (key & 7) {
    case 0:
      if (!file.ReadVarint(length)) return false;
      length = 0;
      break;
    case 1:
      length = 8;
      break;
    case 2:
      if (!file.ReadVarint(length)) return false;
      field.has_content = true;
      break;
    case 5:
      length = 4;
      break;
    default:  // groups, which ONNX never used, and two numbers that protobuf never gave out
      return false;
  }
  if (file.position() > end || length > end - file.position()) return false;
  field.content_end = file.position() + length;
  if (!field.has_content) file.Seek(field.content_end);
  return true;
}

// Calls `visit(field)` for every field up to `end`; it may read the content or leave it. False
// where the bytes are no message or where `visit` says so.
template <typename Visit>
bool ForEachField(FileReader& file, std::uint64_t end, Visit visit) {
  while (file.position() < end) {
    Field field;
    if (!ReadField(file, end, field)) return false;
    if (!visit(field)) return false;
    file.Seek(field.content_end);
  }
  return file.position() == end;
}

bool ReadName(FileReader& file, const Field& field, std::string& name) {
  return file.ReadString(std::min(field.content_end - file.position(), kNameBytesMax), name);
}

bool ScanNode(FileReader& file, std::uint64_t end, OnnxFacts& facts) {
  return ForEachField(file, end, [&](const Field& field) {
    if (!field.Holds(kNodeOpType) || !facts.control_flow_operator.empty()) return true;
    std::string op_type;
    if (!ReadName(file, field, op_type)) return false;
    if (std::ranges::find(kControlFlow, op_type) != kControlFlow.end()) {
      facts.control_flow_operator = std::move(op_type);
    }
    return true;
  });
}

struct InputFacts {
  std::string name;
  bool is_tensor = false;
  bool has_shape = false;
  bool inner_dims_free = false;
};

bool ScanShape(FileReader& file, std::uint64_t end, InputFacts& input) {
  std::size_t index = 0;
  return ForEachField(file, end, [&](const Field& dimension) {
    if (!dimension.Holds(kShapeDimension)) return true;
    bool has_value = false;
    const bool well_formed = ForEachField(file, dimension.content_end, [&](const Field& field) {
      has_value |= !field.has_content && field.number == kDimensionValue;
      return true;
    });
    if (index > 0 && !has_value) input.inner_dims_free = true;
    ++index;
    return well_formed;
  });
}

bool ScanType(FileReader& file, std::uint64_t end, InputFacts& input) {
  return ForEachField(file, end, [&](const Field& type) {
    if (!type.Holds(kTypeTensor)) return true;
    input.is_tensor = true;
    return ForEachField(file, type.content_end, [&](const Field& field) {
      if (!field.Holds(kTensorTypeShape)) return true;
      input.has_shape = true;
      return ScanShape(file, field.content_end, input);
    });
  });
}

bool ScanInput(FileReader& file, std::uint64_t end, OnnxFacts& facts) {
  InputFacts input;
  const bool well_formed = ForEachField(file, end, [&](const Field& field) {
    if (field.Holds(kValueName)) return ReadName(file, field, input.name);
    if (field.Holds(kValueType)) return ScanType(file, field.content_end, input);
    return true;
  });
  facts.inner_dims_free |= input.inner_dims_free;
  if (input.is_tensor && !input.has_shape) {
    facts.inputs_without_shape.push_back(std::move(input.name));
  }
  return well_formed;
}

bool ScanGraph(FileReader& file, std::uint64_t end, OnnxFacts& facts) {
  return ForEachField(file, end, [&](const Field& field) {
    if (field.Holds(kGraphNode)) return ScanNode(file, field.content_end, facts);
    if (field.Holds(kGraphInput)) return ScanInput(file, field.content_end, facts);
    return true;
  });
}

bool ScanFunction(FileReader& file, std::uint64_t end, OnnxFacts& facts) {
  return ForEachField(file, end, [&](const Field& field) {
    return !field.Holds(kFunctionNode) || ScanNode(file, field.content_end, facts);
  });
}

}  // namespace

Result<OnnxFacts> ScanOnnxFile(const std::string& path) {
  FileReader file;
  RETURN_IF_ERROR(file.Open(path));
  OnnxFacts facts;
  bool has_graph = false;
  const bool well_formed = ForEachField(file, file.size(), [&](const Field& field) {
    if (field.Holds(kModelGraph)) {
      has_graph = true;
      return ScanGraph(file, field.content_end, facts);
    }
    if (field.Holds(kModelFunctions)) return ScanFunction(file, field.content_end, facts);
    return true;
  });
  if (!well_formed) {
    return InvalidArgument(StrCat("'", path, "' is not an ONNX model: its bytes end or break at ",
                                  file.position(), " of ", file.size()));
  }
  if (!has_graph)
    return InvalidArgument(StrCat("'", path, "' is not an ONNX model: no graph in it"));
  return facts;
}

}  // namespace penstock
