#include "chat/tokens/media_tokens.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/base64.h"
#include "chat/tokens/pdf_text.h"

namespace llmgw::chat {
namespace {

struct Size {
  uint64_t width = 0;
  uint64_t height = 0;
};

// Of an image that is not at hand.
constexpr Size kUsualImage{.width = 768, .height = 768};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

uint64_t big_endian(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
uint64_t little_endian(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
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

// WebP: by the kind of its first chunk (WebP Container Specification; RFC 9649, 2.5 to 2.7).
std::optional<Size> webp_size(std::string_view bytes) {
  constexpr size_t kHeader = 30;
  if (bytes.size() < kHeader) return std::nullopt;
  const std::string_view kind = bytes.substr(12, 4);
  if (kind == "VP8X") return Size{.width = little_endian(bytes, 24, 3) + 1, .height = little_endian(bytes, 27, 3) + 1};
  if (kind == "VP8 ")
    return Size{.width = little_endian(bytes, 26, 2) & 0x3FFF, .height = little_endian(bytes, 28, 2) & 0x3FFF};
  const uint64_t bits = little_endian(bytes, 21, 4);
  return Size{.width = (bits & 0x3FFF) + 1, .height = (bits >> 14 & 0x3FFF) + 1};
}

std::string decoded(std::string_view base64, size_t chars_max) {
  std::string bytes(base64.substr(0, std::min(base64.size(), chars_max) / 4 * 4));
  const auto size = base::base64_decode(bytes, bytes.data());
  bytes.resize(size ? *size : 0);
  return bytes;
}

std::optional<Size> image_size(std::string_view base64) {
  constexpr size_t kHeaderChars = 64 << 10;  // JPEGs have thumbnails in front of their frame
  constexpr size_t kPngHeader = 24;
  constexpr size_t kGifHeader = 10;
  const std::string bytes = decoded(base64, kHeaderChars);
  const std::string_view head = bytes;
  if (head.starts_with("\x89PNG") && head.size() >= kPngHeader)
    return Size{.width = big_endian(head, 16, 4), .height = big_endian(head, 20, 4)};
  if (head.starts_with("\xFF\xD8")) return jpeg_size(head);
  if (head.starts_with("GIF8") && head.size() >= kGifHeader)
    return Size{.width = little_endian(head, 6, 2), .height = little_endian(head, 8, 2)};
  if (head.starts_with("RIFF") && head.substr(std::min<size_t>(8, head.size())).starts_with("WEBP"))
    return webp_size(head);
  return std::nullopt;
}

uint64_t rounded_up(double value) {
  const auto whole = static_cast<uint64_t>(value);
  return whole + (static_cast<double>(whole) < value ? 1 : 0);
}

// OpenAI, "Images and vision" (August 2026): newer models see patches of 32 pixels, at most 1536 of them. What a patch
// costs is not as documented, but as measured (OpenAI's forum, 1344040 and 1377015; the recordings agree).
struct PatchModel {
  std::string_view name;
  double tokens;
};
constexpr std::array<PatchModel, 9> kPatchModels{{{"gpt-5-nano", 1.5},
                                                  {"gpt-5-mini", 1.2},
                                                  {"gpt-5.2", 1.2},
                                                  {"gpt-5.3", 1.2},
                                                  {"gpt-5.4", 1.2},
                                                  {"gpt-5.", 1.2},
                                                  {"gpt-4.1-mini", 1.62},
                                                  {"gpt-4.1-nano", 2.46},
                                                  {"o4-mini", 1.72}}};

uint64_t patch_tokens(Size size, double tokens) {
  constexpr uint64_t kPatch = 32;
  constexpr uint64_t kPatchesMax = 1536;
  const auto patches = [](uint64_t pixels) { return (pixels + kPatch - 1) / kPatch; };
  return rounded_up(static_cast<double>(std::min(patches(size.width) * patches(size.height), kPatchesMax)) * tokens);
}

// And of the others tiles of 512 pixels after scaling to 768 on the short side.
struct TileModel {
  std::string_view name;
  uint64_t base;
  uint64_t tile;
};
constexpr std::array<TileModel, 5> kTileModels{
    {{"gpt-4o-mini", 2833, 5667}, {"computer-use", 65, 129}, {"gpt-5", 70, 140}, {"o1", 75, 150}, {"o3", 75, 150}}};

uint64_t tile_tokens(Size size, std::string_view detail, const TileModel& model) {
  if (detail == "low") return model.base;
  double width = static_cast<double>(size.width);
  double height = static_cast<double>(size.height);
  const double fit = std::min(1.0, 2048.0 / std::max(width, height));
  const double shrink = std::min(1.0, 768.0 / std::min(width * fit, height * fit));
  width *= fit * shrink;
  height *= fit * shrink;
  const auto tiles = [](double pixels) { return static_cast<uint64_t>((pixels + 511) / 512); };
  return model.base + model.tile * tiles(width) * tiles(height);
}

uint64_t openai_image(Size size, std::string_view detail, std::string_view model) {
  constexpr TileModel kGpt4o{.name = {}, .base = 85, .tile = 170};
  for (const PatchModel& patches : kPatchModels) {
    if (contains(model, patches.name)) return patch_tokens(size, patches.tokens);
  }
  for (const TileModel& tiles : kTileModels) {
    if (contains(model, tiles.name)) return tile_tokens(size, detail, tiles);
  }
  return tile_tokens(size, detail, kGpt4o);
}

// Anthropic: an image is scaled to 1568 on its long side and costs a token for 750 pixels ("Vision"), and some around.
uint64_t claude_image(Size size) {
  constexpr uint64_t kAround = 6;
  const double longest = static_cast<double>(std::max(size.width, size.height));
  const double fit = std::min(1.0, 1568.0 / longest);
  return rounded_up(static_cast<double>(size.width * size.height) * fit * fit / 750) + kAround;
}

// Nova ("Image understanding", Amazon Nova user guide): scaled up to one of its formats, 900 pixels on the short side,
// or on the long side of what is twice as long; 800 tokens for 900 x 450, 1300 for 900 x 900, 1800 for 1400 x 900.
uint64_t nova_image(Size size) {
  constexpr double kLong = 1.75;  // closer to 2:1 than to 3:2
  const auto longest = static_cast<double>(std::max(size.width, size.height));
  const auto shortest = static_cast<double>(std::min(size.width, size.height));
  const double ratio = longest / shortest;
  const double least = ratio < kLong ? 900 : 450;
  const double scaled = std::max(shortest, least);
  return 300 + rounded_up(scaled * scaled * ratio / 810);
}

// Gemini, "Media resolution" (August 2026), the defaults: an image is a tile of 258 tokens, whatever its size, a page
// too; Gemini 3 takes 1120 for an image and 560 for a page.
constexpr uint64_t kGeminiTile = 258;
constexpr uint64_t kGemini3Image = 1120;
constexpr uint64_t kGemini3Page = 560;

uint64_t image_tokens(const Media& media, TokenFamily family, std::string_view model) {
  constexpr uint64_t kGrokTile = 256;
  constexpr uint64_t kPixelsMax = 65'535;
  Size size = kUsualImage;
  if (media.source == MediaSource::base64) size = image_size(media.data).value_or(kUsualImage);
  if (size.width == 0 || size.height == 0 || size.width > kPixelsMax || size.height > kPixelsMax) size = kUsualImage;
  switch (vendor_of(family)) {
    case TokenVendor::claude: return claude_image(size);
    case TokenVendor::gemini: return family == TokenFamily::gemini_3 ? kGemini3Image : kGeminiTile;
    case TokenVendor::openai: return openai_image(size, media.detail, model);
    case TokenVendor::other: break;
  }
  if (family == TokenFamily::nova || family == TokenFamily::nova_2) return nova_image(size);
  if (family == TokenFamily::grok || family == TokenFamily::grok_4_3)
    return kGrokTile * std::max<uint64_t>(1, size.width * size.height / (448 * 448));
  return openai_image(size, media.detail, {});
}

// Claude gets picture and text of a page, OpenAI the text and, in chat completions, a thumbnail, Gemini the picture;
// Bedrock takes the text out for models that read nothing else, and says whose it is.
uint64_t pdf_tokens(const PdfCounts& pdf, const TokenModel& model) {
  constexpr uint64_t kClaudePage = 1570;
  constexpr uint64_t kChatPage = 220;
  constexpr uint64_t kBedrockAround = 60;
  constexpr uint64_t kName = 4;
  constexpr double kClaudeCharacters = 2.7;  // a token; other tokenizers make more of the same text
  constexpr double kCharacters = 3.9;
  const auto characters = static_cast<double>(pdf.characters);
  switch (vendor_of(model.family)) {
    case TokenVendor::claude: return kClaudePage * pdf.pages + rounded_up(characters / kClaudeCharacters);
    case TokenVendor::gemini: return (model.family == TokenFamily::gemini_3 ? kGemini3Page : kGeminiTile) * pdf.pages;
    case TokenVendor::openai:
      return (model.dialect == Dialect::openai_responses ? kName : kChatPage * pdf.pages) +
             rounded_up(characters / kCharacters);
    case TokenVendor::other: break;
  }
  const uint64_t around = model.dialect == Dialect::bedrock ? kBedrockAround : kChatPage * pdf.pages;
  return around + rounded_up(characters / kCharacters);
}

uint64_t document_tokens(const Media& media, const TokenModel& model) {
  constexpr PdfCounts kUsual{.pages = 1, .characters = 1500};  // of one that is not at hand
  if (media.source != MediaSource::base64) return pdf_tokens(kUsual, model);
  return pdf_tokens(count_pdf(decoded(media.data, media.data.size())), model);
}

// WAV by its byte rate (RIFF; WAVE form of IBM and Microsoft, 1991, "fmt"), everything else as 128 kbit/s.
uint64_t audio_seconds(const Media& media) {
  constexpr uint64_t kUsualSeconds = 5;  // of one that is not at hand
  constexpr uint64_t kByteRate = 16'000;
  constexpr size_t kWavHeader = 32;
  if (media.source != MediaSource::base64) return kUsualSeconds;
  const std::string head = decoded(media.data, kWavHeader * 4 / 3 + 4);
  uint64_t rate = kByteRate;
  if (head.starts_with("RIFF") && head.size() >= kWavHeader) rate = std::max<uint64_t>(1, little_endian(head, 28, 4));
  const uint64_t bytes = media.data.size() / 4 * 3;
  return (bytes + rate - 1) / rate;
}

// Gemini: 32 tokens a second, Gemini 3 25 ("Audio understanding", and as reported); Voxtral hears windows of 30 seconds
// in frames of 80 ms; OpenAI's hear ten frames a second.
uint64_t audio_tokens(const Media& media, TokenFamily family) {
  const uint64_t seconds = audio_seconds(media);
  if (family == TokenFamily::mistral) return (seconds + 29) / 30 * 375;
  if (family == TokenFamily::gemini_3) return seconds * 25;
  return seconds * (vendor_of(family) == TokenVendor::openai ? 10 : 32);
}

// A frame a second, and its sound.
uint64_t video_tokens(const Media& media, TokenFamily family) {
  constexpr uint64_t kUsualSeconds = 5;
  constexpr uint64_t kByteRate = 100'000;
  const uint64_t seconds =
      media.source == MediaSource::base64 ? media.data.size() / 4 * 3 / kByteRate + 1 : kUsualSeconds;
  return seconds * (family == TokenFamily::gemini_3 ? 70 + 25 : kGeminiTile + 32);
}

}  // namespace

uint64_t media_tokens(const Part& part, const TokenModel& model) {
  const Media& media = *part.media;
  switch (part.kind) {
    case PartKind::image: return image_tokens(media, model.family, model.name);
    case PartKind::document: return document_tokens(media, model);
    case PartKind::audio: return audio_tokens(media, model.family);
    default: return video_tokens(media, model.family);
  }
}

}  // namespace llmgw::chat
