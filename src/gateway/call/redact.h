// Providers repeat credentials in their error messages ("incorrect API key provided: sk-..."), and proxies in front of
// them the addresses of what they could not reach. Those are the operator's and must not reach a client. Pure; one
// thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "chat/list.h"
#include "providers/upstream.h"

namespace llmgw::gateway {

// What must not be shown of a connection. Views point into it, or into the arena.
struct Secrets {
  chat::List<std::string_view> credentials;
  chat::List<std::string_view> encoded;  // what base64 text has where a credential stands in it, wherever that begins
  chat::List<std::string_view> hosts;    // as the authority has it, and without the port
};

enum class Redaction : uint8_t {
  everything,
  credentials,  // where the words are the model's or the client's own: these may well name a host
};

// `token`: the access token that the call was sent with; empty if it was none.
Secrets secrets_of(const providers::Upstream& upstream, std::string_view token, base::Arena& arena);

// `text` with each secret replaced, also where it is written with percent signs, with the escapes of JSON or HTML, or
// in base64 ("Basic ..."); and each IP address that is not the public internet's. `text` itself where there is nothing
// of the kind in it, else a copy in the arena. For errors: it takes a pass for every secret.
std::string_view redact(std::string_view text, const Secrets& secrets, base::Arena& arena,
                        Redaction redaction = Redaction::everything);

// Whether redact() would change it.
bool shows_any(std::string_view text, const Secrets& secrets, Redaction redaction = Redaction::everything);

}  // namespace llmgw::gateway
