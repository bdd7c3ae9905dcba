// A protobuf message in a file, walked field by field without a schema and without holding it: what
// is not asked for is skipped. The file is read, not mapped: one that is cut short while it is
// mapped would end the process with SIGBUS. Control thread, at load; knows no message type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"

namespace penstock {

class ProtobufFile final {
 public:
  ProtobufFile() = default;
  ~ProtobufFile();
  ProtobufFile(const ProtobufFile&) = delete;
  ProtobufFile& operator=(const ProtobufFile&) = delete;

  // NOT_FOUND or FAILED_PRECONDITION, naming the path.
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

// One field of a message that reaches to `end`. For a length-delimited field `end` of the content
// is set and the reader stands at its start; every other field has been read past already and
// `content_end` is where the reader stands.
struct ProtobufField {
  std::uint32_t number = 0;
  bool has_content = false;
  std::uint64_t content_end = 0;
  std::uint64_t varint = 0;  // the value, where the field is a varint

  bool Holds(std::uint32_t wanted) const { return has_content && number == wanted; }
};

// Reads a key, and the value unless it has content. False where the bytes are no field.
bool ReadField(ProtobufFile& file, std::uint64_t end, ProtobufField& field);

// Calls `visit(field)` for every field up to `end`; it may read the content or leave it. False
// where the bytes are no message or where `visit` says so.
template <typename Visit>
bool ForEachField(ProtobufFile& file, std::uint64_t end, Visit visit) {
  while (file.position() < end) {
    ProtobufField field;
    if (!ReadField(file, end, field)) return false;
    if (!visit(field)) return false;
    file.Seek(field.content_end);
  }
  return file.position() == end;
}

}  // namespace penstock
