// links: gateway Boost::json
// Replacing the model and cutting out the owner changes nothing else of a body: its document, as Boost.JSON reads it,
// is the same but for these two.
#include <boost/json.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "gateway/entrance/peek.h"
#include "json/splice.h"
#include "json/utf8.h"

namespace base = llmgw::base;
namespace gateway = llmgw::gateway;
namespace json = llmgw::json;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

std::optional<boost::json::value> parse(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = json::kDepthMax + 2;
  boost::json::error_code error;
  auto value = boost::json::parse({text.data(), text.size()}, error, {}, options);
  if (error) return std::nullopt;
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t name_size = std::min<size_t>(data[0], size - 1);
  const std::string name(reinterpret_cast<const char*>(data) + 1, name_size);
  const std::vector<char> bytes(data + 1 + name_size, data + size);
  const std::string_view body(bytes.data(), bytes.size());

  static json::Parser parser;
  base::Arena arena;
  const auto peeked = gateway::peek(parser, body, arena);
  if (!peeked || !peeked->has_model) return 0;
  json::Edit edits[2] = {{peeked->model_span, json::quoted(arena, name)}, {peeked->owned_by_span, ""}};
  const bool owner = peeked->owned_by_span.data() != nullptr;
  const auto pieces = json::splice(body, {edits, owner ? 2U : 1U});
  require(pieces.has_value());
  std::string whole;
  for (const auto part : pieces->parts()) whole += part;
  require(whole == pieces->joined(arena));
  require(whole.size() == pieces->size_bytes());

  auto before = parse(body);
  if (!before) return 0;  // Boost is stricter about escapes and exponents
  const auto copy = *before;
  if (!(copy == *before)) return 0;  // it reads 0E520 as NaN, which equals nothing
  const auto after = parse(whole);
  if (json::is_utf8(name)) {
    require(after.has_value());
    before->as_object()["model"] = name;
    before->as_object().erase("owned_by");
    require(*after == *before);
  }
  const auto again = gateway::peek(parser, whole, arena);
  if (again) {
    require(again->owned_by_span.data() == nullptr);
    require(again->stream == peeked->stream && again->max_output_tokens == peeked->max_output_tokens);
    if (json::is_utf8(name)) require(again->model == name);
  }
  return 0;
}
