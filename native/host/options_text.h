// Command line flags of the host: which field a flag sets. The definitions are generated, in
// options_text.cc. Runs once, on the main thread.
#pragma once

#include <string>
#include <string_view>

#include <penstock/options.h>

namespace penstock::host {

// False for a switch such as --report-batch-size. True for an unknown flag.
bool FlagTakesValue(std::string_view flag);

// Sets the field that `flag` names. On failure `error` says what is wrong with which flag.
bool SetOption(std::string_view flag, std::string_view value, ServerOptions* server,
               ModelOptions* model, std::string* error);

}  // namespace penstock::host
