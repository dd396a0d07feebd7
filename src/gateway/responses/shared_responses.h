// The store of the Responses API, made when the first call needs it: most gateways never do. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "gateway/responses/response_makers.h"
#include "store/responses_store.h"

namespace llmgw::gateway {

class SharedResponses {
 public:
  using Connect = std::function<base::Result<std::unique_ptr<store::SqlSession>>()>;

  // How to reach the database, and where waits what it cannot take; before the first get(). What an earlier process
  // left there is saved at once.
  void set_database(Connect connect, std::string spool_directory) {
    connect_ = std::move(connect);
    spool_directory_ = std::move(spool_directory);
    if (!store::spool_files(spool_directory_).empty()) (void)get();
  }
  // Null if there is none. Does not wait: the store's thread connects.
  store::ResponsesStore* get() {
    std::call_once(made_, [this] {
      if (connect_)
        store_ = std::make_unique<store::ResponsesStore>(
            store::ResponsesStore::Settings{.connect = connect_, .spool_directory = spool_directory_});
    });
    return store_.get();
  }
  // Of what providers keep.
  ResponseMakers& makers() { return makers_; }
  // Finishes what was told it. The loops of those who asked must still live, their threads must have ended.
  void close() { store_.reset(); }

 private:
  Connect connect_;
  std::string spool_directory_;
  ResponseMakers makers_;  // the store saves out of it
  std::once_flag made_;
  std::unique_ptr<store::ResponsesStore> store_;
};

}  // namespace llmgw::gateway
