#include "gateway/call/redact.h"

#include <string>

namespace llmgw::gateway {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
// Shorter values are words; no credential is that short.
constexpr size_t kSecretBytesMin = 8;

void add(chat::List<std::string_view>& secrets, std::string_view secret, base::Arena& arena) {
  if (secret.starts_with("Bearer ")) secret.remove_prefix(7);
  if (secret.size() >= kSecretBytesMin) secrets.push(arena, secret);
}

}  // namespace

chat::List<std::string_view> secrets_of(const providers::Upstream& upstream, base::Arena& arena) {
  chat::List<std::string_view> secrets;
  for (const providers::HeaderField& field : upstream.set_headers) add(secrets, field.value.reveal(), arena);
  if (upstream.aws) {
    const providers::AwsCredentials& aws = upstream.aws->credentials;
    for (const base::Secret* const secret : {&aws.access_key_id, &aws.secret_access_key, &aws.session_token}) {
      add(secrets, secret->reveal(), arena);
    }
  }
  add(secrets, upstream.endpoint.authority, arena);
  return secrets;
}

std::string_view redact(std::string_view text, const chat::List<std::string_view>& secrets, base::Arena& arena) {
  for (const std::string_view secret : secrets) {
    size_t at = text.find(secret);
    if (at == std::string_view::npos) continue;
    std::string clean;
    while (at != std::string_view::npos) {
      clean += text.substr(0, at);
      clean += kRedacted;
      text.remove_prefix(at + secret.size());
      at = text.find(secret);
    }
    clean += text;
    text = arena.copy(clean);
  }
  return text;
}

}  // namespace llmgw::gateway
