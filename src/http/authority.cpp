#include "http/authority.h"

#include <algorithm>

#include "base/text.h"
#include "http/h1_grammar.h"

namespace llmgw::http {

namespace {

constexpr size_t kPortDigitsMax = 5;
constexpr uint64_t kPortMax = 65535;
constexpr size_t kShortestIpv6 = 2;  // "::"

bool valid_port(std::string_view port) {
  const auto number = base::parse_decimal(port);
  return port.size() <= kPortDigitsMax && number.has_value() && *number <= kPortMax;
}

bool is_ipv6_character(char c) {
  const char lower = base::to_lower(c);
  return base::is_digit(c) || (lower >= 'a' && lower <= 'f') || c == ':' || c == '.';
}

}  // namespace

bool valid_authority(std::string_view authority) {
  size_t host_end = 0;
  if (authority.starts_with('[')) {
    host_end = authority.find(']');
    if (host_end == std::string_view::npos || host_end < 1 + kShortestIpv6) return false;
    if (!std::ranges::all_of(authority.substr(1, host_end - 1), is_ipv6_character)) return false;
    ++host_end;
  } else {
    host_end = std::min(authority.find(':'), authority.size());
    if (host_end == 0 || !grammar::all(authority.substr(0, host_end), grammar::kHostName)) return false;
  }
  if (host_end == authority.size()) return true;
  return authority[host_end] == ':' && valid_port(authority.substr(host_end + 1));
}

}  // namespace llmgw::http
