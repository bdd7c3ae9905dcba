// PURE. The texts of gRPC's wire: the grpc-timeout header and percent-encoded status messages.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace penstock::grpc {

// "100m" is 100 ms. Nothing where the text breaks the grammar: 1 to 8 digits and one of HMSmun.
std::optional<TimeNs> ParseTimeout(std::string_view text);

// For the grpc-message trailer: bytes outside the printable ASCII range, and '%', as %XX.
std::string PercentEncode(std::string_view message);

// Of content-type: "application/grpc", also with "+proto" or parameters.
bool IsGrpcContentType(std::string_view content_type);

}  // namespace penstock::grpc
