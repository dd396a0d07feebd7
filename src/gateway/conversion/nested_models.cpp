#include "gateway/conversion/nested_models.h"

#include <algorithm>
#include <vector>

#include "json/splice.h"
#include "json/text.h"

namespace llmgw::gateway {
namespace {

using json::Kind;
using json::Reader;

void read_object(Reader& reader, bool top, std::vector<std::string_view>& found);

void read_requests(Reader& reader, std::vector<std::string_view>& found) {
  if (!reader.enter_array()) return;
  while (reader.next_element()) {
    if (reader.kind() == Kind::object) {
      read_object(reader, false, found);
    } else {
      reader.skip();
    }
  }
}

// The model members of one object: their values, quotes included. Keys are compared as written: an escaped one is
// nothing that an SDK sends, and the upstream decides what it means.
void read_object(Reader& reader, bool top, std::vector<std::string_view>& found) {
  std::string_view key;
  if (!reader.enter_object()) return;
  while (reader.next_member(key)) {
    if (key == "model" && reader.kind() == Kind::string) {
      found.push_back(reader.skip());
    } else if (top && key == "requests" && reader.kind() == Kind::array) {
      read_requests(reader, found);
    } else if (top && (key == "generateContentRequest" || key == "generate_content_request") &&
               reader.kind() == Kind::object) {
      read_object(reader, false, found);
    } else {
      reader.skip();
    }
  }
}

}  // namespace

base::Result<std::string_view> replace_nested_models(json::Parser& parser, std::string_view body,
                                                     std::string_view remote, base::Arena& arena) {
  TRY(document, parser.parse(body));
  Reader reader(document);
  std::vector<std::string_view> found;
  read_object(reader, true, found);
  TRY_VOID(reader.finish());
  if (found.empty()) return body;

  const std::string_view name = json::quoted(arena, arena.concat("models/", remote));
  size_t size = body.size();
  for (const auto value : found) size += name.size() - value.size();
  const std::span<char> memory = arena.bytes(size);
  char* out = memory.data();
  const auto put = [&out](std::string_view text) { out = std::copy(text.begin(), text.end(), out); };
  const char* from = body.data();
  for (const auto value : found) {
    put({from, static_cast<size_t>(value.data() - from)});
    put(name);
    from = value.data() + value.size();
  }
  put({from, static_cast<size_t>(body.data() + body.size() - from)});
  return std::string_view(memory.data(), memory.size());
}

}  // namespace llmgw::gateway
