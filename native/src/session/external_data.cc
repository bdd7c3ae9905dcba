#include "session/external_data.h"

#include <filesystem>
#include <system_error>

#include "base/strings.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

// Both without "." and links.
bool IsWithin(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

Status CheckExternalData(const std::string& model_path, const std::set<std::string>& locations) {
  if (locations.empty()) return {};
  const fs::path model(model_path);
  std::error_code error;
  const fs::path folder =
      fs::canonical(model.parent_path().empty() ? "." : model.parent_path(), error);
  if (error) return NotFound(StrCat("the folder of model '", model_path, "' cannot be resolved"));
  // A model may be a link into a store that holds its weights as well.
  const fs::path target_folder = fs::canonical(model, error).parent_path();
  if (error) return NotFound(StrCat("model '", model_path, "' cannot be resolved"));

  for (const std::string& location : locations) {
    const std::string subject =
        StrCat("model '", model_path, "' keeps weights in '", Printable(location), "', which ");
    if (location.empty() || location.find('\0') != std::string::npos) {
      return InvalidArgument(subject + "is no path");
    }
    if (fs::path(location).is_absolute()) {
      return InvalidArgument(subject +
                             "is an absolute path; it must be relative to the model's folder");
    }
    const fs::path file = fs::canonical(folder / location, error);
    if (error) return NotFound(StrCat(subject, "cannot be opened: ", error.message()));
    if (!IsWithin(file, folder) && !IsWithin(file, target_folder)) {
      return InvalidArgument(subject + "leads out of the model's folder; move the file into it");
    }
    if (!fs::is_regular_file(file, error)) {
      return InvalidArgument(subject + "is not a regular file");
    }
  }
  return {};
}

}  // namespace penstock
