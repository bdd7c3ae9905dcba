// The scanner's answers must not depend on how the bytes are sliced.
#include "http2/frame_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "support/frames.h"
#include "support/random_source.h"

namespace penstock::http2 {
namespace {

using Verdict = FrameScanner::Verdict;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Verdict ScanAll(FrameScanner& scanner, std::string_view bytes, TimeNs now = kSecond) {
  return scanner.Scan(BytesOf(bytes), now);
}

auto StateOf(const FrameScanner& scanner) {
  return std::tuple(scanner.payload_left(), scanner.frames(), scanner.stream_id(),
                    scanner.in_plain_data(), scanner.in_control());
}

std::string RandomFrames(RandomSource& random) {
  std::string bytes(frames::kPreface);
  for (std::size_t n = random.Below(30); n > 0; --n) {
    const auto type = static_cast<FrameType>(random.Below(12));
    const auto flags = static_cast<std::uint8_t>(random.Below(256));
    const auto id = static_cast<std::int32_t>(random.Below(1000));
    bytes += frames::Frame(type, flags, id, random.Text(random.Below(random.OneIn(8) ? 9000 : 40)));
  }
  return bytes;
}

TEST(FrameScannerTest, Slicing_ChangesNothing) {
  const std::uint64_t first = RandomSource::Seed(1);
  for (std::uint64_t seed = first; seed < first + 200; ++seed) {
    SCOPED_TRACE(seed);
    RandomSource random(seed);
    const std::string bytes = RandomFrames(random);
    FrameScanner whole(frames::kPreface.size());
    FrameScanner sliced(frames::kPreface.size());
    const Verdict expected = ScanAll(whole, bytes);
    Verdict got = Verdict::kFine;
    for (std::size_t at = 0; at < bytes.size() && got == Verdict::kFine;) {
      const std::size_t part =
          std::min(bytes.size() - at, 1 + random.Below(random.OneIn(3) ? 500 : 3));
      got = ScanAll(sliced, std::string_view(bytes).substr(at, part));
      at += part;
    }
    EXPECT_EQ(got, expected);
    EXPECT_EQ(sliced.frames(), whole.frames());
    if (expected == Verdict::kFine) {
      EXPECT_EQ(StateOf(sliced), StateOf(whole));
    }
  }
}

TEST(FrameScannerTest, PlainData_IsKnownOnceItsHeaderIsThere) {
  FrameScanner scanner(0);
  const std::string frame = frames::Data(5, std::string(100, 'x'));
  ScanAll(scanner, std::string_view(frame).substr(0, 8));
  EXPECT_FALSE(scanner.in_plain_data());
  EXPECT_TRUE(scanner.in_control()) << "half a frame header may not stay for ever";
  ScanAll(scanner, std::string_view(frame).substr(8, 31));
  EXPECT_TRUE(scanner.in_plain_data());
  EXPECT_FALSE(scanner.in_control());
  EXPECT_EQ(scanner.payload_left(), 70U);
  EXPECT_EQ(scanner.stream_id(), 5);
  ScanAll(scanner, std::string_view(frame).substr(39));
  EXPECT_EQ(scanner.payload_left(), 0U);
  ScanAll(scanner, std::string_view(frames::Data(5, "xyz", kFlagPadded)).substr(0, 10));
  EXPECT_FALSE(scanner.in_plain_data()) << "padding is not payload";
}

TEST(FrameScannerTest, HeaderBlock_IsBoundedInBytesAndFrames) {
  const std::string large(16'000, 'x');
  FrameScanner by_bytes(0);
  EXPECT_EQ(ScanAll(by_bytes, frames::Headers(1, large, 0)), Verdict::kFine);
  EXPECT_TRUE(by_bytes.in_control());
  Verdict verdict = Verdict::kFine;
  int frames_taken = 0;
  while (verdict == Verdict::kFine && frames_taken < 100) {
    verdict = ScanAll(by_bytes, frames::Frame(FrameType::kContinuation, 0, 1, large));
    ++frames_taken;
  }
  EXPECT_EQ(verdict, Verdict::kHeaderBlockTooLarge);
  EXPECT_LE(frames_taken, 5);
  // The verdict comes with the frame's header: the payload need not be read first.
  FrameScanner by_header(0);
  EXPECT_EQ(ScanAll(by_header, frames::Headers(1, std::string(1 << 20, 'x'), 0).substr(0, 9)),
            Verdict::kHeaderBlockTooLarge);
  FrameScanner by_count(0);
  EXPECT_EQ(ScanAll(by_count, frames::Headers(1, "x", 0)), Verdict::kFine);
  frames_taken = 0;
  verdict = Verdict::kFine;
  while (verdict == Verdict::kFine && frames_taken < 100) {
    verdict = ScanAll(by_count, frames::Frame(FrameType::kContinuation, 0, 1, ""));
    ++frames_taken;
  }
  EXPECT_EQ(verdict, Verdict::kHeaderBlockTooLarge);
}

TEST(FrameScannerTest, EndedHeaderBlock_ForgetsItsSize) {
  FrameScanner scanner(0);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(ScanAll(scanner, frames::Headers(1, std::string(16'000, 'x'))), Verdict::kFine);
    EXPECT_FALSE(scanner.in_control());
  }
}

// Frames of which a peer may send some, but not a flood.
TEST(FrameScannerTest, OddFrames_AreBoundedInRate) {
  for (const std::string& frame :
       {frames::Ping(), frames::Settings(), frames::Frame(FrameType::kPriority, 0, 1, "12345"),
        frames::Frame(static_cast<FrameType>(99), 0, 0, "")}) {
    FrameScanner scanner(0);
    Verdict verdict = Verdict::kFine;
    int count = 0;
    while (verdict == Verdict::kFine && count < 100'000) {
      verdict = ScanAll(scanner, frame);
      ++count;
    }
    EXPECT_EQ(verdict, Verdict::kTooManyOddFrames);
    EXPECT_GT(count, 1000) << "an ordinary burst passes";
  }
}

TEST(FrameScannerTest, OddFramesAtAFairRate_AreFine) {
  FrameScanner scanner(0);
  for (int i = 0; i < 60'000; ++i) {
    ASSERT_EQ(ScanAll(scanner, frames::Ping(), kSecond + i * 4 * kMillisecond), Verdict::kFine)
        << i;
  }
}

TEST(FrameScannerTest, TinyDataFlood_IsStopped) {
  FrameScanner scanner(0);
  ScanAll(scanner, frames::Headers(1, "x"));
  Verdict verdict = Verdict::kFine;
  int count = 0;
  while (verdict == Verdict::kFine && count < 100'000) {
    verdict = ScanAll(scanner, frames::Data(1, "x"));
    ++count;
  }
  EXPECT_EQ(verdict, Verdict::kTooManyOddFrames);
}

// Clients that send a small message and end the stream with a frame of its own (grpc-js, tonic)
// are no flood: each of these frames belongs to a call.
TEST(FrameScannerTest, SmallCallsEndedByAnEmptyFrame_AreFineAtAnyRate) {
  FrameScanner scanner(0);
  for (std::int32_t i = 0; i < 100'000; ++i) {
    const std::int32_t id = 2 * i + 1;
    ASSERT_EQ(ScanAll(scanner, frames::Headers(id, "x")), Verdict::kFine);
    ASSERT_EQ(ScanAll(scanner, frames::Data(id, frames::Message(""))), Verdict::kFine) << i;
    ASSERT_EQ(ScanAll(scanner, frames::Data(id, "", kFlagEndStream)), Verdict::kFine);
  }
}

}  // namespace
}  // namespace penstock::http2
