#include "model/model_table.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock {

void ModelTable::Add(std::unique_ptr<ModelVersion> version) {
  version->index_ = versions_.size();
  std::vector<const ModelVersion*>& of_model = by_name_[version->name()];
  const auto place =
      std::ranges::upper_bound(of_model, version->version(), {}, &ModelVersion::version);
  of_model.insert(place, version.get());
  versions_.push_back(std::move(version));
}

Result<const ModelVersion*> ModelTable::Resolve(std::string_view name,
                                                std::string_view version) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    return NotFound(StrCat("model '", Printable(name), "' is not served here"));
  }
  if (version.empty()) return found->second.back();
  for (const ModelVersion* candidate : found->second) {
    if (candidate->version_text() == version) return candidate;
  }
  std::string served;
  for (const ModelVersion* candidate : found->second) {
    served.append(served.empty() ? "" : ", ").append(candidate->version_text());
  }
  return NotFound(StrCat("model '", Printable(name), "' has no version '", Printable(version),
                         "'; served: ", served));
}

std::vector<std::string> ModelTable::VersionsOf(std::string_view name) const {
  std::vector<std::string> versions;
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return versions;
  for (const ModelVersion* version : found->second) versions.push_back(version->version_text());
  return versions;
}

}  // namespace penstock
