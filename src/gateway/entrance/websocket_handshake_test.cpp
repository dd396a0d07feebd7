#include "gateway/entrance/websocket_handshake.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";

struct Asked {
  std::string_view upgrade = "websocket";
  std::string_view version = "13";
  std::string_view key = kKey;
  std::string_view second_key = {};
};

// The status of the refusal, 0 for none.
int refusal_of(const Asked& asked) {
  http::RequestHead head;
  head.upgrade = asked.upgrade;
  if (!asked.version.empty()) head.headers.append("sec-websocket-version", asked.version);
  if (!asked.key.empty()) head.headers.append("sec-websocket-key", asked.key);
  if (!asked.second_key.empty()) head.headers.append("sec-websocket-key", asked.second_key);
  const auto checked = check_websocket_handshake(head);
  return checked ? 0 : checked.error().status;
}

TEST(WebSocketHandshake, OfThisProtocolInItsOnlyVersion) {
  EXPECT_EQ(refusal_of({}), 0);
  EXPECT_EQ(refusal_of({.upgrade = "WebSocket"}), 0);
  EXPECT_EQ(refusal_of({.upgrade = "h2c, websocket"}), 0);
  for (const std::string_view other : {"", "h2c", "websocketx", "TLS/1.0"}) {
    EXPECT_EQ(refusal_of({.upgrade = other}), 426) << other;
  }
  for (const std::string_view version : {"", "8", "130", "13, 8"}) {
    EXPECT_EQ(refusal_of({.version = version}), 426) << version;
  }
}

TEST(WebSocketHandshake, ItsKeyIsSixteenBytes) {
  EXPECT_EQ(refusal_of({.key = "x3JJHMbDL1EzLkh9GBhXDw=="}), 0);
  for (const std::string_view key :
       {"", "k", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZSEh", "!!!!!!!!!!!!!!!!!!!!!!=="}) {
    EXPECT_EQ(refusal_of({.key = key}), 400) << key;
  }
  EXPECT_EQ(refusal_of({.second_key = kKey}), 400);
}

TEST(WebSocketHandshake, ARefusalSaysWhatIsSpoken) {
  http::Headers headers;
  offer_websocket(headers);
  EXPECT_EQ(headers.value(http::HeaderId::upgrade), "websocket");
  EXPECT_EQ(headers.value(http::HeaderId::connection), "upgrade");
  EXPECT_EQ(headers.value(http::HeaderId::sec_websocket_version), "13");
}

}  // namespace
}  // namespace llmgw::gateway
