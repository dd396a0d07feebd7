// A request whose head could not be read: there is no path to tell the dialect from, no key and no body. It is answered
// in OpenAI's shape, with a request id, and settled like any other: counters and one line in the access log. The
// worker's thread.
#pragma once

#include "gateway/worker.h"
#include "http/exchange.h"

namespace llmgw::gateway {

http::MalformedAnswer answer_malformed(Worker& worker, const http::MalformedRequest& request);

// Counts a connection that its client has spoilt, with a line at level debug.
void note_connection_fault(Worker& worker, http::ConnectionFault fault, const base::Error& error,
                           const net::Address& peer);

}  // namespace llmgw::gateway
