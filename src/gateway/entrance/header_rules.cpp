#include "gateway/entrance/header_rules.h"

#include <array>

#include "base/text.h"
#include "gateway/entrance/auth_key.h"
#include "providers/header_policy.h"

namespace llmgw::gateway {
namespace {

using http::Header;
using http::HeaderId;
using http::Headers;

template <bool (*Forward)(std::string_view)>
const std::bitset<http::kHeaderIds>& forwarded_ids() {
  static const auto kIds = [] {
    std::bitset<http::kHeaderIds> result;
    for (size_t i = 1; i < http::kHeaderIds; ++i) {
      const auto id = static_cast<HeaderId>(i);
      result[i] = Forward(http::header_name(id)) && !http::is_hop_by_hop(id);
    }
    return result;
  }();
  return kIds;
}

// A Connection header that names more than the usual makes those headers hop-by-hop.
bool connection_names_others(const Headers& headers) {
  if (!headers.has(HeaderId::connection)) return false;
  if (headers.repeated(HeaderId::connection)) return true;
  const std::string_view value = headers.value(HeaderId::connection);
  return !base::equals_ignoring_case(value, "keep-alive") && !base::equals_ignoring_case(value, "close");
}

bool names_match(const Header& header, std::string_view lower_name) {
  return base::equals_ignoring_case(header.name, lower_name);
}

bool replaced(const Header& header, const std::vector<providers::HeaderField>& fields) {
  for (const auto& field : fields) {
    if (names_match(header, field.name)) return true;
  }
  return false;
}

// Part of the WebSocket handshake (RFC 6455, section 4.1) that end points negotiate through us.
bool websocket_handshake(HeaderId id) {
  return id == HeaderId::sec_websocket_key || id == HeaderId::sec_websocket_version ||
         id == HeaderId::sec_websocket_protocol || id == HeaderId::sec_websocket_extensions ||
         id == HeaderId::sec_websocket_accept;
}

}  // namespace

bool upstream_request_headers(const Headers& from, const providers::Upstream& upstream, std::string_view request_id,
                              bool websocket, base::Arena& arena, Headers& to) {
  const auto& forwarded = forwarded_ids<providers::forward_request_header>();
  const bool check_connection = connection_names_others(from);
  for (const Header& header : from) {
    const bool known = header.id != HeaderId::other;
    const bool pass =
        known ? forwarded[static_cast<size_t>(header.id)] : providers::forward_request_header(header.name);
    if (header.id == HeaderId::x_request_id) continue;
    if (!pass && !(websocket && websocket_handshake(header.id))) continue;
    if (check_connection && http::named_in_connection(from, header.name)) continue;
    if (replaced(header, upstream.set_headers)) continue;
    Header passed = header;
    if (header.id == HeaderId::sec_websocket_protocol) {
      passed.value = strip_key_from_protocols(header.value, arena);
      if (passed.value.empty()) continue;
    }
    if (!to.append(passed)) return false;
  }
  for (const auto& field : upstream.set_headers) {
    if (!to.append(field.name, field.value.reveal())) return false;
  }
  for (const auto& field : upstream.default_headers) {
    if (to.find(field.name) == nullptr && !to.append(field.name, field.value.reveal())) return false;
  }
  return to.has(HeaderId::x_request_id) || to.append(HeaderId::x_request_id, request_id);
}

bool converted_request_headers(const Headers& from, const providers::Upstream& upstream, std::string_view request_id,
                               bool streams, Headers& to) {
  constexpr std::array<std::string_view, 4> kPassed{"traceparent", "tracestate", "baggage", "idempotency-key"};
  if (!to.append(HeaderId::content_type, "application/json")) return false;
  if (!to.append("accept", streams ? "text/event-stream, application/json" : "application/json")) return false;
  for (const std::string_view name : kPassed) {
    const Header* const header = from.find(name);
    if (header != nullptr && !replaced(*header, upstream.set_headers) && !to.append(name, header->value)) return false;
  }
  for (const auto* fields : {&upstream.set_headers, &upstream.default_headers}) {
    for (const auto& field : *fields) {
      if (to.find(field.name) == nullptr && !to.append(field.name, field.value.reveal())) return false;
    }
  }
  return to.has(HeaderId::x_request_id) || to.append(HeaderId::x_request_id, request_id);
}

bool client_response_headers(const Headers& from, std::string_view request_id, Headers& to) {
  const auto& forwarded = forwarded_ids<providers::forward_response_header>();
  const bool check_connection = connection_names_others(from);
  for (const Header& header : from) {
    if (header.id == HeaderId::x_request_id) {
      if (!to.append(kUpstreamRequestIdHeader, header.value)) return false;
      continue;
    }
    const bool known = header.id != HeaderId::other;
    const bool pass =
        known ? forwarded[static_cast<size_t>(header.id)] : providers::forward_response_header(header.name);
    if (!pass && !websocket_handshake(header.id)) continue;
    if (check_connection && http::named_in_connection(from, header.name)) continue;
    if (!to.append(header)) return false;
  }
  return to.append(HeaderId::x_request_id, request_id);
}

}  // namespace llmgw::gateway
