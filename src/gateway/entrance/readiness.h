// What /ready says beside that a gateway is ready: something of what it should serve is missing. Any thread.
#pragma once

#include <atomic>

namespace llmgw::gateway {

class Readiness {
 public:
  // A sentence that lives as long as the program and tells nobody a secret, since anybody may ask. Null: nothing is.
  void warn(const char* text) { warning_.store(text, std::memory_order_relaxed); }
  const char* warning() const { return warning_.load(std::memory_order_relaxed); }

 private:
  std::atomic<const char*> warning_ = nullptr;
};

}  // namespace llmgw::gateway
