// ModelInferRequest written and ModelInferResponse read by protozero, another library than the
// server's own encoder: what the tests compare with. Pure.
#pragma once

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

inline constexpr char kInferPath[] = "/inference.GRPCInferenceService/ModelInfer";

struct RawTensor {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

inline std::string EncodeRawRequest(std::string_view model, std::string_view id,
                                    const std::vector<RawTensor>& inputs) {
  std::string message;
  protozero::pbf_writer request(message);
  request.add_string(1, model.data(), model.size());
  request.add_string(3, id.data(), id.size());
  for (const RawTensor& input : inputs) {
    protozero::pbf_writer tensor(request, 5);
    tensor.add_string(1, input.name);
    tensor.add_string(2, input.datatype);
    tensor.add_packed_int64(3, input.shape.begin(), input.shape.end());
  }
  for (const RawTensor& input : inputs) request.add_bytes(7, input.bytes);
  return message;
}

struct FloatTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

inline std::string EncodeRequest(std::string_view model, std::string_view id,
                                 const std::vector<FloatTensor>& inputs) {
  std::vector<RawTensor> raw;
  for (const FloatTensor& input : inputs) {
    raw.push_back({.name = input.name,
                   .datatype = "FP32",
                   .shape = input.shape,
                   .bytes = std::string(reinterpret_cast<const char*>(input.values.data()),
                                        input.values.size() * sizeof(float))});
  }
  return EncodeRawRequest(model, id, raw);
}

struct Response {
  struct Output {
    std::string name;
    std::string datatype;
    std::vector<std::int64_t> shape;
    std::string raw;
  };
  std::string model;
  std::string version;
  std::string id;
  std::vector<std::pair<std::string, std::int64_t>> parameters;
  std::vector<Output> outputs;

  std::vector<float> Floats(std::size_t index) const {
    std::vector<float> values(outputs.at(index).raw.size() / sizeof(float));
    std::memcpy(values.data(), outputs[index].raw.data(), outputs[index].raw.size());
    return values;
  }
};

inline Response::Output DecodeOutput(protozero::pbf_reader reader) {
  Response::Output output;
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        output.name = reader.get_string();
        break;
      case 2:
        output.datatype = reader.get_string();
        break;
      case 3:
        for (const std::int64_t dim : reader.get_packed_int64()) output.shape.push_back(dim);
        break;
      default:
        reader.skip();
    }
  }
  return output;
}

inline std::pair<std::string, std::int64_t> DecodeParameter(protozero::pbf_reader reader) {
  std::pair<std::string, std::int64_t> parameter;
  while (reader.next()) {
    if (reader.tag() == 1) {
      parameter.first = reader.get_string();
    } else {
      protozero::pbf_reader value = reader.get_message();
      while (value.next(2)) parameter.second = value.get_int64();
    }
  }
  return parameter;
}

// Throws where the bytes are no protobuf message.
inline Response DecodeResponse(std::string_view message) {
  Response response;
  std::size_t raw = 0;
  protozero::pbf_reader reader(message.data(), message.size());
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        response.model = reader.get_string();
        break;
      case 2:
        response.version = reader.get_string();
        break;
      case 3:
        response.id = reader.get_string();
        break;
      case 4:
        response.parameters.push_back(DecodeParameter(reader.get_message()));
        break;
      case 5:
        response.outputs.push_back(DecodeOutput(reader.get_message()));
        break;
      case 6:
        response.outputs.at(raw++).raw = reader.get_string();
        break;
      default:
        reader.skip();
    }
  }
  return response;
}

}  // namespace penstock
