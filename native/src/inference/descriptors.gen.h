// What the server offers, as serialized descriptors for reflection. Constant data, any thread.
// Made by scripts/generate_protos.py from proto/: change those, not this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

struct DescriptorFile {
  std::string_view name;                       // as other files import it
  std::span<const std::uint8_t> serialized;    // a google.protobuf.FileDescriptorProto
  std::span<const std::string_view> services;  // full names
  std::span<const std::string_view> symbols;   // full names of all that it defines, sorted
};

// No file imports another.
std::span<const DescriptorFile> DescriptorFiles();

}  // namespace penstock
