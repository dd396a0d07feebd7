// What a call of a WebSocket endpoint has to bring (RFC 6455, section 4.2.1), looked at before a provider is asked: its
// answer is the client's handshake, and the one asked for is a WebSocket's whatever the client asked for. Pure; any
// thread.
#pragma once

#include <string_view>

#include "dialects/codec.h"
#include "http/message.h"

namespace llmgw::gateway {

inline constexpr int kUpgradeRequired = 426;

// 426 if it asks for another protocol, or another version of this one; 400 if its key is none. Messages are static.
dialects::Outcome<void> check_websocket_handshake(const http::RequestHead& head);

// What a 426 has to offer (RFC 9110, section 15.5.22; RFC 6455, section 4.4).
void offer_websocket(http::Headers& headers);

}  // namespace llmgw::gateway
