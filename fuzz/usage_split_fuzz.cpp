// links: accounting Boost::json
// The scanners of usage and of text find the same whatever the cuts, and the former for one plain document what
// Boost.JSON finds.
#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "accounting/text_scanner.h"
#include "accounting/usage_scanner.h"
#include "base/rng.h"

namespace accounting = llmgw::accounting;
namespace base = llmgw::base;
namespace chat = llmgw::chat;
namespace json = llmgw::json;
using accounting::TextScanner;
using accounting::UsageScanner;
using chat::Dialect;
using chat::Framing;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

size_t occurrences(std::string_view text, std::string_view word) {
  size_t count = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) ++count;
  return count;
}

// Only documents that cannot be read in two ways: no member twice, no name escaped, no usage beyond the limit.
void compare_with_boost(std::string_view text, const chat::Usage& usage) {
  if (text.size() > UsageScanner::kUsageBytesMax || occurrences(text, "\"usage\"") != 1 ||
      text.find('\\') != std::string_view::npos)
    return;
  if (occurrences(text, "_tokens\"") != 2 || occurrences(text, "\"prompt_tokens\"") != 1 ||
      occurrences(text, "\"completion_tokens\"") != 1)
    return;
  boost::json::error_code error;
  const auto value = boost::json::parse({text.data(), text.size()}, error);
  if (error || !value.is_object()) return;
  const auto* object = value.as_object().if_contains("usage");
  const auto count = [object](const char* name) -> std::optional<uint64_t> {
    const auto* number = object != nullptr && object->is_object() ? object->as_object().if_contains(name) : nullptr;
    if (number == nullptr || !(number->is_int64() || number->is_uint64())) return std::nullopt;
    if (number->is_int64() && number->as_int64() < 0) return std::nullopt;
    return number->to_number<uint64_t>();
  };
  // A fraction is cut off by the scanner and a double for Boost, and -0 is no count for the scanner but one for Boost.
  if (text.find_first_of(".-") != std::string_view::npos) return;
  require(usage.output == count("completion_tokens"));
  if (usage.output || count("prompt_tokens")) require(usage.input == count("prompt_tokens"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const auto dialect = static_cast<Dialect>(data[0] % (static_cast<int>(Dialect::cohere) + 1));
  const auto framing = static_cast<Framing>(data[1] % (static_cast<int>(Framing::event_stream) + 1));
  base::Rng rng(data[2]);
  const std::vector<char> bytes(data + 3, data + size);
  const std::string_view text(bytes.data(), bytes.size());

  UsageScanner whole(dialect, framing);
  TextScanner whole_text(dialect);
  whole.feed(text);
  whole_text.feed(text);
  UsageScanner bytewise(dialect, framing);
  TextScanner bytewise_text(dialect);
  for (const char& byte : bytes) {
    bytewise.feed({&byte, 1});
    bytewise_text.feed({&byte, 1});
  }
  UsageScanner cut(dialect, framing);
  TextScanner cut_text(dialect);
  for (std::string_view rest = text; !rest.empty();) {
    const size_t part = std::min<size_t>(rest.size(), 1 + rng.below(80));
    cut.feed(rest.substr(0, part));
    cut_text.feed(rest.substr(0, part));
    rest.remove_prefix(part);
  }
  require(whole.usage() == bytewise.usage() && whole.seen() == bytewise.seen());
  require(whole.usage() == cut.usage() && whole.seen() == cut.seen());
  require(whole_text.bytes() == bytewise_text.bytes() && whole_text.bytes() == cut_text.bytes());
  require(whole_text.bytes() <= text.size());
  if (dialect == Dialect::openai_chat && framing == Framing::json) compare_with_boost(text, whole.usage());
  return 0;
}
