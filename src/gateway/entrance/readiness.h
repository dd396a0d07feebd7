// What /ready says beside that the process is ready: something of what it should serve is missing. The whole process's;
// any thread.
#pragma once

#include <atomic>

namespace llmgw::gateway {

inline std::atomic<const char*> ready_warning = nullptr;  // null: nothing is

// A sentence that lives as long as the process and tells nobody a secret: anybody may ask.
inline void set_ready_warning(const char* text) {
  ready_warning.store(text, std::memory_order_relaxed);
}

}  // namespace llmgw::gateway
