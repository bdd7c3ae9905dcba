// protozero's exceptions stop at the two functions that the header offers.
#include "wire/typed_contents.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/varint.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "tensor/bytes.h"

namespace penstock::wire {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// InferTensorContents in proto/open_inference_grpc.proto; the index is the field's number.
struct Field {
  std::string_view name;
  pbf_wire_type element = pbf_wire_type::varint;
};
constexpr std::array<Field, 9> kFields = {{
    {},
    {"bool_contents"},
    {"int_contents"},
    {"int64_contents"},
    {"uint_contents"},
    {"uint64_contents"},
    {"fp32_contents", pbf_wire_type::fixed32},
    {"fp64_contents", pbf_wire_type::fixed64},
    {"bytes_contents", pbf_wire_type::length_delimited},
}};

// 0 for what has none.
constexpr std::size_t FieldNumber(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
      return 1;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return 2;
    case DataType::kInt64:
      return 3;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return 4;
    case DataType::kUint64:
      return 5;
    case DataType::kFp32:
      return 6;
    case DataType::kFp64:
      return 7;
    case DataType::kBytes:
      return 8;
    case DataType::kInvalid:
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return 0;
}

pbf_reader ReaderOf(std::span<const std::byte> message) {
  return {reinterpret_cast<const char*>(message.data()), message.size()};
}

Status Malformed(const std::exception& error) {
  return InvalidArgument(StrCat("contents are no protobuf message: ", error.what()));
}

// Elements in a packed field. A varint ends with the byte whose highest bit is clear.
std::int64_t CountPacked(const protozero::data_view& packed, pbf_wire_type element) {
  const std::span<const char> bytes(packed.data(), packed.size());
  if (element == pbf_wire_type::fixed32 || element == pbf_wire_type::fixed64) {
    const std::size_t size = element == pbf_wire_type::fixed32 ? 4 : 8;
    if (bytes.size() % size != 0) throw protozero::invalid_length_exception();
    return static_cast<std::int64_t>(bytes.size() / size);
  }
  if (!bytes.empty() && (bytes.back() & '\x80') != 0) throw protozero::end_of_buffer_exception();
  return std::ranges::count_if(bytes, [](char byte) { return (byte & '\x80') == 0; });
}

// Where elements are written. Room is checked, since it was another walk that measured it.
class ElementSink final {
 public:
  ElementSink(DataType dtype, std::span<std::byte> to) : dtype_(dtype), to_(to) {}

  bool full() const { return to_.empty(); }

  // `number` comes from a wider field, as INT8 does from int32.
  template <typename Element, typename Number>
  Status Put(Number number) {
    if (!std::in_range<Element>(number)) {
      return InvalidArgument(
          StrCat("element ", index_, " of ", kFields[FieldNumber(dtype_)].name, " is ", number,
                 ", ", DataTypeName(dtype_), " holds ",
                 static_cast<std::int64_t>(std::numeric_limits<Element>::min()), " to ",
                 static_cast<std::uint64_t>(std::numeric_limits<Element>::max())));
    }
    return PutBits(static_cast<Element>(number));
  }
  template <typename Element>
  Status PutBits(Element element) {
    return PutAll(std::as_bytes(std::span(&element, 1)), 1);
  }
  Status PutAll(std::span<const std::byte> bytes, std::size_t count) {
    CHECK_LE(bytes.size(), to_.size());
    if (!bytes.empty()) std::memcpy(to_.data(), bytes.data(), bytes.size());
    to_ = to_.subspan(bytes.size());
    index_ += count;
    return {};
  }
  Status PutString(std::span<const std::byte> element) {
    CHECK_LE(kBytesLengthSize + element.size(), to_.size());
    PutBytesElement(to_.data(), element);
    to_ = to_.subspan(kBytesLengthSize + element.size());
    return {};
  }

 private:
  const DataType dtype_;
  std::span<std::byte> to_;
  std::size_t index_ = 0;
};

// `put` writes one varint.
template <typename Put>
Status PutVarints(pbf_reader& reader, const Put& put) {
  if (reader.wire_type() == pbf_wire_type::varint) return put(reader.get_uint64());
  const protozero::data_view packed = reader.get_view();
  const char* at = packed.data();
  const char* const end = at + packed.size();
  while (at != end) RETURN_IF_ERROR(put(protozero::decode_varint(&at, end)));
  return {};
}

// A varint carries 64 bits whatever the field's type; what is narrower takes the lowest, as
// protobuf demands.
template <typename Element, typename Wire>
Status PutIntegers(pbf_reader& reader, ElementSink& sink) {
  return PutVarints(reader, [&sink](std::uint64_t varint) {
    return sink.Put<Element>(static_cast<Wire>(varint));
  });
}

template <typename Bits>
Status PutFixed(pbf_reader& reader, ElementSink& sink) {
  if constexpr (sizeof(Bits) == 4) {
    if (reader.wire_type() == pbf_wire_type::fixed32) return sink.PutBits(reader.get_fixed32());
  } else {
    if (reader.wire_type() == pbf_wire_type::fixed64) return sink.PutBits(reader.get_fixed64());
  }
  const protozero::data_view packed = reader.get_view();
  return sink.PutAll(std::as_bytes(std::span(packed.data(), packed.size())),
                     packed.size() / sizeof(Bits));
}

Status PutField(pbf_reader& reader, DataType dtype, ElementSink& sink) {
  switch (dtype) {
    case DataType::kBool:
      return PutVarints(reader, [&sink](std::uint64_t varint) {
        return sink.PutBits(static_cast<std::uint8_t>(varint != 0));
      });
    case DataType::kInt8:
      return PutIntegers<std::int8_t, std::int32_t>(reader, sink);
    case DataType::kInt16:
      return PutIntegers<std::int16_t, std::int32_t>(reader, sink);
    case DataType::kInt32:
      return PutIntegers<std::int32_t, std::int32_t>(reader, sink);
    case DataType::kInt64:
      return PutIntegers<std::int64_t, std::int64_t>(reader, sink);
    case DataType::kUint8:
      return PutIntegers<std::uint8_t, std::uint32_t>(reader, sink);
    case DataType::kUint16:
      return PutIntegers<std::uint16_t, std::uint32_t>(reader, sink);
    case DataType::kUint32:
      return PutIntegers<std::uint32_t, std::uint32_t>(reader, sink);
    case DataType::kUint64:
      return PutIntegers<std::uint64_t, std::uint64_t>(reader, sink);
    case DataType::kFp32:
      return PutFixed<std::uint32_t>(reader, sink);
    case DataType::kFp64:
      return PutFixed<std::uint64_t>(reader, sink);
    case DataType::kBytes: {
      const protozero::data_view element = reader.get_view();
      return sink.PutString(std::as_bytes(std::span(element.data(), element.size())));
    }
    case DataType::kInvalid:
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return InvalidArgument(StrCat(DataTypeName(dtype), " has no typed contents"));
}

// True where the field holds elements in a form that it may have.
bool HoldsElements(const pbf_reader& reader, const Field& field) {
  return reader.wire_type() == field.element ||
         reader.wire_type() == pbf_wire_type::length_delimited;
}

Result<ContentsSize> Measure(std::span<const std::byte> contents, DataType dtype) {
  const std::size_t expected = FieldNumber(dtype);
  ContentsSize size;
  for (pbf_reader reader = ReaderOf(contents); reader.next();) {
    const std::size_t number = reader.tag();
    if (number >= kFields.size() || !HoldsElements(reader, kFields[number])) {
      reader.skip();
      continue;
    }
    const Field& field = kFields[number];
    std::int64_t count = 1;
    if (field.element == pbf_wire_type::length_delimited) {
      size.byte_count += number == expected ? kBytesLengthSize + reader.get_view().size() : 0;
      if (number != expected) reader.skip();
    } else if (reader.wire_type() == field.element) {
      reader.skip();
    } else {
      count = CountPacked(reader.get_view(), field.element);
    }
    if (number == expected) {
      size.element_count += count;
    } else if (count > 0) {
      return InvalidArgument(StrCat(DataTypeName(dtype), " travels in ", kFields[expected].name,
                                    ", ", field.name, " is given"));
    }
  }
  const std::size_t element_size = DataTypeSize(dtype);
  if (element_size > 0) {
    size.byte_count = static_cast<std::size_t>(size.element_count) * element_size;
  }
  return size;
}

}  // namespace

std::string_view ContentsField(DataType dtype) {
  return kFields[FieldNumber(dtype)].name;
}

Result<ContentsSize> MeasureContents(std::span<const std::byte> contents, DataType dtype) {
  if (FieldNumber(dtype) == 0) {
    return InvalidArgument(
        StrCat(DataTypeName(dtype), " has no typed contents; use raw_input_contents"));
  }
  try {
    return Measure(contents, dtype);
  } catch (const std::exception& malformed) {
    return Malformed(malformed);
  }
}

Status ConvertContents(std::span<const std::byte> contents, DataType dtype,
                       std::span<std::byte> to) {
  const std::size_t expected = FieldNumber(dtype);
  ElementSink sink(dtype, to);
  try {
    for (pbf_reader reader = ReaderOf(contents); reader.next();) {
      if (reader.tag() == expected && HoldsElements(reader, kFields[expected])) {
        RETURN_IF_ERROR(PutField(reader, dtype, sink));
      } else {
        reader.skip();
      }
    }
  } catch (const std::exception& malformed) {
    return Malformed(malformed);
  }
  CHECK(sink.full());
  return {};
}

}  // namespace penstock::wire
