#include "preprocess/text/code_point_table.h"

#include <algorithm>
#include <map>
#include <utility>

namespace penstock::preprocess {

CodePointTable::CodePointTable(std::span<const std::uint32_t> values) {
  std::map<std::vector<std::uint32_t>, std::uint32_t> known;
  for (std::size_t first = 0; first < values.size(); first += kPageSize) {
    // Most pages equal the one before them.
    if (first > 0 && std::ranges::equal(values.subspan(first, kPageSize),
                                        values.subspan(first - kPageSize, kPageSize))) {
      pages_.push_back(pages_.back());
      continue;
    }
    const std::span<const std::uint32_t> page = values.subspan(first, kPageSize);
    const auto next = static_cast<std::uint32_t>(known.size());
    const auto [found, inserted] =
        known.try_emplace(std::vector<std::uint32_t>(page.begin(), page.end()), next);
    if (inserted) values_.insert(values_.end(), page.begin(), page.end());
    pages_.push_back(found->second);
  }
}

}  // namespace penstock::preprocess
