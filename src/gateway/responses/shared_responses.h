// The store of the Responses API, made when the first call needs it: most gateways never do. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

#include "store/responses_store.h"

namespace llmgw::gateway {

class SharedResponses {
 public:
  using Connect = std::function<base::Result<std::unique_ptr<store::SqlSession>>()>;

  // How to reach the database; before the first get().
  void set_database(Connect connect) { connect_ = std::move(connect); }
  // Null if there is none. Does not wait: the store's thread connects.
  store::ResponsesStore* get() {
    std::call_once(made_, [this] {
      if (connect_)
        store_ = std::make_unique<store::ResponsesStore>(store::ResponsesStore::Settings{.connect = connect_});
    });
    return store_.get();
  }
  // Finishes what was told it. The loops of those who asked must still live, their threads must have ended.
  void close() { store_.reset(); }

 private:
  Connect connect_;
  std::once_flag made_;
  std::unique_ptr<store::ResponsesStore> store_;
};

}  // namespace llmgw::gateway
