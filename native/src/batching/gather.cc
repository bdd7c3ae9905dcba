#include "batching/gather.h"

#include <algorithm>
#include <cstring>

namespace penstock {
namespace {

using Members = std::span<const std::span<const TensorView>>;

// Kernels may read whole elements; a request's bytes can stand anywhere.
bool Aligned(const TensorView& view) {
  const std::size_t size = DataTypeSize(view.dtype);
  return size == 0 || reinterpret_cast<std::uintptr_t>(view.data.data()) % size == 0;
}

bool StandsInOnePiece(Members members, std::size_t index) {
  for (std::size_t i = 1; i < members.size(); ++i) {
    const std::span<const std::byte> before = members[i - 1][index].data;
    if (before.data() + before.size() != members[i][index].data.data()) return false;
  }
  return Aligned(members.front()[index]);
}

std::size_t SizeOf(Members members, std::size_t index) {
  std::size_t size = 0;
  for (const std::span<const TensorView> member : members) size += member[index].data.size();
  return size;
}

std::span<const std::byte> Concatenate(Members members, std::size_t index, TensorArena& arena) {
  const std::span<std::byte> memory = arena.Get(SizeOf(members, index));
  std::byte* to = memory.data();
  for (const std::span<const TensorView> member : members) {
    const std::span<const std::byte> data = member[index].data;
    if (!data.empty()) std::memcpy(to, data.data(), data.size());
    to += data.size();
  }
  return memory;
}

std::byte* Fill(std::byte* to, std::size_t count, const std::array<std::byte, 8>& element,
                std::size_t element_size) {
  const std::size_t size = count * element_size;
  if (std::ranges::all_of(element, [](std::byte byte) { return byte == std::byte{0}; })) {
    if (size > 0) std::memset(to, 0, size);
    return to + size;
  }
  for (std::byte* const end = to + size; to < end; to += element_size) {
    std::memcpy(to, element.data(), element_size);
  }
  return to;
}

std::size_t Product(std::span<const std::int64_t> dims) {
  std::size_t product = 1;
  for (const std::int64_t dim : dims) product *= static_cast<std::size_t>(dim);
  return product;
}

// Each row brought to `length` along the axis.
std::byte* CopyPadded(const TensorView& from, const RaggedInput& ragged, std::int64_t length,
                      std::byte* to) {
  const std::span<const std::int64_t> dims = from.shape.dims();
  const std::size_t element_size = DataTypeSize(from.dtype);
  const std::size_t inner = Product(dims.subspan(ragged.axis + 1));
  const std::size_t own = static_cast<std::size_t>(dims[ragged.axis]) * inner;
  const std::size_t padding = static_cast<std::size_t>(length) * inner - own;
  const std::byte* row = from.data.data();
  for (std::size_t rows = Product(dims.first(ragged.axis)); rows > 0; --rows) {
    if (ragged.before) to = Fill(to, padding, ragged.pad, element_size);
    if (from.data.empty()) {
      to = Fill(to, own, ragged.one, element_size);
    } else {
      std::memcpy(to, row, own * element_size);
      row += own * element_size;
      to += own * element_size;
    }
    if (!ragged.before) to = Fill(to, padding, ragged.pad, element_size);
  }
  return to;
}

// `shape` is that of all of them together.
std::span<const std::byte> Pad(Members members, const RaggedInput& ragged, const Shape& shape,
                               TensorArena& arena) {
  const std::size_t element_size = DataTypeSize(members.front()[ragged.index].dtype);
  const std::span<std::byte> memory = arena.Get(Product(shape.dims()) * element_size);
  // However many rows there are of nothing.
  if (memory.empty()) return memory;
  std::byte* to = memory.data();
  for (const std::span<const TensorView> member : members) {
    to = CopyPadded(member[ragged.index], ragged, shape[ragged.axis], to);
  }
  return memory;
}

// Whether an input has to be made although there is nothing to pad.
bool LeftOut(Members members, const RaggedInput& ragged) {
  return ragged.mask && std::ranges::any_of(members, [&ragged](std::span<const TensorView> member) {
           return member[ragged.index].data.empty();
         });
}

}  // namespace

Gathered Gatherer::Gather(Members members, const Ragged* ragged, TensorArena& arena) {
  const std::span<const TensorView> first = members.front();
  inputs_.assign(first.begin(), first.end());
  Gathered gathered = {.inputs = inputs_};
  if (ragged != nullptr) {
    std::int64_t own = 0;
    std::int64_t rows = 0;
    for (const std::span<const TensorView> member : members) {
      const std::int64_t length = ragged->LengthOf(member);
      const std::int64_t member_rows = member[ragged->inputs.front().index].shape[0];
      gathered.length = std::max(gathered.length, length);
      own += member_rows * length;
      rows += member_rows;
    }
    gathered.elements = rows * gathered.length;
    gathered.padding = gathered.elements - own;
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    TensorView& input = inputs_[i];
    if (members.size() > 1) {
      std::int64_t rows = 0;
      for (const std::span<const TensorView> member : members) rows += member[i].shape[0];
      input.shape.Set(0, rows);
    }
    const RaggedInput* const here = ragged == nullptr ? nullptr : ragged->Find(i);
    if (here != nullptr && (gathered.padding > 0 || LeftOut(members, *here))) {
      input.shape.Set(here->axis, gathered.length);
      input.data = Pad(members, *here, input.shape, arena);
    } else if (!StandsInOnePiece(members, i)) {
      input.data = Concatenate(members, i, arena);
    } else if (members.size() > 1) {
      input.data = {input.data.data(), SizeOf(members, i)};
    }
  }
  return gathered;
}

}  // namespace penstock
