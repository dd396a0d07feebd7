#include "dialects/unknown_content.h"

#include <string>
#include <string_view>

#include "dialects/media.h"
#include "dialects/request_gates.h"
#include "json/tree.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using chat::Part;
using json::Value;

// Tools that Anthropic runs, and what a search among the client's tools found: those are all in the request.
bool is_anthropics(std::string_view type) {
  return type.ends_with("_tool_use") || type.ends_with("_tool_result") || type == "tool_reference";
}

// Items of the Responses API are named so, and those that a model made have an id.
bool is_item(Value item, std::string_view type) {
  const auto ends = [type](std::string_view end) { return type.ends_with(end); };
  if (ends("_call") || ends("_output") || ends("_request") || ends("_response")) return true;
  return type.starts_with("mcp_") || type.starts_with("compaction") || item["id"].is_string();
}

bool is_googles(Value part) {
  return part.any_of("executableCode", "executable_code", "codeExecutionResult", "code_execution_result").is_object() ||
         part.any_of("toolCall", "tool_call", "toolResponse", "tool_response").is_object();
}

// Whatever role the client sends it back in.
bool is_history(Dialect origin, Value part, std::string_view type) {
  switch (origin) {
    case Dialect::anthropic: return is_anthropics(type);
    case Dialect::openai_responses: return is_item(part, type);
    case Dialect::gemini:
    case Dialect::vertex: return is_googles(part);
    // Of tools that Amazon runs: the client's own have become calls and results.
    case Dialect::bedrock: return part["toolUse"].is_object() || part["toolResult"].is_object();
    default: return false;
  }
}

std::string_view what_there_is(Dialect client) {
  switch (client) {
    case Dialect::anthropic: return "a block of type text, image, document, search_result or tool_result";
    case Dialect::openai_responses: return "a message, or an item that a response had or asked for";
    case Dialect::gemini:
    case Dialect::vertex: return "a part with text, inlineData, fileData or functionResponse";
    case Dialect::bedrock: return "a block with text, image, document, video, audio, searchResult or toolResult";
    case Dialect::cohere: return "content of type text, image_url or document";
    default: return "a part of type text, image_url, input_audio, video_url or file";
  }
}

class Search {
 public:
  Search(const chat::Request& request, WriteContext& context)
      : request_(request), context_(context), arena_(context.arena) {}

  Outcome<void> run() {
    for (const chat::Message& message : request_.messages) TRY_VOID(in_parts(message.parts, message));
    return {};
  }

 private:
  Outcome<void> in_parts(const chat::List<Part>& parts, const chat::Message& message) {
    for (const Part& part : parts) {
      TRY_VOID(in_parts(part.content, message));
      if (part.kind == chat::PartKind::opaque) TRY_VOID(opaque(part, message));
    }
    return {};
  }

  Outcome<void> opaque(const Part& part, const chat::Message& message) {
    // An unknown item of the Responses API counts as the assistant's: it has no role.
    const bool assistants = message.role == chat::Role::assistant && part.origin != Dialect::openai_responses;
    if (assistants) return {};
    const std::string_view path = part.id.empty() ? message.path : part.id;
    const auto root = json::parse_tree(context_.parser, part.text, arena_);
    if (!root) return refuse(path, "");
    const std::string_view type = (*root)["type"].string(arena_);
    if (type == "container_upload" && part.origin == Dialect::anthropic) return invalid(arena_, path, kUploadElsewhere);
    return is_history(part.origin, *root, type) ? Outcome<void>() : refuse(path, type);
  }

  Outcome<void> refuse(std::string_view path, std::string_view type) {
    constexpr size_t kTypeBytesMax = 64;
    std::string text = "Expected " + std::string(what_there_is(request_.from));
    if (!type.empty()) text += ", not `" + std::string(type.substr(0, kTypeBytesMax)) + "`";
    return invalid(arena_, path, text + ": this would not reach the model.");
  }

  const chat::Request& request_;
  WriteContext& context_;
  base::Arena& arena_;
};

}  // namespace

Outcome<void> refuse_unknown_content(const chat::Request& request, WriteContext& context) {
  return Search(request, context).run();
}

}  // namespace llmgw::dialects
