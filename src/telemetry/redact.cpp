#include "telemetry/redact.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace llmgw::telemetry {
namespace {

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && base::equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

constexpr std::string_view kHidden = "***";
constexpr std::array<std::string_view, 10> kHarmlessParameters{"alt",   "$alt",  "api-version", "beta",  "stream",
                                                               "limit", "order", "purpose",     "model", "pageSize"};
constexpr size_t kNameBytesMax = 64;           // of a field; a longer one is no constant of the program
constexpr size_t kHarmlessValueBytesMax = 32;  // versions, numbers and words; keys are longer

bool is_harmless_value(std::string_view value) {
  return value.size() <= kHarmlessValueBytesMax && std::ranges::all_of(value, [](char c) {
           return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '-' || c == '.';
         });
}

// Appends what fits.
class Appender {
 public:
  explicit Appender(std::span<char, kTargetBytesMax> buffer) : buffer_(buffer) {}
  void append(std::string_view text) {
    const size_t count = std::min(text.size(), buffer_.size() - used_);
    std::memcpy(buffer_.data() + used_, text.data(), count);
    used_ += count;
  }
  std::string_view view() const { return {buffer_.data(), used_}; }

 private:
  std::span<char, kTargetBytesMax> buffer_;
  size_t used_ = 0;
};

// A name that is not known may be a credential too ("?c2VjcmV0=").
void append_parameter(Appender& out, std::string_view parameter) {
  const size_t equals = parameter.find('=');
  const std::string_view name = parameter.substr(0, equals);
  const bool is_harmless = std::ranges::find(kHarmlessParameters, name) != kHarmlessParameters.end();
  if (parameter.empty() || (is_harmless && equals == std::string_view::npos)) return out.append(name);
  if (!is_harmless && name != "key") return out.append(kHidden);
  out.append(name);
  if (equals == std::string_view::npos) return;
  const std::string_view value = parameter.substr(equals + 1);
  out.append("=");
  out.append(is_harmless && is_harmless_value(value) ? value : kHidden);
}

}  // namespace

bool is_sensitive_name(std::string_view name) {
  constexpr std::array<std::string_view, 11> kWords{"authorization", "cookie",     "api-key",   "apikey",
                                                    "password",      "passphrase", "secret",    "credential",
                                                    "private-key",   "signature",  "access-key"};
  constexpr std::string_view kToken = "token";  // at the end: "max_tokens" and "tokens" are counts
  std::array<char, kNameBytesMax> folded_bytes;
  if (name.size() > folded_bytes.size()) return true;
  std::ranges::transform(name, folded_bytes.begin(), [](char c) { return c == '_' ? '-' : base::to_lower(c); });
  const std::string_view folded(folded_bytes.data(), name.size());
  return folded.ends_with(kToken) || std::ranges::any_of(kWords, [&](std::string_view word) {
           return folded.find(word) != std::string_view::npos;
         });
}

bool is_sensitive_value(std::string_view value) {
  return starts_with_ignoring_case(value, "bearer ") || starts_with_ignoring_case(value, "basic ");
}

std::string_view loggable_target(std::string_view target, std::span<char, kTargetBytesMax> buffer) {
  const size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  if (!path.starts_with('/'))
    if (const size_t at = path.rfind('@'); at != std::string_view::npos) path.remove_prefix(at + 1);
  if (question == std::string_view::npos) return path.substr(0, kTargetBytesMax);
  Appender out(buffer);
  out.append(path);
  std::string_view query = target.substr(question + 1);
  char separator = '?';
  for (;;) {
    out.append({&separator, 1});
    separator = '&';
    const size_t end = query.find('&');
    append_parameter(out, query.substr(0, end));
    if (end == std::string_view::npos) return out.view();
    query.remove_prefix(end + 1);
  }
}

}  // namespace llmgw::telemetry
