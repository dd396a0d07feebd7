#include "chat/token_estimate.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/base64.h"

namespace llmgw::chat {
namespace {

enum class Class : uint8_t { letter, digit, blank, line, mark, high };

constexpr std::array<Class, 256> make_classes() {
  std::array<Class, 256> classes{};
  for (size_t c = 0; c < classes.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      classes[c] = Class::letter;
    } else if (c >= '0' && c <= '9') {
      classes[c] = Class::digit;
    } else if (c == '\n' || c == '\r') {
      classes[c] = Class::line;
    } else if (c <= ' ') {
      classes[c] = Class::blank;
    } else {
      classes[c] = c < 0x80 ? Class::mark : Class::high;
    }
  }
  return classes;
}
constexpr std::array<Class, 256> kClasses = make_classes();

Class class_of(char c) {
  return kClasses[static_cast<unsigned char>(c)];
}

constexpr uint64_t kShortWord = 6;   // most words up to this length are one token
constexpr uint64_t kDigitGroup = 3;  // tokenizers cut numbers into groups

// Bytes of the character that begins there; 1 for what is no UTF-8.
size_t character_size(std::string_view text, size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return std::min(size, text.size() - at);
}

uint32_t code_point(std::string_view text, size_t at, size_t size) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[at + i])); };
  switch (size) {
    case 2: return (byte(0) & 0x1F) << 6 | (byte(1) & 0x3F);
    case 3: return (byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    case 4: return (byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    default: return byte(0);
  }
}

bool is_ideograph(uint32_t point) {
  return (point >= 0x2E80 && point <= 0x9FFF) || (point >= 0xAC00 && point <= 0xD7AF) ||
         (point >= 0xF900 && point <= 0xFAFF) || (point >= 0xFF00 && point <= 0xFFEF) ||
         (point >= 0x20000 && point <= 0x3FFFF);
}

bool is_letter(uint32_t point) {
  return point >= 0xC0 && point < 0x2000;
}

}  // namespace

void TextCounts::add(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const Class kind = class_of(text[i]);
    if (kind == Class::high) {
      const size_t size = character_size(text, i);
      const uint32_t point = code_point(text, i, size);
      ++(is_ideograph(point) ? ideographs : is_letter(point) ? letters : symbols);
      i += size;
      continue;
    }
    size_t end = i + 1;
    const bool same_mark = kind == Class::mark;
    while (end < text.size() && (same_mark ? text[end] == text[i] : class_of(text[end]) == kind)) ++end;
    const uint64_t length = end - i;
    switch (kind) {
      case Class::letter:
        ++words;
        long_letters += length > kShortWord ? length - kShortWord : 0;
        break;
      case Class::digit:
        digits += (length + kDigitGroup - 1) / kDigitGroup;
        digit_chars += length;
        break;
      case Class::line: ++lines; break;
      case Class::blank: indents += length > 1 ? 1 : 0; break;
      case Class::mark:
        ++marks;
        mark_chars += length;
        break;
      case Class::high: break;
    }
    i = end;
  }
}

void SchemaCounts::add(std::string_view schema) {
  constexpr std::string_view kType = "\"type\"";
  constexpr std::string_view kDescription = "\"description\"";
  text.add(schema);
  for (size_t at = schema.find(kType); at != std::string_view::npos; at = schema.find(kType, at + 1)) ++types;
  for (size_t at = schema.find(kDescription); at != std::string_view::npos; at = schema.find(kDescription, at + 1)) {
    size_t start = schema.find_first_not_of(" :\t\r\n", at + kDescription.size());
    // Else it is the name of a member.
    if (start == std::string_view::npos || schema[start] != '"') continue;
    size_t end = ++start;
    while (end < schema.size() && schema[end] != '"') end += schema[end] == '\\' ? 2 : 1;
    TextCounts described;
    described.add(schema.substr(start, std::min(end, schema.size()) - start));
    described_words += described.words;
  }
}

namespace {

bool is_claude(TokenFamily family) {
  return family >= TokenFamily::claude_3 && family <= TokenFamily::claude_5;
}

bool is_gemini(TokenFamily family) {
  return family >= TokenFamily::gemini_2 && family <= TokenFamily::gemini_3;
}

struct Size {
  uint64_t width = 0;
  uint64_t height = 0;
};

uint64_t big_endian(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// JPEG: the size stands in the first start-of-frame segment (ITU T.81, B.2.2).
std::optional<Size> jpeg_size(std::string_view bytes) {
  size_t at = 2;
  while (at + 9 < bytes.size() && static_cast<unsigned char>(bytes[at]) == 0xFF) {
    const auto marker = static_cast<unsigned char>(bytes[at + 1]);
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return Size{.width = big_endian(bytes, at + 7, 2), .height = big_endian(bytes, at + 5, 2)};
    at += 2 + big_endian(bytes, at + 2, 2);
  }
  return std::nullopt;
}

std::optional<Size> image_size(std::string_view base64) {
  constexpr size_t kHeaderChars = 64 << 10;  // JPEGs have thumbnails in front of their frame
  constexpr size_t kPngHeader = 24;
  std::string bytes(base64.substr(0, std::min(base64.size(), kHeaderChars) / 4 * 4));
  const auto size = base::base64_decode(bytes, bytes.data());
  if (!size) return std::nullopt;
  const std::string_view head = std::string_view(bytes).substr(0, *size);
  if (head.starts_with("\x89PNG") && head.size() >= kPngHeader)
    return Size{.width = big_endian(head, 16, 4), .height = big_endian(head, 20, 4)};
  if (head.starts_with("\xFF\xD8")) return jpeg_size(head);
  return std::nullopt;
}

// OpenAI: 85 and 170 for each tile of 512 after scaling to 768 on the short side ("Images and vision", high detail).
uint64_t openai_image(Size size, std::string_view detail) {
  constexpr uint64_t kBase = 85;
  constexpr uint64_t kTile = 170;
  if (detail == "low") return kBase;
  double width = static_cast<double>(size.width);
  double height = static_cast<double>(size.height);
  const double fit = std::min(1.0, 2048.0 / std::max(width, height));
  const double shrink = std::min(1.0, 768.0 / std::min(width * fit, height * fit));
  width *= fit * shrink;
  height *= fit * shrink;
  const auto tiles = [](double pixels) { return static_cast<uint64_t>((pixels + 511) / 512); };
  return kBase + kTile * tiles(width) * tiles(height);
}

// Anthropic: an image is scaled to 1568 on its long side and costs a token for 750 pixels ("Vision").
uint64_t claude_image(Size size) {
  const double longest = static_cast<double>(std::max(size.width, size.height));
  const double fit = std::min(1.0, 1568.0 / longest);
  return static_cast<uint64_t>(static_cast<double>(size.width * size.height) * fit * fit / 750) + 1;
}

uint64_t image_tokens(const Media& media, TokenFamily family) {
  constexpr Size kUsual{.width = 768, .height = 768};  // of an image that is not at hand
  Size size = kUsual;
  if (media.source == MediaSource::base64) size = image_size(media.data).value_or(kUsual);
  if (size.width == 0 || size.height == 0 || size.width > 65'535 || size.height > 65'535) size = kUsual;
  if (is_claude(family)) return claude_image(size);
  // Gemini: a tile; larger images are cut into more, by the model's own judgement.
  return is_gemini(family) ? 258 : openai_image(size, media.detail);
}

uint64_t document_tokens(const Media& media, TokenFamily family) {
  constexpr uint64_t kPageBytes = 60'000;  // a page of a PDF with some pictures, in base64
  constexpr uint64_t kTextBytes = 6;       // of plain text in base64, a token
  const bool here = media.source == MediaSource::base64;
  if (here && media.media_type.starts_with("text/")) return media.data.size() / kTextBytes + 1;
  // Claude gets text and picture of a page.
  const uint64_t page = is_gemini(family) ? 258 : is_claude(family) ? 2600 : 700;
  return page * ((here ? media.data.size() : kPageBytes) / kPageBytes + 1);
}

uint64_t media_tokens(const Part& part, TokenFamily family) {
  const Media& media = *part.media;
  constexpr uint64_t kClipBytes = 60'000;  // of one that is not at hand
  const uint64_t bytes = media.source == MediaSource::base64 ? media.data.size() : kClipBytes;
  switch (part.kind) {
    case PartKind::image: return image_tokens(media, family);
    case PartKind::document: return document_tokens(media, family);
    case PartKind::audio: return bytes / 700 + 32;  // 32 a second of 16 kHz WAV
    default: return 300 * (bytes / 100'000 + 1);    // some seconds of video
  }
}

// OpenAI's sealed reasoning of no words at all, in base64.
constexpr size_t kSealedEmpty = 900;

// Whether the user speaks in it; results of tools do not count.
bool is_spoken(const Message& message) {
  if (message.role != Role::user) return false;
  return std::ranges::any_of(message.parts, [](const Part& part) { return part.kind != PartKind::tool_result; });
}

bool looks_like_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

class Counter {
 public:
  Counter(PromptCounts& counts, TokenFamily family) : counts_(counts), family_(family) {}

  // `live`: since the user spoke last.
  void message(const Message& message, bool live) {
    const bool system = message.role == Role::system || message.role == Role::developer;
    if (system) {
      counts_.has_system = true;
    } else {
      ++counts_.messages;
    }
    live_ = live;
    for (const Part& part : message.parts) this->part(part, false);
  }

  void tool(const Tool& tool) {
    ++counts_.tools;
    counts_.prose.add(tool.name);
    counts_.prose.add(tool.description);
    counts_.tools_schema.add(tool.schema);
  }

 private:
  void part(const Part& part, bool result) {
    if (live_ && part.has_signature()) seal(part.signature->data.size());
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        (result && looks_like_json(part.text) ? counts_.code : counts_.prose).add(part.text);
        break;
      case PartKind::thinking: {
        TextCounts thought;
        thought.add(part.text);
        (live_ ? counts_.thought_words : counts_.old_thought_words) += thought.words;
        break;
      }
      case PartKind::tool_call:
        ++counts_.calls;
        counts_.prose.add(part.name);
        counts_.code.add(part.text);
        break;
      case PartKind::tool_result:
        for (const Part& inner : part.content) this->part(inner, true);
        break;
      case PartKind::opaque: counts_.code.add(part.text); break;
      default:
        if (part.media == nullptr) break;
        if (part.media->source == MediaSource::text) {
          counts_.prose.add(part.media->data);
        } else {
          counts_.media_tokens += media_tokens(part, family_);
        }
    }
  }

  void seal(size_t bytes) {
    counts_.sealed_bytes += bytes;
    counts_.sealed_bytes_above += bytes > kSealedEmpty ? bytes - kSealedEmpty : 0;
  }

  PromptCounts& counts_;
  TokenFamily family_;
  bool live_ = false;
};

}  // namespace

PromptCounts count_prompt(const Request& request, TokenFamily family) {
  PromptCounts counts;
  Counter counter(counts, family);
  size_t spoken = request.messages.size();
  while (spoken > 0 && !is_spoken(request.messages[spoken - 1])) --spoken;
  for (size_t i = 0; i < request.messages.size(); ++i) counter.message(request.messages[i], i >= spoken);
  for (const Tool& tool : request.tools) {
    if (tool.kind != ToolKind::opaque) counter.tool(tool);
  }
  if (request.format.kind == FormatKind::json_schema) {
    counts.has_format = true;
    counts.format_schema.add(request.format.schema);
  }
  counts.thinks = request.reasoning.mode == ReasoningMode::on;
  return counts;
}

}  // namespace llmgw::chat
