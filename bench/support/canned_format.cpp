#include "bench/support/canned_format.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace llmgw::bench {
namespace {

constexpr std::string_view kAnswerHead =
    R"({"id":"chatcmpl-canned","object":"chat.completion","created":1767225600,"model":"canned","choices":[{"index":0,)"
    R"("message":{"role":"assistant","content":")";
constexpr std::string_view kAnswerTail =
    R"("},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":17,"completion_tokens":160,)"
    R"("total_tokens":177},"system_fingerprint":"fp_canned"})";
constexpr std::string_view kAnswerText = "The quick brown fox jumps over the lazy dog and answers at length. ";
static_assert(kAnswerHead.size() + kAnswerTail.size() <= kJsonAnswerBytesMin);

// Fixed-width fields, so an event has the same length whatever its numbers are.
constexpr std::string_view kEventHead =
    R"({"id":"chatcmpl-canned","object":"chat.completion.chunk","created":1767225600,"model":"canned",)"
    R"("system_fingerprint":"fp_)";
constexpr std::string_view kEventMiddle = R"(","choices":[{"index":0,"delta":{"content":")";
constexpr std::string_view kEventTail = R"("},"finish_reason":null}]})";
constexpr std::string_view kEventTailLast = R"("},"finish_reason":"stop"}]})";
constexpr size_t kIndexDigits = 6;
constexpr size_t kTimeDigits = 16;

void append_hex(std::string& out, uint64_t value, size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (size_t i = digits; i-- > 0;) out.push_back(kDigits[(value >> (4 * i)) & 0xF]);
}

template <class T>
bool read_hex(std::string_view& text, size_t digits, T& value) {
  if (text.size() < digits) return false;
  uint64_t number = 0;
  const char* begin = text.data();
  const auto [end, error] = std::from_chars(begin, begin + digits, number, 16);
  if (error != std::errc{} || end != begin + digits) return false;
  value = static_cast<T>(number);
  text.remove_prefix(digits);
  return true;
}

bool skip(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

}  // namespace

std::string json_answer(size_t bytes) {
  const size_t envelope = kAnswerHead.size() + kAnswerTail.size();
  const size_t text_bytes = std::max(bytes, kJsonAnswerBytesMin) - envelope;
  std::string answer(kAnswerHead);
  for (size_t i = 0; i < text_bytes; ++i) answer.push_back(kAnswerText[i % kAnswerText.size()]);
  answer += kAnswerTail;
  return answer;
}

void append_stream_event(std::string& out, const StreamEvent& event, bool last) {
  out += "data: ";
  out += kEventHead;
  append_hex(out, event.index, kIndexDigits);
  out.push_back('_');
  append_hex(out, static_cast<uint64_t>(event.sent_ns), kTimeDigits);
  out += kEventMiddle;
  append_hex(out, static_cast<uint64_t>(event.received_ns), kTimeDigits);
  out += last ? kEventTailLast : kEventTail;
  out += "\n\n";
}

std::optional<StreamEvent> parse_stream_event(std::string_view data) {
  StreamEvent event;
  const bool ok = skip(data, kEventHead) && read_hex(data, kIndexDigits, event.index) && skip(data, "_") &&
                  read_hex(data, kTimeDigits, event.sent_ns) && skip(data, kEventMiddle) &&
                  read_hex(data, kTimeDigits, event.received_ns) && (data == kEventTail || data == kEventTailLast);
  if (!ok) return std::nullopt;
  return event;
}

}  // namespace llmgw::bench
