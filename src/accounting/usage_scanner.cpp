#include "accounting/usage_scanner.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <optional>

#include "base/saturating.h"
#include "base/text.h"
#include "json/token.h"

namespace llmgw::accounting {
namespace {

using chat::Dialect;
using chat::Framing;
using json::is_space;

bool is_google(Dialect dialect) {
  return dialect == Dialect::gemini || dialect == Dialect::vertex;
}

// The number of containers open around the member: one in a plain answer; one more where a stream's event wraps what
// has the usage (Anthropic's message, the Responses API's response, Cohere's delta) or where the answer is an array.
uint32_t depths_of(Dialect dialect, Framing framing) {
  if (framing == Framing::json_array) return 1U << 2;
  const bool wrapped =
      dialect == Dialect::anthropic || dialect == Dialect::openai_responses || dialect == Dialect::cohere;
  const bool stream = framing == Framing::sse || framing == Framing::event_stream;
  return stream && wrapped ? 1U << 1 | 1U << 2 : 1U << 1;
}

}  // namespace

UsageScanner::UsageScanner(Dialect dialect, Framing framing)
    : name_(is_google(dialect) ? "usageMetadata" : "usage"),
      arithmetic_(is_google(dialect)                                             ? Arithmetic::gemini
                  : dialect == Dialect::anthropic || dialect == Dialect::bedrock ? Arithmetic::anthropic
                                                                                 : Arithmetic::openai),
      framing_(framing),
      depths_(depths_of(dialect, framing)) {}

void UsageScanner::feed(std::string_view bytes) {
  if (framing_ == Framing::sse) {
    feed_sse(bytes);
  } else {
    feed_json(bytes);
  }
}

void UsageScanner::next_document() {
  mode_ = Mode::structure;
  carry_ = {};
  depth_ = 0;
}

// Every API sends objects, some of them lists, and OpenAI [DONE].
void UsageScanner::begin_data(std::string_view bytes) {
  const auto* const first = std::ranges::find_if_not(bytes, is_space);
  if (first == bytes.end()) return;
  event_began_ = true;
  malformed_ |= *first != '{' && *first != '[';
}

void UsageScanner::end_event() {
  malformed_ |= depth_ != 0 || mode_ == Mode::object || mode_ == Mode::name;
  event_began_ = false;
  next_document();
}

// Only the values of `data` lines are JSON. An event's lines are one document; a blank line ends it.
void UsageScanner::feed_sse(std::string_view bytes) {
  constexpr std::string_view kField = "data:";
  while (!bytes.empty()) {
    if (line_ == Line::start) {
      if (line_matched_ == 0 && (bytes.front() == '\n' || bytes.front() == '\r')) {
        if (bytes.front() == '\n') end_event();
        bytes.remove_prefix(1);
        continue;
      }
      while (!bytes.empty() && line_matched_ < kField.size() && bytes.front() == kField[line_matched_]) {
        ++line_matched_;
        bytes.remove_prefix(1);
      }
      if (bytes.empty() && line_matched_ < kField.size()) return;
      line_ = line_matched_ == kField.size() ? Line::data : Line::other;
    }
    const size_t end = bytes.find('\n');
    if (line_ == Line::data) {
      if (!event_began_) begin_data(bytes.substr(0, end));
      feed_json(bytes.substr(0, end));
    }
    if (end == std::string_view::npos) return;
    // No string goes over the end of a line: a control byte has to be escaped in it.
    if (line_ == Line::data && mode_ == Mode::structure) {
      malformed_ |= carry_.in_string != 0;
      carry_ = {};
    }
    bytes.remove_prefix(end + 1);
    line_ = Line::start;
    line_matched_ = 0;
  }
}

void UsageScanner::feed_json(std::string_view bytes) {
  if (!began_) began_ = !std::ranges::all_of(bytes, is_space);
  while (!bytes.empty()) {
    switch (mode_) {
      case Mode::structure: scan(bytes); break;
      case Mode::name: match_name(bytes); break;
      case Mode::colon:
      case Mode::value: skip_to(bytes); break;
      case Mode::object: read_object(bytes); break;
    }
  }
}

void UsageScanner::scan(std::string_view& text) {
  while (!text.empty()) {
    if (carry_.in_string != 0 && carry_.escaped == 0 && carry_.opened == 0) {
      text.remove_prefix(plain_bytes(text.data(), text.size()));
      if (text.empty()) return;
    }
    const size_t size = std::min(text.size(), kScanBlock);
    std::array<char, kScanBlock> padded;
    const char* block = text.data();
    if (size < kScanBlock) {
      padded.fill(0);
      std::memcpy(padded.data(), text.data(), size);
      block = padded.data();
    }
    const StructureMasks masks = scan_structure(block, size, name_.front(), carry_);
    for (uint64_t letters = masks.letters; letters != 0; letters &= letters - 1) {
      const int at = std::countr_zero(letters);
      const uint64_t before = (uint64_t{1} << at) - 1;
      const int64_t depth = depth_ + std::popcount(masks.opens & before) - std::popcount(masks.closes & before);
      if (depth < 0 || depth > 2 || ((depths_ >> depth) & 1) == 0) continue;
      const std::string_view rest = text.substr(static_cast<size_t>(at));
      if (rest.size() > name_.size() && (!rest.starts_with(name_) || rest[name_.size()] != '"')) continue;
      depth_ = depth;
      mode_ = Mode::name;
      name_matched_ = 0;
      text = rest;
      return;
    }
    depth_ += std::popcount(masks.opens) - std::popcount(masks.closes);
    text.remove_prefix(size);
  }
}

void UsageScanner::back_to_structure(bool in_string) {
  mode_ = Mode::structure;
  carry_ = {.in_string = in_string ? ~uint64_t{0} : 0, .escaped = 0, .opened = 0};
}

void UsageScanner::match_name(std::string_view& text) {
  while (!text.empty()) {
    const bool whole = name_matched_ == name_.size();
    if (text.front() != (whole ? '"' : name_[name_matched_])) {
      back_to_structure(true);
      return;
    }
    text.remove_prefix(1);
    if (whole) {
      mode_ = Mode::colon;
      return;
    }
    ++name_matched_;
  }
}

// Behind the name: the colon, then the brace of an object.
void UsageScanner::skip_to(std::string_view& text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  if (text.empty()) return;
  const char wanted = mode_ == Mode::colon ? ':' : '{';
  if (text.front() != wanted) {
    back_to_structure(false);
    return;
  }
  text.remove_prefix(1);
  if (mode_ == Mode::colon) {
    mode_ = Mode::value;
    return;
  }
  mode_ = Mode::object;
  level_ = 1;
  object_bytes_ = 0;
  key_part_ = Part::unknown;
  count_ = kNoCount;
  number_ = Number::none;
  in_string_ = escaped_ = false;
  pending_ = {};
}

void UsageScanner::read_object(std::string_view& text) {
  const char* p = text.data();
  const char* const end = p + std::min(text.size(), size_t{kUsageBytesMax + 1 - object_bytes_});
  while (p < end && mode_ == Mode::object) {
    if (in_string_) {
      p = read_string(p, end);
    } else if (base::is_digit(*p)) {
      p = read_digits(p, end);
    } else {
      object_byte(*p++);
    }
  }
  const auto used = static_cast<size_t>(p - text.data());
  object_bytes_ += static_cast<uint32_t>(used);
  text.remove_prefix(used);
  if (object_bytes_ > kUsageBytesMax && mode_ == Mode::object) {
    depth_ += level_;
    back_to_structure(in_string_);
    carry_.escaped = escaped_ ? 1 : 0;
  }
}

void UsageScanner::object_byte(char c) {
  switch (c) {
    case '"':
      in_string_ = true;
      key_size_ = 0;
      key_unusable_ = false;
      return;
    case ':':
      labelled_ = in_entry() && !key_unusable_ && key() == (part() == Part::cache_lifetimes ? "ttl" : "modality");
      count_ = key_unusable_ || (in_list() && !in_entry()) ? kNoCount : count_of(part(), key());
      key_part_ = key_unusable_ ? Part::unknown : part_of(key());
      return;
    case '.':
      if (number_ == Number::whole) number_ = Number::fraction;
      return;
    case '{':
    case '[': open_part(); return;
    case '}':
    case ']': close_part(); return;
    case ',': end_number(); return;
    default:
      // A sign, an exponent, or a letter of true, false and null: nothing that counts. White space is neutral.
      if (!is_space(c)) number_ = Number::unusable;
  }
}

// Of more than 64 bits the largest there are: whoever counts them caps them, and says so.
const char* UsageScanner::read_digits(const char* p, const char* end) {
  const bool counts = count_ != kNoCount && (number_ == Number::none || number_ == Number::whole);
  uint64_t value = number_ == Number::none ? 0 : value_;
  for (; p < end && base::is_digit(*p); ++p) {
    const auto digit = static_cast<uint64_t>(*p - '0');
    value = value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : value * 10 + digit;
  }
  if (counts) {
    value_ = value;
    number_ = Number::whole;
  }
  return p;
}

const char* UsageScanner::read_string(const char* p, const char* end) {
  if (escaped_) {
    escaped_ = false;
    return p + 1;
  }
  const char* const start = p;
  while (p < end && *p != '"' && *p != '\\') ++p;
  const auto size = static_cast<size_t>(p - start);
  if (size > kKeyBytesMax - key_size_) {
    key_unusable_ = true;
  } else {
    std::memcpy(key_.data() + key_size_, start, size);
    key_size_ = static_cast<uint8_t>(key_size_ + size);
  }
  if (p == end) return p;
  if (*p == '"') {
    in_string_ = false;
  } else {
    escaped_ = key_unusable_ = true;
  }
  return p + 1;
}

// The string behind "modality" or "ttl" is the last that was read.
void UsageScanner::end_label() {
  if (!labelled_) return;
  labelled_ = false;
  if (key_unusable_) return;
  label_ = key() == "AUDIO"   ? Label::audio
           : key() == "IMAGE" ? Label::image
           : key() == "1h"    ? Label::one_hour
                              : Label::other;
}

void UsageScanner::open_part() {
  Part inner = Part::unknown;
  if (level_ == 1) {
    inner = key_part_;
  } else if (level_ == 2 && in_list()) {
    inner = part();
    label_ = Label::other;
  } else if (level_ == 2 && part() == Part::input_details && key_part_ == Part::cached_details) {
    inner = key_part_;
  }
  ++level_;
  if (level_ < parts_.size()) parts_[level_] = inner;
  labelled_ = false;
  count_ = kNoCount;
  number_ = Number::none;
}

void UsageScanner::close_part() {
  end_number();
  if (in_entry()) take_entry();
  --level_;
  if (level_ > 0) return;
  for (uint8_t count = 0; count < kCounts; ++count) {
    if (pending_.has(static_cast<Count>(count))) counts_.set(static_cast<Count>(count), pending_.values[count]);
  }
  seen_ = true;
  back_to_structure(false);
}

// Its members came in any order: what was counted is known at its end.
void UsageScanner::take_entry() {
  if (!pending_.has(kEntry)) return;
  pending_.known &= ~(1U << kEntry);
  const Count count = count_of_entry(part(), label_);
  if (count != kNoCount) pending_.set(count, pending_.values[kEntry]);
}

UsageScanner::Count UsageScanner::count_of_entry(Part part, Label label) {
  if (part == Part::cache_lifetimes) return label == Label::one_hour ? kCacheWrite1h : kNoCount;
  if (label != Label::audio && label != Label::image) return kNoCount;
  const bool audio = label == Label::audio;
  if (part == Part::input_modalities) return audio ? kAudioInput : kImageInput;
  if (part == Part::output_modalities) return audio ? kAudioOutput : kImageOutput;
  return audio ? kCachedAudio : kCachedImage;
}

void UsageScanner::end_number() {
  end_label();
  if (count_ != kNoCount && (number_ == Number::whole || number_ == Number::fraction)) pending_.set(count_, value_);
  count_ = kNoCount;
  number_ = Number::none;
}

UsageScanner::Part UsageScanner::part_of(std::string_view key) {
  switch (key.size()) {
    case 6: return key == "tokens" ? Part::tokens : Part::unknown;
    case 12:
      return key == "billed_units" ? Part::billed : key == "cacheDetails" ? Part::cache_lifetimes : Part::unknown;
    case 14: return key == "cache_creation" ? Part::cache_creation : Part::unknown;
    case 18: return key == "cacheTokensDetails" ? Part::cached_modalities : Part::unknown;
    case 19:
      return key == "promptTokensDetails"   ? Part::input_modalities
             : key == "input_token_details" ? Part::input_details
                                            : Part::unknown;
    case 20:
      return key == "input_tokens_details"   ? Part::input_details
             : key == "output_token_details" ? Part::output_details
                                             : Part::unknown;
    case 23: return key == "candidatesTokensDetails" ? Part::output_modalities : Part::unknown;
    case 21:
      return key == "prompt_tokens_details"   ? Part::input_details
             : key == "output_tokens_details" ? Part::output_details
             : key == "cached_tokens_details" ? Part::cached_details
                                              : Part::unknown;
    case 25: return key == "completion_tokens_details" ? Part::output_details : Part::unknown;
    default: return Part::unknown;
  }
}

namespace {

struct CountName {
  std::string_view name;
  uint8_t count;
};

}  // namespace

UsageScanner::Count UsageScanner::count_of(Part part, std::string_view key) {
  const auto one_of = [key](std::initializer_list<CountName> names) {
    for (const auto& candidate : names) {
      if (candidate.name == key) return static_cast<Count>(candidate.count);
    }
    return kNoCount;
  };
  switch (part) {
    case Part::input_details:
      return one_of({{"cached_tokens", kCacheRead},
                     {"cache_write_tokens", kCacheWrite},
                     {"audio_tokens", kAudioInput},
                     {"image_tokens", kImageInput}});
    case Part::output_details:
      return one_of({{"reasoning_tokens", kReasoning},
                     {"thinking_tokens", kReasoning},
                     {"audio_tokens", kAudioOutput},
                     {"image_tokens", kImageOutput}});
    case Part::cached_details: return one_of({{"audio_tokens", kCachedAudio}, {"image_tokens", kCachedImage}});
    case Part::cache_creation: return one_of({{"ephemeral_1h_input_tokens", kCacheWrite1h}});
    case Part::tokens: return one_of({{"input_tokens", kInput}, {"output_tokens", kOutput}});
    case Part::billed: return one_of({{"input_tokens", kBilledInput}, {"output_tokens", kBilledOutput}});
    case Part::input_modalities:
    case Part::output_modalities:
    case Part::cached_modalities: return one_of({{"tokenCount", kEntry}});
    case Part::cache_lifetimes: return one_of({{"inputTokens", kEntry}});
    case Part::unknown: return kNoCount;
    case Part::usage: break;
  }
  switch (key.size()) {
    case 11: return one_of({{"inputTokens", kInput}, {"totalTokens", kTotal}});
    case 12: return one_of({{"input_tokens", kInput}, {"total_tokens", kTotal}, {"outputTokens", kOutput}});
    case 13: return one_of({{"prompt_tokens", kInput}, {"output_tokens", kOutput}});
    case 15: return one_of({{"totalTokenCount", kTotal}});
    case 16: return one_of({{"promptTokenCount", kInput}});
    case 17: return one_of({{"completion_tokens", kOutput}});
    case 18: return one_of({{"thoughtsTokenCount", kReasoning}});
    case 20: return one_of({{"candidatesTokenCount", kOutput}, {"cacheReadInputTokens", kCacheRead}});
    case 21: return one_of({{"cacheWriteInputTokens", kCacheWrite}});
    case 23:
      return one_of({{"cache_read_input_tokens", kCacheRead},
                     {"cachedContentTokenCount", kCacheRead},
                     {"prompt_cache_hit_tokens", kCacheRead},
                     {"toolUsePromptTokenCount", kToolInput}});
    case 24: return one_of({{"cacheReadInputTokenCount", kCacheRead}});
    case 25: return one_of({{"cacheWriteInputTokenCount", kCacheWrite}});
    case 27: return one_of({{"cache_creation_input_tokens", kCacheWrite}});
    default: return kNoCount;
  }
}

MediaTokens UsageScanner::media() const {
  const auto get = [this](Count count) { return counts_.has(count) ? counts_.values[count] : 0; };
  // What came from the cache is no part of the input.
  const auto uncached = [&](Count all, Count cached) { return get(all) - std::min(get(all), get(cached)); };
  return {.audio_input = uncached(kAudioInput, kCachedAudio),
          .image_input = uncached(kImageInput, kCachedImage),
          .audio_output = get(kAudioOutput),
          .image_output = get(kImageOutput)};
}

chat::Usage UsageScanner::usage() const {
  const auto get = [this](Count count) {
    return counts_.has(count) ? std::optional(counts_.values[count]) : std::nullopt;
  };
  const auto sum = [](uint64_t a, uint64_t b, uint64_t c) {
    return base::add_saturating(base::add_saturating(a, b), c);
  };
  const auto without = [](uint64_t total, uint64_t part) { return total > part ? total - part : 0; };
  chat::Usage usage{.input = get(kInput),
                    .cache_read = get(kCacheRead),
                    .cache_write = get(kCacheWrite),
                    .cache_write_1h = get(kCacheWrite1h),
                    .output = get(kOutput),
                    .reasoning = get(kReasoning)};
  switch (arithmetic_) {
    case Arithmetic::anthropic: break;  // split already
    case Arithmetic::openai:
      // The prompt includes what came from and went to the cache. Rerankers only give a total; Cohere bills by its own
      // count.
      if (!usage.input && !usage.output) usage.input = get(kTotal);
      // Completions include the reasoning, but xAI's, where the total has both.
      if (const uint64_t reasoning = usage.reasoning.value_or(0);
          reasoning > 0 && usage.output && get(kTotal) == sum(usage.input.value_or(0), *usage.output, reasoning)) {
        usage.output = base::add_saturating(*usage.output, reasoning);
      }
      // Prompts include their sound, but not Mistral's, where the total has both.
      if (const uint64_t audio = get(kAudioInput).value_or(0);
          audio > 0 && usage.input && get(kTotal) == sum(*usage.input, usage.output.value_or(0), audio)) {
        usage.input = base::add_saturating(*usage.input, audio);
      }
      if (const auto billed = get(kBilledInput)) usage.input = billed;
      if (const auto billed = get(kBilledOutput)) usage.output = billed;
      // Some (xAI on Azure) give a prompt without the cached part: where that is larger, it cannot be part of it.
      if (const uint64_t cached = base::add_saturating(usage.cache_read.value_or(0), usage.cache_write.value_or(0));
          usage.input && *usage.input >= cached) {
        usage.input = *usage.input - cached;
      }
      break;
    case Arithmetic::gemini:
      // The prompt includes the cached part but not what tools brought in; candidates do not include thoughts; and a
      // count of zero is left out.
      if (usage.input) {
        usage.input =
            base::add_saturating(without(*usage.input, usage.cache_read.value_or(0)), get(kToolInput).value_or(0));
      }
      if (usage.input || usage.output || usage.reasoning) {
        usage.output = base::add_saturating(usage.output.value_or(0), usage.reasoning.value_or(0));
      }
      break;
  }
  return usage;
}

}  // namespace llmgw::accounting
