// See the header.
#include "inference/reflection.h"

#include <array>

#include "base/strings.h"
#include "wire/control_messages.h"

namespace penstock {

ReflectionIndex::ReflectionIndex(std::span<const DescriptorFile> files) {
  for (const DescriptorFile& file : files) {
    by_name_[file.name] = &file;
    for (std::string_view symbol : file.symbols) by_symbol_[symbol] = &file;
    services_.insert(services_.end(), file.services.begin(), file.services.end());
  }
}

std::string ReflectionIndex::Answer(std::span<const std::byte> request) const {
  Result<wire::ReflectionRequest> decoded = wire::DecodeReflectionRequest(request);
  // What could not be decoded is not sent back either: it would spoil the response.
  if (!decoded.ok())
    return wire::EncodeReflectionError(wire::ReflectionRequest{}, decoded.status());
  const wire::ReflectionRequest& question = *decoded;

  auto find = [&question](const Index& index, std::string_view what) {
    const auto found = index.find(question.argument);
    if (found == index.end()) {
      return wire::EncodeReflectionError(
          question, NotFound(StrCat("no ", what, " '", Printable(question.argument), "'")));
    }
    // Files import nothing (descriptors.gen.h), so each is an answer by itself.
    const std::array files = {found->second->serialized};
    return wire::EncodeReflectionFiles(question, files);
  };
  switch (question.kind) {
    case wire::ReflectionRequest::Kind::kFileByFilename:
      return find(by_name_, "file");
    case wire::ReflectionRequest::Kind::kFileContainingSymbol:
      return find(by_symbol_, "symbol");
    case wire::ReflectionRequest::Kind::kListServices:
      return wire::EncodeReflectionServices(question, services_);
    case wire::ReflectionRequest::Kind::kFileContainingExtension:
    case wire::ReflectionRequest::Kind::kAllExtensionNumbersOfType:
      return wire::EncodeReflectionError(
          question, Unimplemented("questions about extensions are not answered: there are none"));
    case wire::ReflectionRequest::Kind::kNone:
      break;
  }
  return wire::EncodeReflectionError(
      question, Unimplemented("the request asks for nothing that this server knows; it answers "
                              "list_services, file_by_filename and file_containing_symbol"));
}

}  // namespace penstock
