// Who is calling, for the log: the peer, or whom a trusted reverse proxy says it speaks for (X-Forwarded-For). Pure;
// any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "control/address.h"
#include "net/address.h"

namespace llmgw::gateway {

// The rightmost address of `forwarded_for` that is not a trusted proxy, if the peer is one; else the peer's. What a
// client writes into the header itself stands further left and is never reached. A word that is no address ends the
// walk: then the last trusted hop is the answer.
std::string client_address(const net::Address& peer, std::string_view forwarded_for,
                           std::span<const control::Network> trusted);

}  // namespace llmgw::gateway
