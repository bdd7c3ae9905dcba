// See reply_checker.h.
#include "replay/reply_checker.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "replay/frames.h"

namespace penstock::bench {
namespace {

float FloatAt(const std::uint8_t* bytes) {
  float value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace

ReplyChecker::ReplyChecker(Options options)
    : options_(std::move(options)), keep_all_(options_.record) {
  if (!options_.has_expected) {
    keep_to_ = kGrpcPrefixBytes;
    return;
  }
  image_.resize(kGrpcPrefixBytes + options_.expected.size());
  Put32(image_.data() + 1, static_cast<std::uint32_t>(options_.expected.size()));
  std::copy(options_.expected.begin(), options_.expected.end(), image_.begin() + kGrpcPrefixBytes);
  const std::size_t tail_bytes = options_.float_tail * sizeof(float);
  CHECK(tail_bytes <= options_.expected.size());
  exact_bytes_ = image_.size() - tail_bytes;
  keep_from_ = exact_bytes_;
  keep_to_ = image_.size();
  double largest = 0;
  for (std::size_t at = exact_bytes_; at < image_.size(); at += sizeof(float)) {
    largest = std::max(largest, std::abs(static_cast<double>(FloatAt(image_.data() + at))));
  }
  bound_ = largest * options_.tolerance;
}

void ReplyChecker::Begin(ReplyProgress& reply) const {
  reply.received = 0;
  reply.wrong = false;
  reply.kept.clear();
}

void ReplyChecker::Piece(ReplyProgress& reply, std::span<const std::uint8_t> bytes) const {
  const std::size_t from = reply.received;
  reply.received += bytes.size();
  if (from < exact_bytes_) {
    const std::size_t size = std::min(bytes.size(), exact_bytes_ - from);
    reply.wrong |= std::memcmp(image_.data() + from, bytes.data(), size) != 0;
  }
  const std::size_t keep_from = keep_all_ ? 0 : std::max(from, keep_from_);
  const std::size_t keep_to = keep_all_ ? reply.received : std::min(reply.received, keep_to_);
  const std::size_t begin = std::max(from, keep_from);
  if (begin >= keep_to) return;
  reply.kept.insert(reply.kept.end(), bytes.data() + (begin - from),
                    bytes.data() + (keep_to - from));
}

std::string ReplyChecker::Finish(ReplyProgress& reply) {
  if (reply.received < kGrpcPrefixBytes) return StrCat("reply of ", reply.received, " bytes");
  if (options_.has_expected) {
    if (reply.received != image_.size()) {
      return StrCat("reply of ", reply.received, " bytes, expected ", image_.size());
    }
    if (reply.wrong) return "reply differs from what was expected";
    const std::size_t tail_bytes = image_.size() - exact_bytes_;
    const std::span<const std::uint8_t> kept(reply.kept);
    if (tail_bytes > 0 && !FloatsAgree(kept.last(tail_bytes))) {
      return "floats of the reply differ by more than the tolerance";
    }
  } else if (reply.kept[0] != 0 ||
             Get32(reply.kept.data() + 1) != reply.received - kGrpcPrefixBytes) {
    return "reply is not one uncompressed gRPC message";
  }
  if (keep_all_ && reply.kept.size() == reply.received) {
    recorded_.assign(reply.kept.begin() + kGrpcPrefixBytes, reply.kept.end());
    keep_all_ = false;
  }
  return "";
}

bool ReplyChecker::FloatsAgree(std::span<const std::uint8_t> tail) const {
  for (std::size_t at = 0; at < tail.size(); at += sizeof(float)) {
    const double got = FloatAt(tail.data() + at);
    const double want = FloatAt(image_.data() + exact_bytes_ + at);
    // Written so that a NaN on either side is a difference.
    if (!(std::abs(got - want) <= bound_)) return false;
  }
  return true;
}

}  // namespace penstock::bench
