#include "providers/vendor.h"

#include <array>
#include <cassert>
#include <cstring>

#include "base/text.h"

namespace llmgw::providers {
namespace {

// Parameters that carry a client's credential: they are the gateway's business and never go upstream.
constexpr std::array<std::string_view, 5> kCredentialParameters = {"key", "api_key", "api-key", "access_token",
                                                                   "oauth_token"};

int hex_digit(char c) {
  if (base::is_digit(c)) return c - '0';
  const char lower = base::to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Whether the percent-encoded `encoded` stands for `plain`.
bool decodes_to(std::string_view encoded, std::string_view plain) {
  size_t matched = 0;
  for (size_t i = 0; i < encoded.size(); ++i, ++matched) {
    char c = encoded[i];
    if (c == '%' && encoded.size() - i > 2 && hex_digit(encoded[i + 1]) >= 0 && hex_digit(encoded[i + 2]) >= 0) {
      c = static_cast<char>(hex_digit(encoded[i + 1]) * 16 + hex_digit(encoded[i + 2]));
      i += 2;
    }
    if (matched == plain.size() || c != plain[matched]) return false;
  }
  return matched == plain.size();
}

bool is_credential(std::string_view name) {
  for (auto credential : kCredentialParameters) {
    if (decodes_to(name, credential)) return true;
  }
  return false;
}

template <class Visit>
void for_each_parameter(std::string_view query, Visit visit) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const auto parameter = query.substr(0, end);
    if (!parameter.empty()) visit(parameter, parameter.substr(0, parameter.find('=')));
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
  }
}

}  // namespace

TargetWriter& TargetWriter::add(std::string_view text) {
  assert(size_ + text.size() <= buffer_.size());
  if (!text.empty()) std::memcpy(buffer_.data() + size_, text.data(), text.size());
  size_ += text.size();
  return *this;
}

TargetWriter& TargetWriter::add_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  assert(size_ + 3 * text.size() <= buffer_.size());
  for (char c : text) {
    const char lower = base::to_lower(c);
    if ((lower >= 'a' && lower <= 'z') || base::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      buffer_[size_++] = c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      buffer_[size_++] = '%';
      buffer_[size_++] = kHex[byte >> 4];
      buffer_[size_++] = kHex[byte & 15];
    }
  }
  return *this;
}

TargetWriter& TargetWriter::add_query(std::string_view query, std::initializer_list<std::string_view> drop) {
  for_each_parameter(query, [&](std::string_view parameter, std::string_view name) {
    if (is_credential(name)) return;
    for (auto each : drop) {
      if (decodes_to(name, each)) return;
    }
    add(has_query_ ? "&" : "?").add(parameter);
    has_query_ = true;
  });
  return *this;
}

TargetWriter& TargetWriter::add_parameter(std::string_view name, std::string_view value) {
  add(has_query_ ? "&" : "?").add(name).add("=").add_encoded(value);
  has_query_ = true;
  return *this;
}

bool has_parameter(std::string_view query, std::string_view name) {
  bool found = false;
  for_each_parameter(query, [&](std::string_view, std::string_view each) { found = found || decodes_to(each, name); });
  return found;
}

bool has_version_segment(std::string_view path) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    if (is_version_segment(path.substr(0, slash))) return true;
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
  }
  return false;
}

base::Secret bearer(const base::Secret& token) {
  return base::Secret("Bearer " + std::string(token.reveal()));
}

void refuse_oauth_token_as_key(const UpstreamOptions& options, std::vector<UpstreamFault>& faults) {
  if (!looks_like_oauth_token(options.api_key)) return;
  faults.push_back({"api_key", "holds an OAuth access token; write it as access_token = \"...\" instead"});
}

void prepare_aws(const UpstreamOptions& options, std::string_view service, Upstream& upstream,
                 std::vector<UpstreamFault>& faults) {
  if (!options.api_key.empty()) {
    upstream.set_headers.push_back({"authorization", bearer(options.api_key)});
    return;
  }
  if (options.access_key_id.empty() || options.secret_access_key.empty()) return;
  // Signatures hold region and service, also where the endpoint is a private one whose name says neither.
  if (options.region.empty()) {
    faults.push_back({"region", "requests are signed for a region; add region = \"...\""});
    return;
  }
  upstream.aws = AwsSigning{.credentials = {.access_key_id = options.access_key_id,
                                            .secret_access_key = options.secret_access_key,
                                            .session_token = options.session_token},
                            .region = std::string(options.region),
                            .service = std::string(service)};
}

// "claude-sonnet-4-5", "us.anthropic.claude-3-haiku-20240307-v1:0", "claude-opus-4-1@20250805"
bool is_claude(std::string_view model) {
  return model.find("claude") != std::string_view::npos;
}

bool looks_like_oauth_token(const base::Secret& secret) {
  return secret.reveal().starts_with("ya29.") || secret.reveal().starts_with("eyJ");
}

}  // namespace llmgw::providers
