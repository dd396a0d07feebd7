#include "dialects/openai_chat/vendor_body.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/find_text.h"
#include "chat/turns.h"
#include "json/splice.h"
#include "json/tree.h"

namespace llmgw::dialects::openai_chat {
namespace {

using json::Value;

constexpr std::string_view kNewName = "max_completion_tokens";
constexpr std::string_view kOldName = "max_tokens";
constexpr std::string_view kStreamOptions = "stream_options";

bool takes_old_name(const chat::Target& target) {
  return target.max_tokens_name == chat::MaxTokensName::max_tokens;
}

bool has_id_rule(const chat::Target& target) {
  return target.tool_id_rule != chat::ToolIdRule::any;
}

class Fitter {
 public:
  Fitter(std::string_view body, const chat::Target& target, base::Arena& arena)
      : body_(body), target_(target), arena_(arena) {}

  std::string_view fit(Value root) {
    for (const json::Member member : root.members()) {
      if (member.is(kNewName) && takes_old_name(target_)) {
        // Both names in one body: the newer one counts, as everywhere.
        if (!root[kOldName].present()) edits_.push_back({member.escaped_key, kOldName});
      } else if (member.is(kStreamOptions) && !target_.stream_options && !std::exchange(cut_, true)) {
        edits_.push_back({whole(member), {}});
      } else if (member.is("messages") && has_id_rule(target_)) {
        for (const Value message : member.value.elements()) tool_ids(message);
      }
    }
    return edits_.empty() ? body_ : arena_.copy(edited());
  }

 private:
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

  // The member with one of the commas beside it.
  std::string_view whole(const json::Member& member) const {
    constexpr std::string_view kSpace = " \t\r\n";
    size_t begin = static_cast<size_t>(member.escaped_key.data() - body_.data()) - 1;
    const std::string_view value = member.value.raw();
    size_t end = static_cast<size_t>(value.data() - body_.data()) + value.size();
    const size_t behind = body_.find_first_not_of(kSpace, end);
    const size_t before = body_.find_last_not_of(kSpace, begin - 1);
    if (body_[before] == ',') {
      begin = before;
    } else if (body_[behind] == ',') {
      end = behind + 1;
    }
    return body_.substr(begin, end - begin);
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
  std::vector<json::Edit> edits_;
  bool cut_ = false;  // one of a name: cuts of neighbours would want the same comma
};

bool has(std::string_view body, std::string_view text) {
  return base::find_text(body, text) != std::string_view::npos;
}

}  // namespace

bool may_need_fitting(std::string_view body, const chat::Target& target) {
  return (takes_old_name(target) && has(body, kNewName)) || (!target.stream_options && has(body, kStreamOptions)) ||
         (has_id_rule(target) && has(body, "\"tool_call"));
}

std::string_view fit_vendor_body(std::string_view body, const chat::Target& target, json::Parser& parser,
                                 base::Arena& arena) {
  const auto root = json::parse_tree(parser, body, arena);
  return root && root->is_object() ? Fitter(body, target, arena).fit(*root) : body;
}

}  // namespace llmgw::dialects::openai_chat
