// Every version that is served, by name and version. Built on the control thread, then only read.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "model/model_version.h"

namespace penstock {

class ModelTable final {
 public:
  // Before it is shared.
  void Add(std::unique_ptr<ModelVersion> version);

  // The version that a request names; an empty version stands for the highest. NOT_FOUND, with the
  // names as the client sent them, where there is none.
  Result<const ModelVersion*> Resolve(std::string_view name, std::string_view version) const;

  const std::vector<std::unique_ptr<ModelVersion>>& versions() const { return versions_; }
  // The versions of one model, ascending; empty where there is no such model.
  std::vector<std::string> VersionsOf(std::string_view name) const;

 private:
  // A model's versions, ascending. The key views the version's own name.
  std::unordered_map<std::string_view, std::vector<const ModelVersion*>> by_name_;
  std::vector<std::unique_ptr<ModelVersion>> versions_;
};

}  // namespace penstock
