// ONNX Runtime's C ABI as far as we use it: opaque types, the numbers of its enums and the slots of
// its function table, each with its index and signature. The wheel ships no header, so this is
// written from the published, append-only slot order; the call sites read `api.Run(...)`.
// Knows nothing of Penstock; what a returned Status means is ort_status.h's business.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::ort_abi {

// The version that we ask for: its table has 285 entries (0 to 284), and an older or equal library
// has nothing behind them. Asking for 20 admits every ONNX Runtime from 1.20 on.
inline constexpr std::uint32_t kApiVersion = 20;
inline constexpr std::size_t kSlotCount = 285;

struct Status;
struct Env;
struct Session;
struct SessionOptions;
struct RunOptions;
struct Value;
struct MemoryInfo;
struct TypeInfo;
struct TensorInfo;  // OrtTensorTypeAndShapeInfo
struct SequenceInfo;
struct MapInfo;
struct OptionalInfo;
struct Allocator;
struct CudaOptions;  // OrtCUDAProviderOptionsV2

// Plain ints in signatures, because a newer library may return numbers that are not listed here.
enum ErrorCode : int {
  kErrorInvalidArgument = 2,
  kErrorNoSuchFile = 3,
  kErrorNoModel = 4,
  kErrorInvalidProtobuf = 7,
  kErrorNotImplemented = 9,
  kErrorInvalidGraph = 10,
};

enum ElementType : int {
  kElementUndefined = 0,
  kElementFloat = 1,
  kElementUint8 = 2,
  kElementInt8 = 3,
  kElementUint16 = 4,
  kElementInt16 = 5,
  kElementInt32 = 6,
  kElementInt64 = 7,
  kElementString = 8,
  kElementBool = 9,
  kElementFloat16 = 10,
  kElementDouble = 11,
  kElementUint32 = 12,
  kElementUint64 = 13,
  kElementComplex64 = 14,
  kElementComplex128 = 15,
  kElementBfloat16 = 16,
};

inline constexpr int kOnnxTypeTensor = 1;
inline constexpr int kOnnxTypeSequence = 2;
inline constexpr int kOnnxTypeMap = 3;
inline constexpr int kOnnxTypeOptional = 6;
inline constexpr int kLogWarning = 2;
inline constexpr int kExecutionSequential = 0;
inline constexpr int kOptimizeAll = 99;
inline constexpr int kAllocatorDevice = 0;
inline constexpr int kMemoryDefault = 0;

// Called by the library on any of its threads; the strings live until it returns.
using LogFunction = void (*)(void* param, int severity, const char* category, const char* log_id,
                             const char* code_location, const char* message);

// One entry of the table, callable like the function it holds.
template <std::size_t kIndex, typename Signature>
class Slot final {
 public:
  static_assert(kIndex < kSlotCount, "API version 20 has no such entry");
  explicit Slot(void* const* table) : function_(reinterpret_cast<Signature*>(table[kIndex])) {}
  operator Signature*() const { return function_; }  // NOLINT: this is what makes it callable

 private:
  Signature* function_;
};

// The table, copied out once. A returned Status* is null on success, else the caller releases it.
struct Api {
  explicit Api(void* const* entries) : table(entries) {}

  void* const* table;  // first: the slots below are initialised from it

  Slot<1, int(const Status*)> GetErrorCode{table};
  Slot<2, const char*(const Status*)> GetErrorMessage{table};
  Slot<93, void(Status*)> ReleaseStatus{table};

  Slot<4, Status*(LogFunction, void* param, int severity, const char* log_id, Env**)>
      CreateEnvWithCustomLogger{table};
  Slot<92, void(Env*)> ReleaseEnv{table};
  Slot<125, Status*(char***, int* count)> GetAvailableProviders{table};
  // Unlike every other Release function this one returns a status.
  Slot<126, Status*(char**, int count)> ReleaseAvailableProviders{table};

  Slot<10, Status*(SessionOptions**)> CreateSessionOptions{table};
  Slot<13, Status*(SessionOptions*, int mode)> SetSessionExecutionMode{table};
  Slot<17, Status*(SessionOptions*)> DisableMemPattern{table};
  Slot<19, Status*(SessionOptions*)> DisableCpuMemArena{table};
  Slot<23, Status*(SessionOptions*, int level)> SetSessionGraphOptimizationLevel{table};
  Slot<24, Status*(SessionOptions*, int)> SetIntraOpNumThreads{table};
  Slot<25, Status*(SessionOptions*, int)> SetInterOpNumThreads{table};
  Slot<130, Status*(SessionOptions*, const char* key, const char* value)> AddSessionConfigEntry{
      table};
  Slot<100, void(SessionOptions*)> ReleaseSessionOptions{table};

  Slot<216, Status*(SessionOptions*, const char* provider, const char* const* keys,
                    const char* const* values, std::size_t count)>
      AppendProvider{table};
  Slot<204, Status*(SessionOptions*, const CudaOptions*)> AppendCudaProvider{table};
  Slot<205, Status*(CudaOptions**)> CreateCudaOptions{table};
  Slot<208, void(CudaOptions*)> ReleaseCudaOptions{table};

  Slot<7, Status*(const Env*, const char* path, const SessionOptions*, Session**)> CreateSession{
      table};
  Slot<30, Status*(const Session*, std::size_t*)> SessionGetInputCount{table};
  Slot<31, Status*(const Session*, std::size_t*)> SessionGetOutputCount{table};
  Slot<33, Status*(const Session*, std::size_t, TypeInfo**)> SessionGetInputTypeInfo{table};
  Slot<34, Status*(const Session*, std::size_t, TypeInfo**)> SessionGetOutputTypeInfo{table};
  Slot<36, Status*(const Session*, std::size_t, Allocator*, char**)> SessionGetInputName{table};
  Slot<37, Status*(const Session*, std::size_t, Allocator*, char**)> SessionGetOutputName{table};
  Slot<95, void(Session*)> ReleaseSession{table};

  Slot<55, Status*(const TypeInfo*, const TensorInfo**)> CastTypeInfoToTensorInfo{table};
  Slot<56, Status*(const TypeInfo*, int*)> GetOnnxTypeFromTypeInfo{table};
  Slot<98, void(TypeInfo*)> ReleaseTypeInfo{table};
  // What a cast gives belongs to the type that was cast; what the others give is released.
  Slot<104, Status*(const TypeInfo*, const SequenceInfo**)> CastTypeInfoToSequenceInfo{table};
  Slot<107, Status*(const SequenceInfo*, TypeInfo**)> GetSequenceElementType{table};
  Slot<103, Status*(const TypeInfo*, const MapInfo**)> CastTypeInfoToMapInfo{table};
  Slot<105, Status*(const MapInfo*, int* element_type)> GetMapKeyType{table};
  Slot<106, Status*(const MapInfo*, TypeInfo**)> GetMapValueType{table};
  Slot<250, Status*(const TypeInfo*, const OptionalInfo**)> CastTypeInfoToOptionalInfo{table};
  Slot<251, Status*(const OptionalInfo*, TypeInfo**)> GetOptionalContainedTypeInfo{table};
  Slot<60, Status*(const TensorInfo*, int*)> GetTensorElementType{table};
  Slot<61, Status*(const TensorInfo*, std::size_t*)> GetDimensionsCount{table};
  Slot<62, Status*(const TensorInfo*, std::int64_t*, std::size_t)> GetDimensions{table};
  Slot<99, void(TensorInfo*)> ReleaseTensorInfo{table};

  Slot<39, Status*(RunOptions**)> CreateRunOptions{table};
  Slot<46, Status*(RunOptions*)> RunOptionsSetTerminate{table};
  Slot<47, Status*(RunOptions*)> RunOptionsUnsetTerminate{table};
  Slot<97, void(RunOptions*)> ReleaseRunOptions{table};
  Slot<9, Status*(Session*, const RunOptions*, const char* const* input_names,
                  const Value* const* inputs, std::size_t input_count,
                  const char* const* output_names, std::size_t output_count, Value** outputs)>
      Run{table};

  Slot<48,
       Status*(Allocator*, const std::int64_t* dims, std::size_t rank, int element_type, Value**)>
      CreateTensor{table};
  Slot<49, Status*(const MemoryInfo*, void* data, std::size_t bytes, const std::int64_t* dims,
                   std::size_t rank, int element_type, Value**)>
      CreateTensorWithData{table};
  Slot<51, Status*(Value*, void**)> GetTensorMutableData{table};
  // Of a sequence its elements, of a map 2: a tensor of keys and one of values.
  Slot<81, Status*(const Value*, std::size_t*)> GetValueCount{table};
  Slot<80, Status*(const Value*, int index, Allocator*, Value**)> GetValue{table};
  // Of an optional: 0 where it is empty.
  Slot<192, Status*(const Value*, int*)> HasValue{table};
  // Of all elements of a string tensor together.
  Slot<53, Status*(const Value*, std::size_t* bytes)> GetStringTensorDataLength{table};
  // All elements without anything between them, and where each begins.
  Slot<54, Status*(const Value*, void* to, std::size_t bytes, std::size_t* offsets,
                   std::size_t offset_count)>
      GetStringTensorContent{table};
  // The string's own memory, resized: what is written there may hold any bytes.
  Slot<252, Status*(Value*, std::size_t index, std::size_t bytes, char** buffer)>
      GetResizedStringTensorElementBuffer{table};
  Slot<65, Status*(const Value*, TensorInfo**)> GetTensorTypeAndShape{table};
  Slot<96, void(Value*)> ReleaseValue{table};

  Slot<69, Status*(int allocator_type, int memory_type, MemoryInfo**)> CreateCpuMemoryInfo{table};
  Slot<94, void(MemoryInfo*)> ReleaseMemoryInfo{table};
  Slot<76, Status*(Allocator*, void*)> AllocatorFree{table};
  // The default allocator belongs to the library and is never released.
  Slot<78, Status*(Allocator**)> GetAllocatorWithDefaultOptions{table};
};

// What the exported OrtGetApiBase() returns.
struct ApiBase {
  void* const* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};

}  // namespace penstock::ort_abi
