#include "session/protobuf_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace penstock {

ProtobufFile::~ProtobufFile() {
  if (fd_ >= 0) close(fd_);
}

Status ProtobufFile::Open(const std::string& path) {
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

bool ProtobufFile::ReadByte(std::uint8_t& byte) {
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

bool ProtobufFile::ReadVarint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    std::uint8_t byte = 0;
    if (!ReadByte(byte)) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool ProtobufFile::ReadString(std::uint64_t length, std::string& text) {
  text.clear();
  for (std::uint64_t i = 0; i < length; ++i) {
    std::uint8_t byte = 0;
    if (!ReadByte(byte)) return false;
    text.push_back(static_cast<char>(byte));
  }
  return true;
}

bool ReadField(ProtobufFile& file, std::uint64_t end, ProtobufField& field) {
  std::uint64_t key = 0;
  if (!file.ReadVarint(key) || key >> 3 == 0 || key >> 3 > (1U << 29) - 1) return false;
  field.number = static_cast<std::uint32_t>(key >> 3);
  field.has_content = false;
  std::uint64_t length = 0;
  switch (key & 7) {
    case 0:
      if (!file.ReadVarint(field.varint)) return false;
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

}  // namespace penstock
