// May a model read the files that it names for its weights? A model is often somebody else's, and
// must not reach what lies beside its own folder. Looked at before the engine opens any of them.
// Control thread, at load; knows no engine.
#pragma once

#include <set>
#include <string>

#include "base/status.h"

namespace penstock {

// Each location must lead, links followed, to a regular file in the folder of the model or below,
// which is the folder of the path as given or the one where that path leads. NOT_FOUND where there
// is none, else INVALID_ARGUMENT, naming model and location.
Status CheckExternalData(const std::string& model_path, const std::set<std::string>& locations);

}  // namespace penstock
