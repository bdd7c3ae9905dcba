// A thread that starts with every signal blocked (signals belong to the main thread's sigwait) and
// with a name that shows in the system's tools. Joined by its owner, always.
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace penstock {

// `nice` > 0 lowers the thread's priority below the others of this process.
std::thread StartThread(const std::string& name, int nice, std::function<void()> body);

}  // namespace penstock
