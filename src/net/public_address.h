// Which addresses are the public internet's: the guard of everything that fetches what a client names (server-side
// request forgery). By the IANA special-purpose registries (RFC 6890 and its updates, as of 2026-08). Any thread.
#pragma once

#include <memory>

#include "net/address.h"
#include "net/resolver.h"

namespace llmgw::net {

// False for loopback, private, link-local (cloud metadata), shared, multicast, reserved, documentation and benchmark
// ranges, for IPv6 forms that hold such an IPv4 address (mapped, NAT64, 6to4, Teredo), and for unix sockets.
bool is_public(const Address& address);

// Resolves by another resolver and leaves the addresses out that are not public; permission: none was left. `inner`
// must outlive it.
std::unique_ptr<Resolver> make_public_resolver(Resolver& inner);

}  // namespace llmgw::net
