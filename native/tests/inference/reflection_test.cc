// ReflectionIndex over two small files of its own and over the generated ones. Real reflection
// clients ask it in tests/conformance.
#include "inference/reflection.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "wire/control_messages.h"

namespace penstock {
namespace {

constexpr std::array<std::uint8_t, 3> kFirstBytes = {'o', 'n', 'e'};
constexpr std::array<std::uint8_t, 3> kSecondBytes = {'t', 'w', 'o'};
constexpr std::array<std::string_view, 1> kServices = {"one.S"};
constexpr std::array<std::string_view, 2> kFirstSymbols = {"one.S", "one.S.Call"};
constexpr std::array<std::string_view, 1> kSecondSymbols = {"two.M"};
constexpr std::array<DescriptorFile, 2> kFiles = {{
    {"one.proto", kFirstBytes, kServices, kFirstSymbols},
    {"two.proto", kSecondBytes, {}, kSecondSymbols},
}};

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// A request of one string field; short enough for a length of one byte.
std::string Question(int field, std::string_view argument) {
  std::string message = {static_cast<char>(field << 3 | 2), static_cast<char>(argument.size())};
  return message.append(argument);
}
std::string FileByName(std::string_view name) {
  return Question(3, name);
}
std::string FileBySymbol(std::string_view symbol) {
  return Question(4, symbol);
}
std::string ListServices() {
  return Question(7, "*");
}

wire::ReflectionRequest Decoded(const std::string& message) {
  return wire::DecodeReflectionRequest(Bytes(message)).value();
}

std::string FileAnswer(const std::string& question, std::span<const std::uint8_t> file) {
  const std::array files = {file};
  return wire::EncodeReflectionFiles(Decoded(question), files);
}

TEST(ReflectionIndex, FileByFilename_AnswersTheFile) {
  const ReflectionIndex index(kFiles);
  const std::string question = FileByName("two.proto");
  EXPECT_EQ(index.Answer(Bytes(question)), FileAnswer(question, kSecondBytes));
}

TEST(ReflectionIndex, FileContainingSymbol_FindsServicesMethodsAndMessages) {
  const ReflectionIndex index(kFiles);
  for (std::string_view symbol : kFirstSymbols) {
    const std::string question = FileBySymbol(symbol);
    EXPECT_EQ(index.Answer(Bytes(question)), FileAnswer(question, kFirstBytes)) << symbol;
  }
  const std::string question = FileBySymbol("two.M");
  EXPECT_EQ(index.Answer(Bytes(question)), FileAnswer(question, kSecondBytes));
}

TEST(ReflectionIndex, ListServices_NamesOnlyServices) {
  const std::string question = ListServices();
  EXPECT_EQ(ReflectionIndex(kFiles).Answer(Bytes(question)),
            wire::EncodeReflectionServices(Decoded(question), kServices));
}

TEST(ReflectionIndex, UnknownFileOrSymbol_IsNotFound) {
  const ReflectionIndex index(kFiles);
  const std::string file = FileByName("three.proto");
  EXPECT_EQ(index.Answer(Bytes(file)),
            wire::EncodeReflectionError(Decoded(file), NotFound("no file 'three.proto'")));
  const std::string symbol = FileBySymbol("one.\x01");
  EXPECT_EQ(index.Answer(Bytes(symbol)),
            wire::EncodeReflectionError(Decoded(symbol), NotFound("no symbol 'one.?'")));
}

TEST(ReflectionIndex, ExtensionOrNoQuestion_IsUnimplemented) {
  const ReflectionIndex index(kFiles);
  for (const std::string& question : {Question(5, "\x10\x05"), Question(6, "one.S"),
                                      Question(1, "host"), Question(8, "future"), std::string()}) {
    const std::string answer = index.Answer(Bytes(question));
    // error_response (7) with error_code (1) 12.
    const std::size_t error = answer.find('\x3a', question.size());
    ASSERT_NE(error, std::string::npos);
    EXPECT_EQ(answer.substr(error + 2, 2), "\x08\x0c");
  }
}

TEST(ReflectionIndex, MalformedRequest_IsInvalidArgumentAndNotEchoed) {
  const std::string answer = ReflectionIndex(kFiles).Answer(Bytes("\x22\x09one"));
  EXPECT_EQ(answer.find("one"), std::string::npos);
  EXPECT_NE(answer.find("\x08\x03\x12"), std::string::npos);  // error_code 3
  EXPECT_NE(answer.find("ServerReflectionRequest"), std::string::npos);
}

TEST(ReflectionIndex, GeneratedFiles_OfferTheFourServices) {
  const std::string question = ListServices();
  const std::array<std::string_view, 5> services = {
      "inference.GRPCInferenceService", "penstock.v1.Models", "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"};
  EXPECT_EQ(ReflectionIndex().Answer(Bytes(question)),
            wire::EncodeReflectionServices(Decoded(question), services));
}

TEST(ReflectionIndex, GeneratedFiles_EverySymbolFindsItsFile) {
  const ReflectionIndex index;
  for (const DescriptorFile& file : DescriptorFiles()) {
    ASSERT_FALSE(file.serialized.empty());
    for (std::string_view symbol : file.symbols) {
      const std::string question = FileBySymbol(symbol);
      EXPECT_EQ(index.Answer(Bytes(question)), FileAnswer(question, file.serialized)) << symbol;
    }
  }
  const std::string method = FileBySymbol("inference.GRPCInferenceService.ModelInfer");
  EXPECT_EQ(index.Answer(Bytes(method)), FileAnswer(method, DescriptorFiles()[0].serialized));
}

}  // namespace
}  // namespace penstock
