#include "dialects/openai_chat/vendor_body.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/find_text.h"
#include "base/words.h"
#include "chat/turns.h"
#include "json/splice.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {
namespace {

using json::Value;

constexpr std::string_view kNewName = "max_completion_tokens";
constexpr std::string_view kOldName = "max_tokens";
constexpr std::string_view kStreamOptions = "stream_options";
constexpr std::string_view kSeed = "seed";
constexpr std::string_view kSpace = " \t\r\n";

bool takes_old_name(const chat::Target& target) {
  return target.max_tokens_name == chat::MaxTokensName::max_tokens;
}

bool has_id_rule(const chat::Target& target) {
  return target.tool_id_rule != chat::ToolIdRule::any;
}

class Fitter {
 public:
  Fitter(std::string_view body, const chat::Target& target, base::Arena& arena, chat::Warnings& warnings)
      : body_(body), target_(target), arena_(arena), warnings_(warnings) {}

  std::string_view fit(Value root) {
    for (const json::Member member : root.members()) {
      const bool cut = is_cut(member);
      members_.push_back({.whole = whole(member), .cut = cut});
      if (cut) continue;
      if (member.is(kNewName) && takes_old_name(target_)) {
        // Both names in one body: the newer one counts, as everywhere.
        rename(member, root, kOldName);
      } else if (member.is(kSeed)) {
        rename(member, root, target_.seed_name);
      } else if (member.is("messages") && has_id_rule(target_)) {
        for (const Value message : member.value.elements()) tool_ids(message);
      }
    }
    cut_members();
    return edits_.empty() ? body_ : arena_.copy(edited());
  }

 private:
  struct Part {
    std::string_view whole;  // name and value
    bool cut = false;
  };

  // Usage comes without stream_options, so that these are no loss.
  bool is_cut(const json::Member& member) {
    if (member.is(kStreamOptions)) return !target_.stream_options;
    const std::string_view name = member.key(arena_);
    if (!base::any_word(target_.refused_members, [name](auto each) { return each == name; })) return false;
    if (!member.value.is_null() && member.value.boolean() != false) {
      warnings_.dropped(name, "this provider refuses requests with it");
    }
    return true;
  }

  void rename(const json::Member& member, Value root, std::string_view name) {
    if (!member.is(name) && !root[name].present()) edits_.push_back({member.escaped_key, name});
  }

  std::string_view whole(const json::Member& member) const {
    const char* const begin = member.escaped_key.data() - 1;
    const std::string_view value = member.value.raw();
    return {begin, static_cast<size_t>(value.data() + value.size() - begin)};
  }

  // Each with the comma behind it; those behind the last that stays, with the one before.
  void cut_members() {
    size_t behind = members_.size();
    while (behind > 0 && members_[behind - 1].cut) --behind;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (!members_[i].cut) continue;
      const std::string_view part = members_[i].whole;
      const char* const begin = i < behind || i == 0 ? part.data() : end_of(members_[i - 1].whole);
      const char* const end = i < behind ? members_[i + 1].whole.data() : end_of(part);
      edits_.push_back({{begin, static_cast<size_t>(end - begin)}, {}});
    }
  }

  static const char* end_of(std::string_view text) { return text.data() + text.size(); }

  void tool_ids(Value message) {
    tool_id(message["tool_call_id"]);
    for (const Value call : message["tool_calls"].elements()) tool_id(call["id"]);
  }

  // The same id becomes the same everywhere, so that results still find their calls.
  void tool_id(Value value) {
    const std::string_view id = value.string(arena_);
    if (id.empty()) return;
    const std::string_view fitted = chat::fit_tool_id(id, target_.tool_id_rule, target_.tool_id_max, arena_);
    if (fitted != id) edits_.push_back({value.raw(), json::quoted(arena_, fitted)});
  }

  std::string edited() {
    std::ranges::sort(edits_, {}, [](const json::Edit& edit) { return edit.span.data(); });
    std::string text;
    text.reserve(body_.size());
    size_t at = 0;
    for (const json::Edit& edit : edits_) {
      const auto begin = static_cast<size_t>(edit.span.data() - body_.data());
      text += body_.substr(at, begin - at);
      text += edit.text;
      at = begin + edit.span.size();
    }
    return text += body_.substr(at);
  }

  std::string_view body_;
  const chat::Target& target_;
  base::Arena& arena_;
  chat::Warnings& warnings_;
  std::vector<Part> members_;
  std::vector<json::Edit> edits_;
};

bool has(std::string_view body, std::string_view text) {
  return base::find_text(body, text) != std::string_view::npos;
}

// "user" is a role in every body; a member is followed by its colon.
bool has_member(std::string_view body, std::string_view name) {
  const std::string quoted = '"' + std::string(name) + '"';
  for (size_t at = 0; (at = base::find_text(body, quoted, at)) != std::string_view::npos;) {
    at = body.find_first_not_of(kSpace, at + quoted.size());
    if (at == std::string_view::npos) return false;
    if (body[at] == ':') return true;
  }
  return false;
}

bool has_refused(std::string_view body, std::string_view names) {
  return base::any_word(names, [body](auto name) { return has_member(body, name); });
}

}  // namespace

bool may_need_fitting(std::string_view body, const chat::Target& target) {
  return (takes_old_name(target) && has(body, kNewName)) || (!target.stream_options && has(body, kStreamOptions)) ||
         (target.seed_name != kSeed && has_member(body, kSeed)) || has_refused(body, target.refused_members) ||
         (has_id_rule(target) && has(body, "\"tool_call"));
}

std::string_view fit_vendor_body(std::string_view body, const chat::Target& target, json::Parser& parser,
                                 base::Arena& arena, chat::Warnings& warnings) {
  const auto root = json::parse_tree(parser, body, arena);
  return root && root->is_object() ? Fitter(body, target, arena, warnings).fit(*root) : body;
}

}  // namespace llmgw::dialects::openai_chat
