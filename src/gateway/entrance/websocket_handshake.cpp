#include "gateway/entrance/websocket_handshake.h"

#include <array>

#include "base/base64.h"

namespace llmgw::gateway {
namespace {

using chat::ErrorKind;
using http::HeaderId;

constexpr std::string_view kProtocol = "websocket";
constexpr std::string_view kVersion = "13";  // the only one there is
constexpr size_t kKeyBytes = 16;

std::unexpected<chat::ClientError> refused(std::string_view message, int status) {
  return std::unexpected(chat::ClientError{.kind = ErrorKind::invalid_request, .message = message, .status = status});
}

bool is_key(std::string_view text) {
  std::array<char, base::base64_size(kKeyBytes)> bytes{};
  return text.size() == bytes.size() && base::base64_decode(text, bytes.data()) == kKeyBytes;
}

}  // namespace

dialects::Outcome<void> check_websocket_handshake(const http::RequestHead& head) {
  if (!http::list_contains(head.upgrade, kProtocol)) {
    return refused("this endpoint speaks WebSocket: send an Upgrade: websocket request", kUpgradeRequired);
  }
  const auto once = [&](HeaderId id) {
    return head.headers.repeated(id) ? std::string_view() : head.headers.value(id);
  };
  if (once(HeaderId::sec_websocket_version) != kVersion) {
    return refused("this endpoint speaks WebSocket version 13: send Sec-WebSocket-Version: 13", kUpgradeRequired);
  }
  if (!is_key(once(HeaderId::sec_websocket_key))) {
    return refused("Sec-WebSocket-Key must be there once, with 16 bytes in Base64", 400);
  }
  return {};
}

void offer_websocket(http::Headers& headers) {
  headers.append(HeaderId::upgrade, kProtocol);
  headers.append(HeaderId::connection, "upgrade");
  headers.append(HeaderId::sec_websocket_version, kVersion);
}

}  // namespace llmgw::gateway
