// See header_blocks.h.
#include "replay/header_blocks.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace penstock::bench {
namespace {

constexpr std::uint32_t kTableBytes = 4096;  // RFC 7541's default; more never helps six fields
constexpr std::size_t kKnownMax = 16;        // a server has two or three shapes of block

std::uint8_t* MutableBytes(const std::string& text) {
  // nghttp2's structs take non-const pointers but only read.
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// Reads an HPACK integer whose prefix has `bits` bits; false if the block ends inside it.
bool ReadInteger(std::span<const std::uint8_t> block, std::size_t& at, int bits,
                 std::size_t& value) {
  const std::size_t limit = (std::size_t{1} << bits) - 1;
  value = block[at++] & limit;
  if (value < limit) return true;
  for (int shift = 0; at < block.size() && shift < 28; shift += 7) {
    const std::uint8_t byte = block[at++];
    value += static_cast<std::size_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

bool SkipString(std::span<const std::uint8_t> block, std::size_t& at) {
  std::size_t length = 0;
  if (at >= block.size() || !ReadInteger(block, at, 7, length)) return false;
  if (length > block.size() - at) return false;
  at += length;
  return true;
}

void Note(const nghttp2_nv& field, ReplyFields& fields) {
  const std::string_view name(reinterpret_cast<const char*>(field.name), field.namelen);
  const std::string value(reinterpret_cast<const char*>(field.value), field.valuelen);
  if (name == ":status") fields.http_status = std::atoi(value.c_str());
  if (name == "grpc-status") fields.grpc_status = std::atoi(value.c_str());
  if (name == "grpc-message") fields.grpc_message = value;
}

}  // namespace

RequestHeaders::RequestHeaders(HeaderList headers) : headers_(std::move(headers)) {
  CHECK(nghttp2_hd_deflate_new(&deflater_, kTableBytes) == 0);
}

RequestHeaders::~RequestHeaders() {
  nghttp2_hd_deflate_del(deflater_);
}

std::span<const std::uint8_t> RequestHeaders::Next() {
  if (constant_) return block_;
  std::vector<nghttp2_nv> fields;
  for (const auto& [name, value] : headers_) {
    fields.push_back(
        {MutableBytes(name), MutableBytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
  }
  std::vector<std::uint8_t> block(
      nghttp2_hd_deflate_bound(deflater_, fields.data(), fields.size()));
  const ssize_t size =
      nghttp2_hd_deflate_hd(deflater_, block.data(), block.size(), fields.data(), fields.size());
  CHECK(size > 0);
  block.resize(static_cast<std::size_t>(size));
  constant_ = block == block_ && LeavesTableUnchanged(block);
  block_ = std::move(block);
  return block_;
}

void RequestHeaders::ChangeTableSize(std::uint32_t size) {
  CHECK(nghttp2_hd_deflate_change_table_size(deflater_, std::min(size, kTableBytes)) == 0);
  constant_ = false;
  block_.clear();
}

ReplyHeaders::ReplyHeaders() {
  CHECK(nghttp2_hd_inflate_new(&inflater_) == 0);
}

ReplyHeaders::~ReplyHeaders() {
  nghttp2_hd_inflate_del(inflater_);
}

const ReplyFields* ReplyHeaders::Decode(std::span<const std::uint8_t> block) {
  const std::string_view bytes(reinterpret_cast<const char*>(block.data()), block.size());
  for (const Known& known : known_) {
    if (known.block == bytes) return &known.fields;
  }
  last_ = ReplyFields();
  if (!Inflate(block, last_)) return nullptr;
  if (!LeavesTableUnchanged(block)) {
    known_.clear();  // what an index meant before may be something else now
  } else if (known_.size() < kKnownMax) {
    known_.push_back({std::string(bytes), last_});
  }
  return &last_;
}

bool ReplyHeaders::Inflate(std::span<const std::uint8_t> block, ReplyFields& fields) {
  const std::uint8_t* at = block.data();
  std::size_t left = block.size();
  while (true) {
    nghttp2_nv field{};
    int flags = 0;
    const ssize_t used =
        nghttp2_hd_inflate_hd2(inflater_, &field, &flags, at, left, /*in_final=*/1);
    if (used < 0) return false;
    at += used;
    left -= static_cast<std::size_t>(used);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) Note(field, fields);
    if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) {
      nghttp2_hd_inflate_end_headers(inflater_);
      return true;
    }
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) return false;
  }
}

bool LeavesTableUnchanged(std::span<const std::uint8_t> block) {
  std::size_t at = 0;
  while (at < block.size()) {
    const std::uint8_t first = block[at];
    std::size_t index = 0;
    if ((first & 0x80) != 0) {
      if (!ReadInteger(block, at, 7, index)) return false;
      continue;
    }
    if ((first & 0xe0) != 0) return false;  // added to the table, or a change of its size
    if (!ReadInteger(block, at, 4, index)) return false;
    if (index == 0 && !SkipString(block, at)) return false;
    if (!SkipString(block, at)) return false;
  }
  return true;
}

}  // namespace penstock::bench
