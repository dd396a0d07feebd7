// The data plane's entrance: every request of a worker comes here. See call.h for the way of one request.
#pragma once

#include <memory>

#include "http/exchange.h"

namespace llmgw::gateway {

class Worker;

// The handler of one worker; the worker must outlive it.
std::unique_ptr<http::RequestHandler> make_handler(Worker& worker);

}  // namespace llmgw::gateway
