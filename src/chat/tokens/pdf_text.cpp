#include "chat/tokens/pdf_text.h"

#include <zlib.h>

#include <algorithm>
#include <string>

namespace llmgw::chat {
namespace {

// A page's content is some KB; what is larger is a picture or an attack.
constexpr size_t kStreamBytesMax = size_t{1} << 20;
// Of all streams together, inflated: a book. Beyond, the rest counts nothing.
constexpr size_t kTextBytesMax = size_t{16} << 20;
constexpr uint64_t kPagesMax = 1000;  // more than any provider takes

// Into the buffer, which is of that size; empty if it is not deflated, or too large.
std::string_view inflate(std::string_view deflated, std::string& buffer) {
  auto size = static_cast<uLongf>(buffer.size());
  const auto* const source = reinterpret_cast<const Bytef*>(deflated.data());
  const int status = ::uncompress(reinterpret_cast<Bytef*>(buffer.data()), &size, source, deflated.size());
  // The end of a stream is not always where its dictionary says.
  const bool useful = status == Z_OK || status == Z_DATA_ERROR || (status == Z_BUF_ERROR && size < buffer.size());
  return std::string_view(buffer).substr(0, useful ? size : 0);
}

// Characters of the string that begins at `at`, which moves behind it.
uint64_t literal(std::string_view text, size_t& at) {
  uint64_t characters = 0;
  int depth = 0;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\\') {
      ++at;
    } else if (c == '(') {
      if (depth++ == 0) continue;
    } else if (c == ')') {
      if (--depth == 0) break;
    }
    ++characters;
  }
  return characters;
}

// What the operators between BT and ET show. Hexadecimal strings are of fonts with two bytes a character.
uint64_t shown(std::string_view content) {
  constexpr size_t kHexOfCharacter = 4;
  uint64_t characters = 0;
  for (size_t begin = content.find("BT"); begin != std::string_view::npos;) {
    const size_t end = std::min(content.find("ET", begin), content.size());
    const std::string_view text = content.substr(begin, end - begin);
    for (size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '(') {
        characters += literal(text, at);
      } else if (text[at] == '<' && at + 1 < text.size() && text[at + 1] != '<') {
        const size_t close = std::min(text.find('>', at), text.size());
        characters += (close - at - 1) / kHexOfCharacter;
        at = close;
      }
    }
    begin = content.find("BT", end);
  }
  return characters;
}

uint64_t count_pages(std::string_view bytes) {
  constexpr std::string_view kType = "/Type";
  uint64_t pages = 0;
  for (size_t at = bytes.find(kType); at != std::string_view::npos; at = bytes.find(kType, at + 1)) {
    size_t next = at + kType.size();
    while (next < bytes.size() && bytes[next] == ' ') ++next;
    const std::string_view name = bytes.substr(next, 6);
    pages += name.starts_with("/Page") && (name.size() == 5 || name[5] != 's') ? 1 : 0;
  }
  return pages;
}

}  // namespace

PdfCounts count_pdf(std::string_view bytes) {
  constexpr std::string_view kStream = "stream";
  constexpr std::string_view kEnd = "endstream";
  PdfCounts counts{.pages = count_pages(bytes)};
  std::string buffer(kStreamBytesMax, '\0');
  size_t inflated_bytes = 0;
  for (size_t at = bytes.find(kStream); at != std::string_view::npos; at = bytes.find(kStream, at)) {
    at += kStream.size();
    at += bytes.substr(at).starts_with("\r\n") ? 2 : 1;
    const size_t end = bytes.find(kEnd, std::min(at, bytes.size()));
    if (end == std::string_view::npos) break;
    const std::string_view raw = bytes.substr(at, end - at);
    at = end + kEnd.size();
    const std::string_view text = inflate(raw, buffer);
    inflated_bytes += text.size();
    if (inflated_bytes > kTextBytesMax) break;
    const std::string_view content = text.empty() ? raw.substr(0, kStreamBytesMax) : text;
    // Objects may be in streams too.
    counts.pages += text.empty() ? 0 : count_pages(content);
    counts.characters += shown(content);
  }
  counts.pages = std::clamp<uint64_t>(counts.pages, 1, kPagesMax);
  return counts;
}

}  // namespace llmgw::chat
