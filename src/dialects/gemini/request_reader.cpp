#include "dialects/gemini/request_reader.h"

#include "chat/schema.h"
#include "dialects/gemini/functions.h"
#include "dialects/gemini/request_members.h"
#include "dialects/gemini/request_object.h"
#include "dialects/gemini/words.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {

using json::Value;

namespace {

struct Members {
  Value contents, system, tools, tool_config, generation, labels, service_tier;
};

Members members_of_request(Value root, chat::Request& request, base::Arena& arena) {
  Members members;
  for (const json::Member member : root.members()) {
    const std::string_view key = member.key(arena);
    if (member.value.is_null()) continue;
    if (key == "contents") {
      members.contents = member.value;
    } else if (key == "systemInstruction" || key == "system_instruction") {
      members.system = member.value;
    } else if (key == "tools") {
      members.tools = member.value;
    } else if (key == "toolConfig" || key == "tool_config") {
      members.tool_config = member.value;
    } else if (key == "generationConfig" || key == "generation_config") {
      members.generation = member.value;
    } else if (key == "labels") {
      members.labels = member.value;
    } else if (key == "serviceTier" || key == "service_tier") {
      members.service_tier = member.value;
    } else if (key != "model") {
      request.extras.push(arena, {.name = key, .value = member.value.raw()});
    }
  }
  return members;
}

}  // namespace

Outcome<void> read_request_object(Value root, const ReadContext& context, chat::Request& request) {
  if (!is_gemini(request.from)) request.from = chat::Dialect::gemini;
  const Members members = members_of_request(root, request, context.arena);
  ContentsReader contents(context, request);
  std::vector<PendingSchema> schemas;
  ConfigReader config(context, request, schemas);
  if (members.system.present()) TRY_VOID(contents.read_system(members.system));
  if (!members.contents.present()) return invalid(context.arena, "contents", "contents is not specified.");
  TRY_VOID(contents.read_contents(members.contents));
  if (members.tools.present()) TRY_VOID(config.read_tools(members.tools));
  if (members.tool_config.present()) TRY_VOID(config.read_tool_config(members.tool_config));
  if (members.generation.present()) TRY_VOID(config.read_generation(members.generation));
  if (members.labels.is_object() && !members.labels.empty()) request.metadata = members.labels.raw();
  request.service_tier = members.service_tier.string(context.arena);
  // The tree is gone when schemas are parsed.
  TRY_VOID(check_members(root, kRequestShape, request, context.arena));
  for (const PendingSchema& pending : schemas) {
    const std::string_view schema = chat::schema_from_openapi(pending.schema, context.parser, context.arena);
    if (pending.place == PendingSchema::Place::tool) {
      request.tools[pending.tool].schema = schema;
    } else {
      request.format.schema = schema;
    }
  }
  return {};
}

Outcome<void> read_request(std::string_view body, const ReadContext& context, chat::Request& request) {
  const auto root = json::parse_tree(context.parser, body, context.arena);
  if (!root) return invalid(context.arena, "", root.error().context);
  if (!root->is_object()) return invalid(context.arena, "", "The request body must be a JSON object.");
  return read_request_object(*root, context, request);
}

}  // namespace llmgw::dialects::gemini
