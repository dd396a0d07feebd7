#include "dialects/foreign_items.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_set>

#include "dialects/losses.h"
#include "dialects/media.h"
#include "dialects/request_gates.h"
#include "dialects/unknown_content.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::Message;
using chat::Part;
using chat::PartKind;
using json::Value;

// Tools of the Responses API which the client runs.
struct ClientRun {
  std::string_view call;
  std::string_view output;
  std::string_view name;
  std::string_view arguments;  // the member of the call that has them
};
constexpr std::array<ClientRun, 4> kClientRun{{
    {"shell_call", "shell_call_output", "shell", "action"},
    {"local_shell_call", "local_shell_call_output", "local_shell", "action"},
    {"apply_patch_call", "apply_patch_call_output", "apply_patch", "operation"},
    {"computer_call", "computer_call_output", "computer", "action"},
}};

// A member of Anthropic's requests, which are then no questions.
constexpr std::string_view kCompaction = "compaction";
constexpr std::string_view kBecameCall = "an item of the provider's own tool became one of a function";

class Carrier {
 public:
  Carrier(const chat::Request& request, WriteContext& context)
      : request_(request), context_(context), arena_(context.arena) {}

  Outcome<void> run(chat::Request& copy) {
    copy.messages = {};
    for (const Message& message : request_.messages) {
      Message carried = message;
      carried.parts = {};
      for (const Part& part : message.parts) TRY_VOID(carry(part, carried));
      if (!carried.parts.empty() || message.parts.empty()) copy.messages.push(arena_, carried);
    }
    if (removed_.empty()) return {};
    copy.tools = {};
    for (const chat::Tool& tool : request_.tools) {
      if (!removed_.contains(tool.name)) copy.tools.push(arena_, tool);
    }
    return {};
  }

 private:
  Outcome<void> carry(const Part& part, Message& message) {
    const bool known = part.origin == Dialect::anthropic || part.origin == Dialect::openai_responses;
    if (part.kind == PartKind::opaque && known) {
      const auto root = json::parse_tree(context_.parser, part.text, arena_);
      if (root && root->is_object()) {
        TRY(taken, part.origin == Dialect::anthropic ? block(*root, message) : item(*root, message));
        if (taken) return {};
      }
    }
    message.parts.push(arena_, part);
    return {};
  }

  // A block of Anthropic's; false if it is none of those that are carried.
  Outcome<bool> block(Value block, Message& message) {
    const Value type = block["type"];
    if (type.equals(kCompaction)) {
      for (const Value change : block["tool_changes"].elements()) (void)tool_change(change);
      // Without a text it is a summary that failed, which says nothing.
      if (const std::string_view text = block["content"].string(arena_); !text.empty()) {
        message.parts.push(arena_, {.kind = PartKind::text, .text = text});
        context_.warnings.changed(message.path, "a summary of the conversation became text");
      }
      return true;
    }
    return tool_change(block);
  }

  // A tool that joins is among the request's already: the reader put it there.
  bool tool_change(Value change) {
    const bool joins = change["type"].equals("tool_addition");
    if (!joins && !change["type"].equals("tool_removal")) return false;
    const Value tool = change["tool"];
    const bool defined = tool["type"].equals("tool_definition");
    if (!defined && !tool["type"].equals("tool_reference")) return false;
    const std::string_view name = (defined ? tool["definition"] : tool)["name"].string(arena_);
    if (joins) {
      removed_.erase(name);
    } else {
      removed_.insert(name);
    }
    return true;
  }

  // An item of the Responses API.
  Outcome<bool> item(Value item, Message& message) {
    const std::string_view type = item["type"].string(arena_);
    if (type == "additional_tools") return true;  // the reader put them among the request's
    if (type.starts_with("compaction") && !type.ends_with("_trigger")) {
      return invalid(arena_, message.path,
                     "Only the provider that summed the conversation up can read the summary, and this model is "
                     "another's: send the conversation itself.");
    }
    for (const ClientRun& tool : kClientRun) {
      if (type == tool.call) return call(item, tool, message);
      if (type == tool.output) return output(item, tool, message);
    }
    return false;
  }

  // Older items of local_shell are paired by their `id`.
  std::string_view pair_id(Value item) { return item.any_of("call_id", "id").string(arena_); }

  bool call(Value item, const ClientRun& tool, Message& message) {
    const Value arguments = item.any_of(tool.arguments, "actions");
    message.parts.push(arena_, {.kind = PartKind::tool_call,
                                .text = arguments.is_unset() ? std::string_view("{}") : arguments.raw(),
                                .id = pair_id(item),
                                .name = tool.name});
    context_.warnings.changed(message.path, kBecameCall);
    return true;
  }

  bool output(Value item, const ClientRun& tool, Message& message) {
    Part result{.kind = PartKind::tool_result,
                .is_error = item["status"].equals("failed"),
                .id = pair_id(item),
                .name = tool.name};
    const Value output = item["output"];
    const std::string_view picture = output["image_url"].string(arena_);
    if (!picture.empty()) {
      auto* const media = arena_.make<chat::Media>(media_from_text(picture, "image/png", arena_));
      media->path = arena_.concat(message.path, ".output");
      result.content.push(arena_, {.kind = PartKind::image, .media = media});
    } else if (output.is_string()) {
      result.content.push(arena_, {.kind = PartKind::text, .text = output.string(arena_)});
    } else if (!output.is_unset()) {
      result.json_result = true;
      result.content.push(arena_, {.kind = PartKind::text, .text = output.raw()});
    }
    message.parts.push(arena_, result);
    context_.warnings.changed(message.path, kBecameCall);
    return true;
  }

  const chat::Request& request_;
  WriteContext& context_;
  base::Arena& arena_;
  std::unordered_set<std::string_view> removed_;  // names of tools that left
};

bool has_opaque(const chat::List<Part>& parts) {
  return std::ranges::any_of(
      parts, [](const Part& part) { return part.kind == PartKind::opaque || has_opaque(part.content); });
}

bool has_foreign_item(const chat::Request& request) {
  return std::ranges::any_of(request.messages, [](const Message& message) { return has_opaque(message.parts); });
}

}  // namespace

bool is_in_conversation(const chat::Tool& tool) {
  return tool.path.starts_with("messages[") || tool.path.starts_with("input[");
}

Outcome<const chat::Request*> carry_foreign_items(const chat::Request& request, const chat::Target& target,
                                                  WriteContext& context) {
  const bool own = same_format(request.from, target.dialect);
  if (!own && std::ranges::any_of(request.extras, [](const chat::Extra& extra) { return extra.name == kCompaction; })) {
    return invalid(context.arena, kCompaction,
                   "This model's API does not sum a conversation up: ask for that in words.");
  }
  if (own ? std::ranges::none_of(request.tools, is_in_conversation) : !has_foreign_item(request)) return &request;
  auto* const copy = context.arena.make<chat::Request>(request);
  if (own) {
    copy->tools = {};
    for (const chat::Tool& tool : request.tools) {
      if (!is_in_conversation(tool)) copy->tools.push(context.arena, tool);
    }
  } else {
    if (auto done = Carrier(request, context).run(*copy); !done) return std::unexpected(done.error());
    if (auto done = refuse_unknown_content(*copy, context); !done) return std::unexpected(done.error());
  }
  return copy;
}

}  // namespace llmgw::dialects
