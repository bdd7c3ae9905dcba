// penstock._core.Tokenizer: lists of str or bytes into arrays of ids; and the same as a step before
// a model. Any Python thread may call it; the GIL is released while it works. Knows only
// native/include/penstock.
#include "tokenizer.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <penstock/tokenizer.h>

#include "errors.h"
#include "pipeline.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

constexpr int kInvalidArgument = 3;  // the canonical code
// Room for more ids is let go after a call.
constexpr std::size_t kKeptIds = 1 << 18;

template <typename T>
T Field(py::handle source, const char* name) {
  return source.attr(name).cast<T>();
}

std::vector<VocabularyWord> WordsOf(py::handle source) {
  const auto listed = Field<py::list>(source, "words");
  std::vector<VocabularyWord> words;
  words.reserve(listed.size());
  for (const py::handle entry : listed) {
    auto [text, id] = entry.cast<std::pair<py::bytes, std::uint32_t>>();
    words.push_back({.text = std::string(text), .id = id});
  }
  return words;
}

WordPieceSpec WordPieceOf(py::handle source) {
  return {.clean_text = Field<bool>(source, "clean_text"),
          .handle_chinese_chars = Field<bool>(source, "handle_chinese_chars"),
          .strip_accents = Field<bool>(source, "strip_accents"),
          .lowercase = Field<bool>(source, "lowercase"),
          .words = WordsOf(source),
          .continuing_prefix = Field<std::string>(source, "continuing_prefix"),
          .unknown_id = Field<std::uint32_t>(source, "unknown_id"),
          .characters_max = Field<std::int64_t>(source, "characters_max")};
}

ByteLevelBpeSpec ByteLevelBpeOf(py::handle source) {
  ByteLevelBpeSpec spec{.add_prefix_space = Field<bool>(source, "add_prefix_space"),
                        .words = WordsOf(source)};
  for (const py::handle entry : Field<py::list>(source, "merges")) {
    const auto [left, right, result] =
        entry.cast<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>>();
    spec.merges.push_back({.left = left, .right = right, .result = result});
  }
  return spec;
}

std::vector<TemplatePart> PartsOf(const py::list& listed) {
  using Part = TemplatePart;
  std::vector<Part> parts;
  for (const py::handle entry : listed) {
    const auto kind = Field<std::string>(entry, "kind");
    parts.push_back({.kind = kind == "first"    ? Part::Kind::kFirst
                             : kind == "second" ? Part::Kind::kSecond
                                                : Part::Kind::kIds,
                     .ids = Field<std::vector<std::uint32_t>>(entry, "ids"),
                     .type_id = Field<std::uint8_t>(entry, "type_id")});
  }
  return parts;
}

TextTruncation TruncationOf(const std::string& name) {
  if (name == "longest_first") return TextTruncation::kLongestFirst;
  if (name == "only_first") return TextTruncation::kOnlyFirst;
  if (name == "only_second") return TextTruncation::kOnlySecond;
  throw py::value_error("truncation: " + name + " is not a value of it");
}

TokenizerSpec SpecOf(py::handle source) {
  TokenizerSpec spec;
  for (const py::handle entry : Field<py::list>(source, "added_tokens")) {
    spec.added_tokens.push_back({.content = Field<std::string>(entry, "content"),
                                 .id = Field<std::uint32_t>(entry, "id"),
                                 .lstrip = Field<bool>(entry, "lstrip"),
                                 .rstrip = Field<bool>(entry, "rstrip"),
                                 .normalized = Field<bool>(entry, "normalized")});
  }
  const py::object model = source.attr("model");
  if (Field<std::string>(model, "kind") == "WordPiece") {
    spec.model = WordPieceOf(model);
  } else {
    spec.model = ByteLevelBpeOf(model);
  }
  spec.single = PartsOf(source.attr("single"));
  spec.pair = PartsOf(source.attr("pair"));
  spec.length_max = Field<std::int64_t>(source, "length_max");
  spec.truncation = TruncationOf(Field<std::string>(source, "truncation"));
  spec.truncate_left = Field<bool>(source, "truncate_left");
  spec.text_bytes_max = Field<std::int64_t>(source, "text_bytes_max");
  return spec;
}

[[noreturn]] void RaiseInferError(int code, const std::string& message) {
  const py::object raised = MakeInferError(code, message);
  PyErr_SetObject(py::type::handle_of(raised).ptr(), raised.ptr());
  throw py::error_already_set();
}

// The bytes of each text; `texts` holds them. A str's UTF-8 is kept in the str by Python.
std::vector<std::string_view> ViewTexts(const py::list& texts) {
  std::vector<std::string_view> views;
  views.reserve(texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    // Each is somewhere else in memory.
    if (i + 4 < texts.size()) {
      __builtin_prefetch(PyList_GET_ITEM(texts.ptr(), static_cast<py::ssize_t>(i + 4)));
    }
    const py::handle text = PyList_GET_ITEM(texts.ptr(), static_cast<py::ssize_t>(i));
    char* data = nullptr;
    py::ssize_t size = 0;
    if (PyUnicode_Check(text.ptr())) {
      data = const_cast<char*>(PyUnicode_AsUTF8AndSize(text.ptr(), &size));
      if (data == nullptr) {
        if (PyErr_ExceptionMatches(PyExc_UnicodeEncodeError) == 0) throw py::error_already_set();
        PyErr_Clear();
        RaiseInferError(kInvalidArgument, "row " + std::to_string(views.size()) +
                                              ": the str has a lone surrogate, which no UTF-8 has");
      }
    } else if (PyBytes_Check(text.ptr())) {
      if (PyBytes_AsStringAndSize(text.ptr(), &data, &size) != 0) throw py::error_already_set();
    } else {
      throw py::type_error("row " + std::to_string(views.size()) +
                           ": a text must be a str or bytes, not " + Py_TYPE(text.ptr())->tp_name);
    }
    views.emplace_back(data, static_cast<std::size_t>(size));
  }
  return views;
}

TextPadding PaddingOf(py::handle source) {
  return {.length_min = Field<std::int64_t>(source, "length_min"),
          .multiple_of = std::max<std::int64_t>(1, Field<std::int64_t>(source, "multiple_of")),
          .id = Field<std::uint32_t>(source, "id"),
          .type_id = Field<std::uint8_t>(source, "type_id"),
          .left = Field<bool>(source, "left")};
}

py::tuple MakeArrays(const EncodedTexts& encoded, const TextPadding& padding) {
  const std::size_t length = PaddedLength(encoded, padding);
  const std::vector<py::ssize_t> shape = {static_cast<py::ssize_t>(encoded.ends.size()),
                                          static_cast<py::ssize_t>(length)};
  py::array_t<std::int64_t> ids(shape);
  py::array_t<std::int64_t> mask(shape);
  py::array_t<std::int64_t> types(shape);
  std::int64_t* const id = ids.mutable_data();
  std::int64_t* const kept = mask.mutable_data();
  std::int64_t* const type = types.mutable_data();
  {
    const py::gil_scoped_release release;
    FillPadded(encoded, padding, length, TextTensor::kIds, id);
    FillPadded(encoded, padding, length, TextTensor::kMask, kept);
    FillPadded(encoded, padding, length, TextTensor::kTypeIds, type);
  }
  return py::make_tuple(std::move(ids), std::move(mask), std::move(types));
}

py::tuple Encode(const Tokenizer& self, const py::list& texts, const py::object& pairs,
                 const py::object& padding_rule) {
  const TextPadding padding = PaddingOf(padding_rule);
  const std::vector<std::string_view> first = ViewTexts(texts);
  std::vector<std::string_view> second;
  if (!pairs.is_none()) second = ViewTexts(pairs.cast<py::list>());
  if (!pairs.is_none() && second.size() != first.size()) {
    throw py::value_error("pairs: expected one for each of " + std::to_string(first.size()) +
                          " texts, got " + std::to_string(second.size()));
  }
  // Kept by the thread: fresh memory for every call would cost more than short texts do.
  static thread_local EncodedTexts encoded;
  Error error;
  bool ok = false;
  {
    const py::gil_scoped_release release;
    ok = self.Encode(first, second, &encoded, &error);
  }
  if (!ok) RaiseInferError(error.code, error.message);
  const py::tuple arrays = MakeArrays(encoded, padding);
  if (encoded.ids.capacity() > kKeptIds) encoded = {};
  return arrays;
}

std::unique_ptr<Tokenizer> Create(const py::object& source) {
  const TokenizerSpec spec = SpecOf(source);
  Error error;
  std::unique_ptr<Tokenizer> created;
  {
    const py::gil_scoped_release release;
    created = Tokenizer::Create(spec, &error);
  }
  if (created == nullptr) RaiseError(error);
  return created;
}

std::vector<TextTensor> TensorsOf(const std::vector<std::string>& names) {
  std::vector<TextTensor> tensors;
  for (const std::string& name : names) {
    tensors.push_back(name == "ids"    ? TextTensor::kIds
                      : name == "mask" ? TextTensor::kMask
                                       : TextTensor::kTypeIds);
  }
  return tensors;
}

TransformHandle MakeTransform(const py::object& spec, const py::object& padding,
                              const std::vector<std::string>& outputs, bool pairs,
                              const std::string& datatype) {
  const TokenizeStep step = {.tokenizer = SpecOf(spec),
                             .padding = PaddingOf(padding),
                             .outputs = TensorsOf(outputs),
                             .pairs = pairs,
                             .datatype = datatype};
  Error error;
  TransformHandle made;
  {
    const py::gil_scoped_release release;
    made.transform = MakeTokenizeTransform(step, &error);
  }
  if (made.transform == nullptr) RaiseError(error);
  return made;
}

}  // namespace

void BindTokenizer(py::module_& module) {
  py::class_<Tokenizer>(module, "Tokenizer")
      .def(py::init(&Create), py::arg("spec"))
      .def("encode", &Encode, py::arg("texts"), py::arg("pairs"), py::arg("padding"));
  module.def("tokenize_transform", &MakeTransform, py::arg("spec"), py::arg("padding"),
             py::arg("outputs"), py::kw_only(), py::arg("pairs"), py::arg("datatype"));
}

}  // namespace penstock::binding
