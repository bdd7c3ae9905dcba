// Compares replies with what was expected, piece by piece as they arrive, without keeping them.
// One checker serves all connections of a run; one thread; knows no frame and no socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock::bench {

// How far one reply has come. Reset by assigning a fresh one.
struct ReplyProgress {
  std::size_t received = 0;  // bytes of DATA so far, the gRPC prefix included
  bool wrong = false;
  std::vector<std::uint8_t> kept;  // prefix, floats or whole message: what the end needs
};

class ReplyChecker final {
 public:
  struct Options {
    bool has_expected = false;
    std::vector<std::uint8_t> expected;  // the message, without prefix
    std::size_t float_tail = 0;          // last floats that may differ a little
    double tolerance = 0;                // of the largest expected magnitude
    bool record = false;                 // keep the first good reply
  };

  explicit ReplyChecker(Options options);

  void Begin(ReplyProgress& reply) const;
  void Piece(ReplyProgress& reply, std::span<const std::uint8_t> bytes) const;

  // The reply is complete. Empty if it is what was expected, else what is wrong with it.
  std::string Finish(ReplyProgress& reply);

  // The first good reply's message; empty unless `record` was set.
  const std::vector<std::uint8_t>& recorded() const { return recorded_; }

 private:
  bool FloatsAgree(std::span<const std::uint8_t> tail) const;

  const Options options_;
  std::vector<std::uint8_t> image_;  // prefix and expected message
  std::size_t exact_bytes_ = 0;      // of image_, compared byte for byte
  std::size_t keep_from_ = 0;        // bytes of a reply from here to keep_to_ are kept
  std::size_t keep_to_ = 0;
  double bound_ = 0;       // largest difference of two floats
  bool keep_all_ = false;  // until one reply is recorded
  std::vector<std::uint8_t> recorded_;
};

}  // namespace penstock::bench
