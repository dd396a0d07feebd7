#include "gateway/entrance/auth_key.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace llmgw::gateway {
namespace {

constexpr KeyRefusal kMissing{KeyProblem::missing,
                              "No API key: send it as 'Authorization: Bearer <key>', 'x-api-key', 'api-key', "
                              "'x-goog-api-key' or the query parameter 'key'."};
constexpr KeyRefusal kAmbiguous{KeyProblem::ambiguous,
                                "The request carries different API keys in several places: send one, or the same one."};
constexpr KeyRefusal kMalformed{KeyProblem::malformed, "The API key is too long or contains bytes that no key has."};
constexpr KeyRefusal kOtherScheme{KeyProblem::malformed, "The Authorization header is not of the form 'Bearer <key>'."};

bool well_formed(std::string_view key) {
  return key.size() <= kKeyBytesMax &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

// What follows "Bearer" and its spaces; nothing for another scheme.
std::optional<std::string_view> bearer(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer";
  authorization = base::trim(authorization);
  if (authorization.size() <= kScheme.size() ||
      !base::equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  const char separator = authorization[kScheme.size()];
  if (separator != ' ' && separator != '\t') return std::nullopt;
  return base::trim(authorization.substr(kScheme.size()));
}

// Takes the first parameter off `query`.
std::string_view next_parameter(std::string_view& query) {
  const size_t end = query.find('&');
  const std::string_view parameter = query.substr(0, end);
  query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  return parameter;
}

bool is_key_parameter(std::string_view parameter) {
  constexpr std::string_view kName = "key";
  const std::string_view name = parameter.substr(0, parameter.find('='));
  if (name == kName) return true;
  if (name.find('%') == std::string_view::npos || name.size() > kName.size() * 3) return false;
  return base::percent_decode(name) == kName;
}

class Finder {
 public:
  explicit Finder(base::Arena& arena) : arena_(arena) {}

  void add(std::string_view key) {
    key = base::trim(key);
    if (key.empty() || refusal_ != nullptr) return;
    if (!well_formed(key)) {
      refusal_ = &kMalformed;
    } else if (!key_.empty() && key_ != key) {
      refusal_ = &kAmbiguous;
    } else {
      key_ = key;
    }
  }

  void add_query(std::string_view query) {
    while (!query.empty()) {
      const std::string_view parameter = next_parameter(query);
      if (!is_key_parameter(parameter)) continue;
      const size_t equals = parameter.find('=');
      if (equals == std::string_view::npos) continue;
      std::string_view value = parameter.substr(equals + 1);
      if (value.find('%') != std::string_view::npos) {
        const auto decoded = value.size() <= 3 * kKeyBytesMax ? base::percent_decode(value) : std::nullopt;
        if (!decoded) {
          refusal_ = &kMalformed;
          return;
        }
        value = arena_.copy(*decoded);
      }
      add(value);
    }
  }

  bool found() const { return !key_.empty() || refusal_ != nullptr; }
  std::expected<std::string_view, KeyRefusal> result() const {
    if (refusal_ != nullptr) return std::unexpected(*refusal_);
    if (key_.empty()) return std::unexpected(kMissing);
    return key_;
  }

 private:
  base::Arena& arena_;
  std::string_view key_;
  const KeyRefusal* refusal_ = nullptr;
};

}  // namespace

std::expected<std::string_view, KeyRefusal> find_key(const KeySources& sources, base::Arena& arena) {
  Finder finder(arena);
  const auto token = bearer(sources.authorization);
  if (token) finder.add(*token);
  finder.add(sources.x_api_key);
  finder.add(sources.api_key);
  finder.add(sources.x_goog_api_key);
  if (!sources.query.empty()) finder.add_query(sources.query);
  if (!finder.found() && !token && !base::trim(sources.authorization).empty()) return std::unexpected(kOtherScheme);
  return finder.result();
}

std::string strip_key_from_query(std::string_view query) {
  std::string rest;
  rest.reserve(query.size());
  bool first = true;
  while (!query.empty()) {
    const std::string_view parameter = next_parameter(query);
    if (is_key_parameter(parameter)) continue;
    if (!first) rest += '&';
    rest += parameter;
    first = false;
  }
  return rest;
}

bool query_has_key(std::string_view query) {
  while (!query.empty()) {
    if (is_key_parameter(next_parameter(query))) return true;
  }
  return false;
}

std::string_view websocket_protocol_key(std::string_view protocols) {
  while (!protocols.empty()) {
    const size_t comma = protocols.find(',');
    const std::string_view member = base::trim(protocols.substr(0, comma));
    if (member.starts_with(kWebSocketKeyPrefix)) return member.substr(kWebSocketKeyPrefix.size());
    protocols = comma == std::string_view::npos ? std::string_view{} : protocols.substr(comma + 1);
  }
  return {};
}

std::string_view strip_key_from_protocols(std::string_view protocols, base::Arena& arena) {
  if (protocols.find(kWebSocketKeyPrefix) == std::string_view::npos) return protocols;
  std::string kept;
  while (!protocols.empty()) {
    const size_t comma = protocols.find(',');
    const std::string_view member = base::trim(protocols.substr(0, comma));
    if (!member.empty() && !member.starts_with(kWebSocketKeyPrefix)) {
      if (!kept.empty()) kept += ", ";
      kept += member;
    }
    protocols = comma == std::string_view::npos ? std::string_view{} : protocols.substr(comma + 1);
  }
  return arena.copy(kept);
}

}  // namespace llmgw::gateway
