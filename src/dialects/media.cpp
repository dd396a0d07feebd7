#include "dialects/media.h"

#include <array>

#include "base/base64.h"
#include "base/text.h"

namespace llmgw::dialects {
namespace {

struct Pair {
  std::string_view from;
  std::string_view to;
};

// The first characters of base64 by which a format is known.
constexpr std::array<Pair, 6> kMagic{{
    {"iVBOR", "image/png"},
    {"/9j/", "image/jpeg"},
    {"R0lG", "image/gif"},
    {"UklG", "image/webp"},
    {"JVBE", "application/pdf"},
    {"SUQz", "audio/mpeg"},
}};

constexpr std::array<Pair, 10> kFileTypes{{
    {".pdf", "application/pdf"},
    {".txt", "text/plain"},
    {".md", "text/markdown"},
    {".csv", "text/csv"},
    {".html", "text/html"},
    {".json", "application/json"},
    {".xml", "application/xml"},
    {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {".doc", "application/msword"},
}};

constexpr std::array<Pair, 8> kAudioFormats{{
    {"audio/wav", "wav"},
    {"audio/x-wav", "wav"},
    {"audio/wave", "wav"},
    {"audio/vnd.wave", "wav"},
    {"audio/mpeg", "mp3"},
    {"audio/mp3", "mp3"},
    {"audio/x-m4a", "m4a"},
    {"audio/pcm", "pcm16"},
}};

constexpr bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

std::string_view type_of_base64(std::string_view data) {
  for (const Pair& magic : kMagic) {
    if (data.starts_with(magic.from)) return magic.to;
  }
  return {};
}

std::string_view without_space(std::string_view data, base::Arena& arena) {
  if (data.find_first_of(" \r\n\t") == std::string_view::npos) return data;
  const std::span<char> out = arena.bytes(data.size());
  size_t size = 0;
  for (const char c : data) {
    if (!is_space(c)) out[size++] = c;
  }
  return {out.data(), size};
}

}  // namespace

std::optional<chat::Media> media_from_data_url(std::string_view url, base::Arena& arena) {
  constexpr std::string_view kScheme = "data:";
  if (url.size() < kScheme.size() || !base::equals_ignoring_case(url.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  url.remove_prefix(kScheme.size());
  const size_t comma = url.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  const std::string_view head = url.substr(0, comma);
  const std::string_view data = url.substr(comma + 1);
  chat::Media media{.data = {}, .media_type = head.substr(0, head.find(';'))};
  constexpr std::string_view kBase64 = ";base64";
  if (head.size() >= kBase64.size() && base::equals_ignoring_case(head.substr(head.size() - kBase64.size()), kBase64)) {
    media.data = without_space(data, arena);
  } else {
    const auto decoded = base::percent_decode(data);
    media.data = base::base64_encode(decoded ? std::string_view(*decoded) : data, arena);
    if (media.media_type.empty()) media.media_type = "text/plain";
  }
  if (media.media_type.empty()) media.media_type = type_of_base64(media.data);
  return media;
}

chat::Media media_from_text(std::string_view text, std::string_view media_type, base::Arena& arena) {
  if (auto media = media_from_data_url(text, arena)) {
    if (media->media_type.empty()) media->media_type = media_type;
    return *media;
  }
  if (text.find("://") != std::string_view::npos) {
    return {.source = chat::MediaSource::url, .data = text, .media_type = media_type};
  }
  const std::string_view data = without_space(text, arena);
  return {.data = data, .media_type = media_type.empty() ? type_of_base64(data) : media_type};
}

bool is_web_address(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (url.size() > scheme.size() && base::equals_ignoring_case(url.substr(0, scheme.size()), scheme)) return true;
  }
  return false;
}

std::string_view audio_type_from(std::string_view format, base::Arena& arena) {
  for (const Pair& known : kAudioFormats) {
    if (known.to == format) return format == "mp3" ? "audio/mpeg" : known.from;
  }
  return format.empty() ? format : arena.concat("audio/", format);
}

std::string_view audio_format_from(std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  for (const Pair& known : kAudioFormats) {
    if (known.from == media_type) return known.to;
  }
  const size_t slash = media_type.find('/');
  return slash == std::string_view::npos ? media_type : media_type.substr(slash + 1);
}

std::string_view type_of_file_name(std::string_view name) {
  for (const Pair& known : kFileTypes) {
    if (name.size() > known.from.size() &&
        base::equals_ignoring_case(name.substr(name.size() - known.from.size()), known.from)) {
      return known.to;
    }
  }
  return {};
}

void append_data_url(std::string& out, const chat::Media& media, std::string_view default_type) {
  out += "data:";
  out += media.media_type.empty() ? default_type : media.media_type;
  out += ";base64,";
  out += media.data;
}

}  // namespace llmgw::dialects
