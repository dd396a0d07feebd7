#include <string>

#include "dialects/bedrock/block_reader.h"
#include "dialects/bedrock/functions.h"
#include "dialects/bedrock/request_members.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::bedrock {
namespace {

using json::Value;

constexpr std::string_view kFields = "additionalModelRequestFields.";

class RequestReader {
 public:
  RequestReader(const ReadContext& context, chat::Request& request)
      : context_(context), arena_(context.arena), request_(request) {}

  Outcome<void> read(Value root) {
    Value messages;
    TRY_VOID(system(root["system"]));
    for (const json::Member member : root.members()) {
      const Value value = member.value;
      const auto is = [&member](std::string_view name) { return member.is(name); };
      if (value.is_null() || is("system") || is("modelId")) continue;
      if (is("messages")) {
        messages = value;
      } else if (is("inferenceConfig")) {
        TRY_VOID(inference(value));
      } else if (is("toolConfig")) {
        TRY_VOID(tools(value));
      } else if (is("additionalModelRequestFields")) {
        TRY_VOID(additional(value));
      } else if (is("outputConfig")) {
        TRY_VOID(output(value));
      } else if (is("requestMetadata")) {
        if (!value.empty()) request_.metadata = value.raw();
      } else if (is("serviceTier")) {
        request_.service_tier = value["type"].string(arena_);
      } else {
        extra(member.key(arena_), value);
      }
    }
    TRY_VOID(conversation(messages));
    return check_members(root, kRequestShape, request_, arena_);
  }

 private:
  void extra(std::string_view name, Value value) {
    if (!value.is_unset()) request_.extras.push(arena_, {.name = name, .value = value.raw()});
  }

  // How the client says how to reason: both of the model's words for it.
  void spell(std::string_view field, std::string_view client) {
    request_.spellings.push(arena_, {.field = field, .client = client});
    request_.spellings.push(arena_, {.field = "reasoning_effort", .client = client});
  }

  Outcome<void> system(Value value) {
    chat::Message message{.role = chat::Role::system, .path = "system"};
    BlockReader blocks(context_, true);
    TRY_VOID(blocks.read(value, "system", message.parts));
    if (!message.parts.empty()) request_.messages.push(arena_, message);
    return {};
  }

  Outcome<void> conversation(Value messages) {
    if (messages.is_unset()) return {};
    if (!messages.is_array()) return invalid(arena_, "messages", "Expected an array of messages.");
    size_t index = 0;
    for (const Value element : messages.elements()) {
      const Value role = element["role"];
      chat::Message message{.path = indexed("messages", index, "", arena_)};
      if (role.equals("assistant")) {
        message.role = chat::Role::assistant;
      } else if (role.equals("system")) {
        message.role = chat::Role::system;
      } else if (!role.equals("user")) {
        return invalid(arena_, indexed("messages", index, ".role", arena_), "Expected user, assistant or system.");
      }
      BlockReader blocks(context_, true);
      const std::string_view path = indexed("messages", index, ".content", arena_);
      TRY_VOID(blocks.read(element["content"], path, message.parts));
      request_.messages.push(arena_, message);
      ++index;
    }
    return {};
  }

  Outcome<void> inference(Value value) {
    for (const json::Member member : value.members()) {
      if (member.value.is_null()) continue;
      if (member.is("maxTokens")) {
        request_.max_tokens = member.value.unsigned_integer();
        if (!request_.max_tokens) return invalid(arena_, "inferenceConfig.maxTokens", "Expected a whole number.");
      } else if (member.is("temperature")) {
        request_.temperature = member.value.number();
      } else if (member.is("topP")) {
        request_.top_p = member.value.number();
      } else if (member.is("stopSequences")) {
        for (const Value text : member.value.elements()) request_.stop.push(arena_, text.string(arena_));
      } else {
        extra(arena_.concat("inferenceConfig.", member.key(arena_)), member.value);
      }
    }
    return {};
  }

  Outcome<void> tools(Value config) {
    size_t index = 0;
    for (const Value element : config["tools"].elements()) {
      const Value spec = element["toolSpec"];
      const Value point = element["cachePoint"];
      if (spec.is_object()) {
        tool(spec, indexed("toolConfig.tools", index, "", arena_));
      } else if (point.is_object()) {
        if (!request_.tools.empty()) request_.tools.back().cache = read_cache_point(point);
      } else if (element["systemTool"].is_object()) {
        request_.tools.push(arena_, {.kind = chat::ToolKind::opaque,
                                     .origin = chat::Dialect::bedrock,
                                     .name = element["systemTool"]["name"].string(arena_),
                                     .raw = element.raw(),
                                     .path = indexed("toolConfig.tools", index, "", arena_)});
      } else {
        return invalid(arena_, indexed("toolConfig.tools", index, "", arena_), "Expected a toolSpec.");
      }
      ++index;
    }
    const Value choice = config["toolChoice"];
    if (choice["auto"].present()) request_.tool_choice.mode = chat::ToolChoiceMode::automatic;
    if (choice["any"].present()) request_.tool_choice.mode = chat::ToolChoiceMode::required;
    if (choice["tool"].present()) {
      request_.tool_choice.mode = chat::ToolChoiceMode::named;
      request_.tool_choice.name = choice["tool"]["name"].string(arena_);
    }
    return {};
  }

  void tool(Value spec, std::string_view path) {
    const Value schema = spec["inputSchema"]["json"];
    chat::Tool tool{.origin = chat::Dialect::bedrock,
                    .strict = spec["strict"].boolean(),
                    .name = spec["name"].string(arena_),
                    .description = spec["description"].string(arena_),
                    .path = path};
    if (!schema.is_unset()) tool.schema = schema.raw();
    request_.tools.push(arena_, tool);
  }

  // The effort is one of the model's words, whichever member says it.
  Outcome<void> effort(Value value, std::string_view field) {
    request_.reasoning.effort = chat::effort_from(value.string(arena_));
    if (request_.reasoning.effort != chat::Effort::unset) return {};
    return invalid(arena_, field, "Expected none, minimal, low, medium, high, xhigh or max.");
  }

  // What each family of models takes beside the common parameters.
  Outcome<void> additional(Value fields) {
    for (const json::Member member : fields.members()) {
      const Value value = member.value;
      if (value.is_null()) continue;
      const bool claude_effort = member.is("output_config") && value["effort"].is_string() && value.size() == 1;
      if (member.is("thinking")) {
        TRY_VOID(thinking(value));
      } else if (claude_effort) {
        const std::string_view field = "additionalModelRequestFields.output_config.effort";
        spell("reasoning", field);
        TRY_VOID(effort(value["effort"], field));
      } else if (member.is("reasoning_effort") || (member.is("reasoning_config") && value.is_string())) {
        const std::string_view field = arena_.concat(kFields, member.key(arena_));
        spell("reasoning", field);
        TRY_VOID(effort(value, field));
      } else if (member.is("reasoningConfig")) {
        TRY_VOID(nova_reasoning(value));
      } else if (member.is("top_k") || member.is("topK")) {
        request_.spellings.push(arena_, {.field = "top_k", .client = arena_.concat(kFields, member.key(arena_))});
        request_.top_k = value.number();
      } else if (member.is("inferenceConfig") && value["topK"].is_number() && value.size() == 1) {
        const std::string_view nova = "additionalModelRequestFields.inferenceConfig.topK";
        request_.spellings.push(arena_, {.field = "top_k", .client = nova});
        request_.top_k = value["topK"].number();
      } else {
        extra(arena_.concat(kFields, member.key(arena_)), value);
      }
    }
    return {};
  }

  Outcome<void> nova_reasoning(Value value) {
    spell("reasoning", "additionalModelRequestFields.reasoningConfig");
    const Value type = value["type"];
    const bool enabled = type.equals("enabled");
    if (!enabled && !type.equals("disabled") && !type.is_unset()) {
      return invalid(arena_, "additionalModelRequestFields.reasoningConfig.type", "Expected enabled or disabled.");
    }
    request_.reasoning.mode = enabled ? chat::ReasoningMode::on : chat::ReasoningMode::off;
    const Value most = value["maxReasoningEffort"];
    if (most.is_unset()) return {};
    return effort(most, "additionalModelRequestFields.reasoningConfig.maxReasoningEffort");
  }

  Outcome<void> thinking(Value value) {
    chat::Reasoning& reasoning = request_.reasoning;
    if (value["type"].equals("enabled")) {
      reasoning.mode = chat::ReasoningMode::on;
      reasoning.budget_tokens = value["budget_tokens"].integer();
      if (!reasoning.budget_tokens) {
        return invalid(arena_, "additionalModelRequestFields.thinking.budget_tokens", "Expected a whole number.");
      }
      reasoning.visible = true;
    } else if (value["type"].equals("adaptive")) {
      reasoning.mode = chat::ReasoningMode::adaptive;
    } else if (value["type"].equals("disabled")) {
      reasoning.mode = chat::ReasoningMode::off;
    } else if (value.is_object()) {
      return invalid(arena_, "additionalModelRequestFields.thinking.type", "Expected enabled, adaptive or disabled.");
    }
    if (value["display"].equals("summarized")) reasoning.visible = true;
    if (value["display"].equals("omitted")) reasoning.visible = false;
    return {};
  }

  Outcome<void> output(Value config) {
    if (config["effort"].is_string()) {
      spell("reasoning", "outputConfig.effort");
      TRY_VOID(effort(config["effort"], "outputConfig.effort"));
    }
    const Value schema = config["textFormat"]["structure"]["jsonSchema"];
    if (!schema["schema"].is_string()) return {};
    request_.format = {.kind = chat::FormatKind::json_schema,
                       .strict = true,
                       .name = schema["name"].string(arena_),
                       .description = schema["description"].string(arena_),
                       .schema = schema["schema"].string(arena_)};
    return {};
  }

  const ReadContext& context_;
  base::Arena& arena_;
  chat::Request& request_;
};

}  // namespace

Outcome<void> read_request(std::string_view body, const ReadContext& context, chat::Request& request) {
  request.from = chat::Dialect::bedrock;
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", std::string("The body is not JSON: ") + root.error().context + ".");
  if (!root->is_object()) return invalid(context.arena, "", "The body must be a JSON object.");
  return RequestReader(context, request).read(*root);
}

}  // namespace llmgw::dialects::bedrock
