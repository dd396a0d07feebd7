// links: json base
// Any split of the bytes gives the same elements and the same end; a JSON array gives its elements.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "json/array_splitter.h"
#include "json/tree.h"

using namespace llmgw;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class Log final : public json::ElementSink {
 public:
  void element(std::string_view json) override { elements.emplace_back(json); }
  std::vector<std::string> elements;
};

bool split(std::string_view text, size_t step, Log& log) {
  json::ArraySplitter splitter;
  for (size_t i = 0; i < text.size(); i += step) {
    if (!splitter.feed(text.substr(i, step), log)) return false;
  }
  return splitter.finish().has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::vector<char> bytes(data + 1, data + size);
  const std::string_view text(bytes.data(), bytes.size());
  Log whole;
  Log pieces;
  const bool complete = split(text, text.size() + 1, whole);
  require(split(text, 1 + data[0] % 16, pieces) == complete);
  require(whole.elements == pieces.elements);
  static json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, text, arena);
  if (!root || !(root->is_array() || root->is_object())) return 0;
  require(complete);
  if (root->is_object()) {
    require(whole.elements.size() == 1 && whole.elements[0] == root->raw());
    return 0;
  }
  size_t i = 0;
  for (const json::Value element : root->elements()) require(whole.elements.at(i++) == element.raw());
  require(i == whole.elements.size());
  return 0;
}
