// What Create functions of the public classes report instead of an object.
#pragma once

#include <string>

namespace penstock {

// `code` is the canonical gRPC code's number; the message may name paths, since it goes to the
// operator, never to a client.
struct Error {
  int code = 0;
  std::string message;
};

}  // namespace penstock
