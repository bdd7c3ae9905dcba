// HPACK for the replay client, over nghttp2's compressor: the request's block, which soon becomes
// constant bytes, and the replies' blocks, which are decoded once and recognised afterwards. One
// thread, one object of each per connection; knows no frame and no socket.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace penstock::bench {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

class RequestHeaders final {
 public:
  explicit RequestHeaders(HeaderList headers);
  ~RequestHeaders();
  RequestHeaders(const RequestHeaders&) = delete;
  RequestHeaders& operator=(const RequestHeaders&) = delete;

  // The block for the next request. The first blocks fill the peer's dynamic table; once two in a
  // row are equal, every later one is.
  std::span<const std::uint8_t> Next();

  // True once Next() returns the same bytes for ever.
  bool constant() const { return constant_; }

  // The peer announced SETTINGS_HEADER_TABLE_SIZE.
  void ChangeTableSize(std::uint32_t size);

 private:
  HeaderList headers_;
  nghttp2_hd_deflater* deflater_ = nullptr;
  std::vector<std::uint8_t> block_;
  bool constant_ = false;
};

// What one block of a reply says; -1 and empty where it says nothing.
struct ReplyFields {
  int http_status = -1;
  int grpc_status = -1;
  std::string grpc_message;
};

class ReplyHeaders final {
 public:
  ReplyHeaders();
  ~ReplyHeaders();
  ReplyHeaders(const ReplyHeaders&) = delete;
  ReplyHeaders& operator=(const ReplyHeaders&) = delete;

  // Decodes a whole block; null if it is not valid HPACK. The result is valid until the next call.
  //
  // A block that inserts nothing into the dynamic table means the same until some block does, so
  // its result is remembered: every reply is checked, and nearly none costs a decode.
  const ReplyFields* Decode(std::span<const std::uint8_t> block);

 private:
  struct Known {
    std::string block;
    ReplyFields fields;
  };

  bool Inflate(std::span<const std::uint8_t> block, ReplyFields& fields);

  nghttp2_hd_inflater* inflater_ = nullptr;
  std::vector<Known> known_;
  ReplyFields last_;
};

// True if decoding `block` leaves the dynamic table as it is (RFC 7541 section 6): only indexed
// fields and literals that are not added. False also for a block that is cut short.
bool LeavesTableUnchanged(std::span<const std::uint8_t> block);

}  // namespace penstock::bench
