#include "store/redis/redis_url.h"

#include "base/text.h"

namespace llmgw::store {

std::expected<RedisAddress, std::string> parse_redis_url(std::string_view url) {
  RedisAddress address;
  const auto fail = [](const char* what) { return std::unexpected(std::string(what)); };
  if (url.starts_with("unix:/")) {
    address.unix_path = url.substr(5);
    return address;
  }
  if (url.starts_with("rediss://")) {
    address.tls = true;
    url.remove_prefix(9);
  } else if (url.starts_with("redis://")) {
    url.remove_prefix(8);
  } else {
    return fail("must start with redis://, rediss:// or unix:/");
  }
  if (const size_t slash = url.find('/'); slash != std::string_view::npos) {
    const std::string_view number = url.substr(slash + 1);
    const auto database = number.empty() ? std::optional<uint64_t>(0) : base::parse_decimal(number);
    if (!database || *database > 65'535) return fail("behind the host stands the number of a database, as in /0");
    address.database = static_cast<uint32_t>(*database);
    url = url.substr(0, slash);
  }
  if (const size_t at = url.rfind('@'); at != std::string_view::npos) {
    const std::string_view credential = url.substr(0, at);
    const size_t colon = credential.find(':');
    const auto user = base::percent_decode(credential.substr(0, colon));
    const auto password =
        base::percent_decode(colon == std::string_view::npos ? std::string_view() : credential.substr(colon + 1));
    if (!user || !password) return fail("has a broken escape in its user or password");
    address.user = *user;
    address.password = base::Secret(*password);
    url = url.substr(at + 1);
  }
  std::string_view port;
  if (url.starts_with('[')) {
    const size_t end = url.find(']');
    if (end == std::string_view::npos) return fail("has an IPv6 address without its ']'");
    address.host = url.substr(1, end - 1);
    port = url.substr(end + 1);
  } else {
    address.host = url.substr(0, url.find(':'));
    port = url.substr(address.host.size());
  }
  if (address.host.empty()) return fail("names no host");
  if (port.empty()) return address;
  const auto number = port.starts_with(':') ? base::parse_decimal(port.substr(1)) : std::nullopt;
  if (!number || *number == 0 || *number > 65'535) return fail("has a port that is none");
  address.port = static_cast<uint16_t>(*number);
  return address;
}

}  // namespace llmgw::store
