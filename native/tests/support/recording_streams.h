// A user of http2::Connection that notes what happens and answers what a test says. One thread.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http2/connection.h"

namespace penstock {

class RecordingStream final : public http2::Stream {
 public:
  std::size_t BodyAvailable() const override { return reply.pending_bytes(); }
  bool BodyEnds() const override { return reply_ends; }
  void TakeBody(std::size_t n, ByteQueue& output) override { reply.MoveTo(n, output); }
  std::span<const http2::Header> Trailers() override { return trailers; }
  std::span<std::byte> ReceiveTarget() override {
    return std::span(target).subspan(std::min(data.size(), target.size()));
  }

  http2::StreamId id = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string data;
  // Where payload may be received: the first target.size() bytes of the request's body.
  std::vector<std::byte> target;
  std::size_t in_place_bytes = 0;
  bool headers_ended = false;
  bool ended = false;
  bool closed = false;
  http2::ErrorCode close_code = http2::ErrorCode::kNoError;
  ByteQueue reply;
  bool reply_ends = false;
  std::vector<http2::Header> trailers = {{"grpc-status", "0"}};
};

class RecordingStreams final : public http2::StreamEvents {
 public:
  http2::Stream* OnStreamBegin(http2::StreamId id) override {
    ++begun;
    if (refuse) return nullptr;
    RecordingStream& stream =
        *streams.emplace(id, std::make_unique<RecordingStream>()).first->second;
    stream.id = id;
    stream.target.resize(target_size);
    return &stream;
  }
  void OnHeader(http2::Stream& stream, std::string_view name, std::string_view value) override {
    Of(stream).headers.emplace_back(name, value);
  }
  void OnHeadersEnd(http2::Stream& stream) override { Of(stream).headers_ended = true; }
  void OnData(http2::Stream& generic, std::span<const std::byte> data) override {
    RecordingStream& stream = Of(generic);
    EXPECT_FALSE(stream.closed);
    const std::byte* expected = stream.target.data() + stream.data.size();
    if (stream.data.size() < stream.target.size() && data.data() == expected) {
      stream.in_place_bytes += data.size();
    }
    stream.data.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  void OnEndStream(http2::Stream& stream) override {
    EXPECT_FALSE(Of(stream).ended);
    Of(stream).ended = true;
  }
  void OnStreamClosed(http2::Stream& stream, http2::ErrorCode code) override {
    EXPECT_FALSE(Of(stream).closed);
    Of(stream).closed = true;
    Of(stream).close_code = code;
  }
  RecordingStream& at(http2::StreamId id) { return *streams.at(id); }

  bool refuse = false;
  std::size_t target_size = 0;
  int begun = 0;
  std::map<http2::StreamId, std::unique_ptr<RecordingStream>> streams;

 private:
  static RecordingStream& Of(http2::Stream& stream) {
    return static_cast<RecordingStream&>(stream);
  }
};

}  // namespace penstock
