// What a worker hands over to administration: requests for paths that are not the data plane's. Implemented in admin/;
// every worker calls it, each on its own loop.
#pragma once

#include <string_view>

#include "control/snapshot.h"
#include "http/exchange.h"
#include "net/task.h"

namespace llmgw::gateway {

class AdminEntrance {
 public:
  virtual ~AdminEntrance() = default;
  virtual bool owns(std::string_view path) const = 0;
  // Reads the request's body, if it wants it, and answers.
  virtual net::Task<void> handle(http::ServerExchange& exchange, const control::Snapshot& snapshot) = 0;
};

}  // namespace llmgw::gateway
