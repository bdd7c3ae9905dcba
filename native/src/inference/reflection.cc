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
  Result<ReflectionRequest> decoded = DecodeReflectionRequest(request);
  // What could not be decoded is not sent back either: it would spoil the response.
  if (!decoded.ok()) return EncodeReflectionError(ReflectionRequest{}, decoded.status());
  const ReflectionRequest& question = *decoded;

  auto find = [&question](const Index& index, std::string_view what) {
    const auto found = index.find(question.argument);
    if (found == index.end()) {
      return EncodeReflectionError(
          question, NotFound(StrCat("no ", what, " '", Printable(question.argument), "'")));
    }
    // Files import nothing (descriptors.gen.h), so each is an answer by itself.
    const std::array files = {found->second->serialized};
    return EncodeReflectionFiles(question, files);
  };
  switch (question.kind) {
    case ReflectionRequest::Kind::kFileByFilename:
      return find(by_name_, "file");
    case ReflectionRequest::Kind::kFileContainingSymbol:
      return find(by_symbol_, "symbol");
    case ReflectionRequest::Kind::kListServices:
      return EncodeReflectionServices(question, services_);
    case ReflectionRequest::Kind::kFileContainingExtension:
    case ReflectionRequest::Kind::kAllExtensionNumbersOfType:
      return EncodeReflectionError(
          question, Unimplemented("questions about extensions are not answered: there are none"));
    case ReflectionRequest::Kind::kNone:
      break;
  }
  return EncodeReflectionError(
      question, Unimplemented("the request asks for nothing that this server knows; it answers "
                              "list_services, file_by_filename and file_containing_symbol"));
}

}  // namespace penstock
