// links: admin
// An ID token and a key set, whatever they say: never accepted without a signature, never a crash.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "admin/oidc/id_token.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llmgw::admin;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  const std::string_view token = text.substr(0, line);
  const std::string_view keys = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  const auto claims = check_id_token(token, keys, {.issuer = "i", .audience = "a", .nonce = "n", .now = 1});
  // Whoever writes the key set can sign: then there is at least a subject.
  if (claims && claims->subject.empty()) std::abort();
  return 0;
}
