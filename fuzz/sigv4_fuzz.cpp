// links: providers
// What a client may send as a signature: the parser and the verifier take anything, and a request signed with a key is
// verified with it, whatever its path, query and body. The input's lines are the Authorization header, the date, the
// path, the query, and the body.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "providers/sigv4.h"

namespace llmgw::providers {
namespace {

constexpr std::string_view kTime = "20250102T030405Z";
constexpr base::WallTime kNow{std::chrono::seconds(1'735'787'045)};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Input {
  std::array<std::string_view, 5> lines;
};

Input split(std::string_view bytes) {
  Input input;
  for (size_t i = 0; i < input.lines.size(); ++i) {
    const bool last = i + 1 == input.lines.size();
    const size_t end = last ? bytes.size() : std::min(bytes.find('\n'), bytes.size());
    input.lines[i] = bytes.substr(0, end);
    bytes.remove_prefix(std::min(bytes.size(), end + 1));
  }
  return input;
}

void check(std::string_view bytes) {
  const auto [authorization, date, path, query, body] = split(bytes).lines;
  const SigV4Header sent[] = {{"X-Amz-Date", date}, {"x-amz-content-sha256", authorization}, {"a", body}};
  if (const auto claim = parse_sigv4(authorization)) {
    (void)verify_sigv4(*claim,
                       {.method = "POST", .path = path, .query = query, .host = "h", .headers = sent, .body = body},
                       "key", kNow);
  }
  const SigV4Header headers[] = {{"host", "h"}, {"x-amz-date", kTime}, {"a", body}};
  const std::string_view parts[] = {body};
  const std::string hash = base::hex(sha256(parts));
  SigningKeys keys;
  const auto header =
      sign_sigv4({.method = "POST", .path = path, .query = query, .headers = headers, .payload_hash = hash},
                 {base::Secret("id"), base::Secret("key"), {}}, "region", "service", kTime, keys);
  const auto claim = parse_sigv4(header.reveal());
  require(claim.has_value(), "a signature can be read");
  require(verify_sigv4(*claim,
                       {.method = "POST", .path = path, .query = query, .host = "h", .headers = headers, .body = body},
                       "key", kNow)
              .has_value(),
          "what was signed is verified");
}

}  // namespace
}  // namespace llmgw::providers

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  if (size > 20'000) return 0;
  llmgw::providers::check({reinterpret_cast<const char*>(data), size});
  return 0;
}
