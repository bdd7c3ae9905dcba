// Owns what has threads, for Python. A forked child has the object but none of its threads: there
// every use raises, and nothing is destroyed, since joining would wait for ever.
#pragma once

#include <pthread.h>
#include <pybind11/pybind11.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace penstock::binding {

// How often this process is a fork of a fork. Asking for the process id instead would be a system
// call for every use.
class ForkGeneration final {
 public:
  static int Current() { return generation_; }
  // Once, when the module is made.
  static void Watch() {
    pthread_atfork(nullptr, nullptr, [] { ++generation_; });
  }

 private:
  // Written by a child that has one thread yet, read by any.
  static inline int generation_ = 0;
};

template <typename T>
class ForkGuarded final {
 public:
  // `what`, "the server", is for the message.
  ForkGuarded(std::unique_ptr<T> owned, const char* what)
      : owned_(std::move(owned)), what_(what), generation_(ForkGeneration::Current()) {}
  ForkGuarded(const ForkGuarded&) = delete;
  ForkGuarded& operator=(const ForkGuarded&) = delete;
  // Needs the GIL, and lets it go while what is owned ends.
  ~ForkGuarded() {
    if (!in_owner()) {
      static_cast<void>(owned_.release());
      return;
    }
    const pybind11::gil_scoped_release release;
    owned_.reset();
  }

  bool in_owner() const { return generation_ == ForkGeneration::Current(); }
  T& Get() const {
    if (!in_owner()) {
      throw std::runtime_error(std::string(what_) + " belongs to the process that forked this one");
    }
    return *owned_;
  }

 private:
  std::unique_ptr<T> owned_;
  const char* const what_;
  const int generation_;
};

// The text of `owner`, made without the GIL: it may be long.
template <typename Owner>
pybind11::bytes MetricsText(Owner& owner) {
  std::string text;
  {
    const pybind11::gil_scoped_release release;
    text = owner.metrics_text();
  }
  return pybind11::bytes(text);
}

}  // namespace penstock::binding
