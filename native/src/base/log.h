// Log lines for operators, as text or JSON, to one descriptor. Any thread; never on the path of a
// call that succeeds. A field never holds tensor contents.
#pragma once

#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

namespace penstock {

enum class LogSeverity { kDebug, kInfo, kWarning, kError };

struct LogField {
  std::string_view name;
  std::string value;
};

class Logger final {
 public:
  struct Options {
    LogSeverity severity_min = LogSeverity::kInfo;
    bool json = false;
    int fd = 2;
  };
  explicit Logger(const Options& options) : options_(options) {}
  Logger(const Logger&) = delete;
  Logger& operator=(const Logger&) = delete;

  using Fields = std::initializer_list<LogField>;
  void Debug(std::string_view message, Fields f = {}) { Write(LogSeverity::kDebug, message, f); }
  void Info(std::string_view message, Fields f = {}) { Write(LogSeverity::kInfo, message, f); }
  void Warning(std::string_view message, Fields f = {}) {
    Write(LogSeverity::kWarning, message, f);
  }
  void Error(std::string_view message, Fields f = {}) { Write(LogSeverity::kError, message, f); }

 private:
  void Write(LogSeverity severity, std::string_view message, Fields fields);

  const Options options_;
  std::mutex mu_;  // one line leaves whole
};

}  // namespace penstock
