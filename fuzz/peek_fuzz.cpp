// links: gateway Boost::json
// The peek against an independent reading of the same body by Boost.JSON, member by member: whatever Boost takes as one
// JSON object, the peek takes too or refuses for a reason of its own, and both see the same model, stream and owner.
#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/entrance/peek.h"

namespace {

using boost::json::error_code;
using boost::json::string_view;
namespace base = llmgw::base;
namespace gateway = llmgw::gateway;
namespace json = llmgw::json;

struct Member {
  std::string key;
  char kind = 0;  // the value's first byte
  std::string text;
};

// Collects the members of the outermost object.
struct Handler {
  static constexpr size_t max_object_size = SIZE_MAX;
  static constexpr size_t max_array_size = SIZE_MAX;
  static constexpr size_t max_key_size = SIZE_MAX;
  static constexpr size_t max_string_size = SIZE_MAX;

  std::vector<Member> members;
  std::string partial;
  size_t depth = 0;
  size_t deepest = 0;
  bool object = false;

  bool value(char kind, std::string text) {
    if (depth == 1 && object) {
      members.back().kind = kind;
      members.back().text = std::move(text);
    }
    return true;
  }
  bool enter(char kind) {
    if (depth == 0) object = kind == '{';
    value(kind, {});
    deepest = std::max(deepest, ++depth);
    return true;
  }
  bool part(string_view text) {
    partial.append(text.data(), text.size());
    return true;
  }
  std::string whole(string_view text) {
    part(text);
    return std::exchange(partial, {});
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return enter('{'); }
  bool on_object_end(size_t, error_code&) { return depth-- > 0; }
  bool on_array_begin(error_code&) { return enter('['); }
  bool on_array_end(size_t, error_code&) { return depth-- > 0; }
  bool on_key_part(string_view text, size_t, error_code&) { return part(text); }
  bool on_key(string_view text, size_t, error_code&) {
    std::string key = whole(text);
    if (depth == 1 && object) members.push_back({std::move(key), 0, {}});
    return true;
  }
  bool on_string_part(string_view text, size_t, error_code&) { return part(text); }
  bool on_string(string_view text, size_t, error_code&) { return value('"', whole(text)); }
  bool on_number_part(string_view, error_code&) { return true; }
  bool on_int64(int64_t, string_view, error_code&) { return value('0', {}); }
  bool on_uint64(uint64_t, string_view, error_code&) { return value('0', {}); }
  bool on_double(double, string_view, error_code&) { return value('0', {}); }
  bool on_bool(bool truth, error_code&) { return value(truth ? 't' : 'f', {}); }
  bool on_null(error_code&) { return value('n', {}); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }
};

void require(bool condition) {
  if (!condition) std::abort();
}

// What the peek may refuse in a document that is right as JSON.
bool may_refuse(const Handler& reference) {
  if (!reference.object || reference.deepest > json::kDepthMax) return true;
  int models = 0;
  int streams = 0;
  int owners = 0;
  for (const auto& member : reference.members) {
    const bool control = member.text.find_first_of(std::string("\x7F\0", 2)) != std::string::npos ||
                         std::any_of(member.text.begin(), member.text.end(), [](char c) { return c >= 0 && c < ' '; });
    if (member.key == "model") {
      if (++models > 1 || member.kind != '"' || member.text.empty() || control) return true;
      if (member.text.size() > gateway::kModelNameBytesMax) return true;
    } else if (member.key == "stream") {
      if (++streams > 1 || (member.kind != 't' && member.kind != 'f' && member.kind != 'n')) return true;
    } else if (member.key == "owned_by") {
      if (++owners > 1 || (member.kind != '"' && member.kind != 'n') || control) return true;
      if (member.text.size() > gateway::kOwnedByBytesMax) return true;
    }
  }
  return false;
}

void compare(const gateway::Peek& peeked, const Handler& reference, std::string_view body) {
  bool has_model = false;
  bool has_owner = false;
  std::optional<bool> stream;
  for (const auto& member : reference.members) {
    if (member.key == "model") {
      has_model = true;
      require(peeked.model == member.text);
    } else if (member.key == "stream" && member.kind != 'n') {
      stream = member.kind == 't';
    } else if (member.key == "owned_by") {
      has_owner = true;
      require(peeked.owned_by == member.text);
    }
  }
  require(peeked.has_model == has_model);
  require(peeked.stream == stream);
  require((peeked.owned_by_span.data() != nullptr) == has_owner);
  for (const auto span : {peeked.model_span, peeked.owned_by_span}) {
    if (span.data() == nullptr) continue;
    require(span.data() >= body.data() && span.data() + span.size() <= body.data() + body.size() && !span.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Its own buffer of the exact size: a byte read behind it is found.
  const std::vector<char> bytes(data, data + size);
  const std::string_view body(bytes.data(), bytes.size());
  static json::Parser parser;
  base::Arena arena;
  const auto peeked = gateway::peek_by_index(parser, body, arena);
  const auto direct = gateway::peek_directly(body, arena);
  require(direct.has_value() == peeked.has_value());
  require(!direct || (*direct == *peeked && direct->model_span.data() == peeked->model_span.data() &&
                      direct->owned_by_span.data() == peeked->owned_by_span.data()));

  boost::json::parse_options options;
  options.max_depth = json::kDepthMax + 2;
  boost::json::basic_parser<Handler> reference(options);
  error_code error;
  const size_t used = reference.write_some(false, body.data(), body.size(), error);
  const bool valid = !error && body.find_first_not_of(" \t\r\n", used) == std::string_view::npos;
  if (valid) {
    require(peeked.has_value() || may_refuse(reference.handler()));
    if (peeked) compare(*peeked, reference.handler(), body);
  } else if (peeked) {
    // Escapes inside strings nobody reads are not looked at, lone surrogates are allowed, and no number is too large.
    using Code = boost::json::error;
    const bool in_a_string = body.find('\\') != std::string_view::npos;
    require(in_a_string || error == Code::exponent_overflow || error == Code::too_deep);
  }
  return 0;
}
