// The store of the Responses API, opened when the first call needs it: most gateways never do. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "store/responses_store.h"

namespace llmgw::gateway {

class SharedResponses {
 public:
  // `path` of the database; before the first get().
  void set_path(std::string path) { path_ = std::move(path); }
  // Null if it cannot be opened (tried once); opening takes some milliseconds of the caller's.
  store::ResponsesStore* get() {
    std::call_once(opened_, [this] {
      if (path_.empty()) return;
      auto store = store::ResponsesStore::open({.path = path_});
      if (store) store_ = std::move(*store);
    });
    return store_.get();
  }
  // Finishes what was told it. The loops of those who asked must still live, their threads must have ended.
  void close() { store_.reset(); }

 private:
  std::string path_;
  std::once_flag opened_;
  std::unique_ptr<store::ResponsesStore> store_;
};

}  // namespace llmgw::gateway
