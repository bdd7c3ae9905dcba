// CHECK for our own bugs: always on, prints the operands and where, then aborts. What a peer or a
// file sent is never CHECKed; it gets a Status. DCHECK is for hot loops and vanishes in release.
#pragma once

#include <sstream>
#include <string>

namespace penstock::internal {

[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& operands);

template <typename A, typename B>
std::string Operands(const A& a, const B& b) {
  std::ostringstream out;
  out << " (" << +a << " vs " << +b << ")";
  return out.str();
}

}  // namespace penstock::internal

#define CHECK(condition)        \
  (static_cast<bool>(condition) \
       ? static_cast<void>(0)   \
       : ::penstock::internal::CheckFailed(__FILE__, __LINE__, #condition, ""))

#define PENSTOCK_CHECK_OP(a, op, b)                                                    \
  ((a)op(b) ? static_cast<void>(0)                                                     \
            : ::penstock::internal::CheckFailed(__FILE__, __LINE__, #a " " #op " " #b, \
                                                ::penstock::internal::Operands((a), (b))))
#define CHECK_EQ(a, b) PENSTOCK_CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) PENSTOCK_CHECK_OP(a, !=, b)
#define CHECK_LE(a, b) PENSTOCK_CHECK_OP(a, <=, b)
#define CHECK_LT(a, b) PENSTOCK_CHECK_OP(a, <, b)
#define CHECK_GE(a, b) PENSTOCK_CHECK_OP(a, >=, b)
#define CHECK_GT(a, b) PENSTOCK_CHECK_OP(a, >, b)

#ifdef NDEBUG
#define DCHECK(condition) static_cast<void>(0)
#else
#define DCHECK(condition) CHECK(condition)
#endif
