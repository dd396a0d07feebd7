#include "dialects/cache_marks.h"

#include <array>
#include <string>

#include "base/find_text.h"
#include "chat/token_estimate.h"
#include "json/splice.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using json::Value;

constexpr std::string_view kMember = R"("cache_control":{"type":"ephemeral"})";
constexpr std::string_view kPoint = R"({"cachePoint":{"type":"default"}})";

class Marker {
 public:
  Marker(const chat::Target& target, base::Arena& arena) : target_(target), arena_(arena) {}

  std::string_view mark_messages(std::string_view body, Value root) {
    if (target_.auto_cache_system) {
      const Value system = root["system"];
      if (system.is_string() && is_long_enough(system.string(arena_).size())) {
        const std::string_view block = arena_.concat(R"([{"type":"text","text":)", system.raw());
        edit(system.raw(), arena_.concat(arena_.concat(block, ","), arena_.concat(kMember, "}]")));
      } else if (is_long_enough(text_bytes(system))) {
        // A text that is empty cannot be marked.
        const Value block = last_of(system);
        if (!block["text"].equals("")) mark_block(block);
      }
    }
    if (target_.auto_cache_tools) mark_block(last_loaded(root["tools"]));
    return spliced(body);
  }

  std::string_view mark_converse(std::string_view body, Value root) {
    if (target_.auto_cache_system && is_long_enough(text_bytes(root["system"]))) add_point(root["system"]);
    if (target_.auto_cache_tools) add_point(root["toolConfig"]["tools"]);
    return spliced(body);
  }

 private:
  bool is_long_enough(size_t bytes) const {
    return bytes != 0 && bytes / chat::kBytesPerToken >= target_.auto_cache_min_tokens;
  }

  size_t text_bytes(Value blocks) {
    size_t bytes = 0;
    for (const Value block : blocks.elements()) bytes += block["text"].string(arena_).size();
    return bytes;
  }

  static Value last_of(Value list) {
    Value last;
    for (const Value element : list.elements()) last = element;
    return last;
  }

  // Of tools that are looked up only when they are needed, the cache takes none.
  static Value last_loaded(Value tools) {
    Value last;
    for (const Value tool : tools.elements()) {
      if (!tool["defer_loading"].is_true()) last = tool;
    }
    return last;
  }

  // A member more, the last.
  void mark_block(Value block) {
    if (!block.is_object() || block.empty()) return;
    const std::string_view raw = block.raw();
    edit(raw.substr(raw.size() - 1, 0), arena_.concat(",", kMember));
  }

  // An element more, the last.
  void add_point(Value list) {
    if (!list.is_array() || list.empty()) return;
    const std::string_view raw = list.raw();
    edit(raw.substr(raw.size() - 1, 0), arena_.concat(",", kPoint));
  }

  void edit(std::string_view span, std::string_view text) { edits_[count_++] = {span, text}; }

  std::string_view spliced(std::string_view body) {
    const auto pieces = json::splice(body, {edits_.data(), count_});
    return count_ != 0 && pieces ? pieces->joined(arena_) : body;
  }

  const chat::Target& target_;
  base::Arena& arena_;
  std::array<json::Edit, 2> edits_;
  size_t count_ = 0;
};

}  // namespace

std::string_view add_cache_marks(std::string_view body, chat::Dialect api, const chat::Target& target,
                                 json::Parser& parser, base::Arena& arena) {
  const bool messages = api == chat::Dialect::anthropic;
  if (!messages && api != chat::Dialect::bedrock) return body;
  if (!target.auto_cache_system && !target.auto_cache_tools) return body;
  // A client that marks anything has chosen what is to be cached.
  if (may_have_cache_marks(body, api)) return body;
  const auto root = json::parse_tree(parser, body, arena);
  if (!root || !root->is_object()) return body;
  Marker marker(target, arena);
  return messages ? marker.mark_messages(body, *root) : marker.mark_converse(body, *root);
}

bool may_have_cache_marks(std::string_view body, chat::Dialect api) {
  // Inside a text the quotes would be escaped.
  const std::string_view name = api == chat::Dialect::anthropic ? R"("cache_control")" : R"("cachePoint")";
  return base::find_text(body, name) != std::string_view::npos;
}

std::string_view drop_cache_marks(std::string_view body, chat::Dialect api, const chat::Target& target,
                                  json::Parser& parser, base::Arena& arena, chat::Warnings& warnings) {
  const bool taken = !target.cache_marks || target.cache_marks_on_tools;
  if (api != chat::Dialect::bedrock || taken || !may_have_cache_marks(body, api)) return body;
  const auto root = json::parse_tree(parser, body, arena);
  if (!root) return body;
  const Value tools = (*root)["toolConfig"]["tools"];
  std::string left;
  bool any = false;
  for (const Value tool : tools.elements()) {
    const bool point = tool["cachePoint"].present();
    any = any || point;
    if (!point) left.append(left.empty() ? "" : ",").append(tool.raw());
  }
  if (!any) return body;
  warnings.dropped("cache_control", kNoMarksThere);
  const json::Edit edit{tools.raw(), arena.concat(arena.concat("[", left), "]")};
  const auto pieces = json::splice(body, {&edit, 1});
  return pieces ? pieces->joined(arena) : body;
}

}  // namespace llmgw::dialects
