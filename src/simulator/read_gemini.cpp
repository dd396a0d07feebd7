#include <boost/json.hpp>

#include "simulator/chat_request.h"
#include "simulator/json_tree.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}

size_t media_tokens(std::string_view mime_type) {
  if (mime_type.starts_with("image/")) return kImageTokens;
  return mime_type.starts_with("audio/") ? kAudioTokens : kDocumentTokens;
}

void read_part(const bj::object& part, Conversation& conversation) {
  if (const bj::object* data = member_object(part, "inlineData", "inline_data")) {
    conversation.media(member_text(*data, "data"), media_tokens(member_text(*data, "mimeType", "mime_type")));
  } else if (const bj::object* file = member_object(part, "fileData", "file_data")) {
    conversation.media(member_text(*file, "fileUri", "file_uri"),
                       media_tokens(member_text(*file, "mimeType", "mime_type")));
  } else if (const bj::object* call = member_object(part, "functionCall", "function_call")) {
    const bj::value* arguments = member(*call, "args");
    conversation.tool_call(member_text(*call, "name"), arguments != nullptr ? to_text(*arguments) : "{}");
  } else if (const bj::object* result = member_object(part, "functionResponse", "function_response")) {
    const bj::value* response = member(*result, "response");
    conversation.tool_result(response != nullptr ? to_text(*response) : "{}");
  } else {
    conversation.text(member_text(part, "text"));
  }
}

void read_parts(const bj::object& content, Conversation& conversation) {
  const bj::value* parts = member(content, "parts");
  if (parts == nullptr) return;
  if (const bj::object* only = parts->if_object()) return read_part(*only, conversation);
  if (!parts->is_array()) return;
  for (const bj::value& part : parts->get_array()) {
    if (const bj::object* object = part.if_object()) read_part(*object, conversation);
  }
}

Answered<void> read_contents(const bj::object& root, Conversation& conversation) {
  const bj::value* contents = member(root, "contents");
  if (contents == nullptr) return refuse(400, "contents is not specified");
  const auto read = [&](const bj::value& value) -> Answered<void> {
    const bj::object* content = value.if_object();
    if (content == nullptr) return refuse(400, "Invalid value at 'contents': an object is expected");
    const std::string_view role = member_text(*content, "role");
    if (!role.empty() && role != "user" && role != "model" && role != "function") {
      return refuse(400, "Please use a valid role: user, model.");
    }
    conversation.begin_message(role == "model" ? Role::assistant : role == "function" ? Role::tool : Role::user);
    read_parts(*content, conversation);
    return {};
  };
  if (!contents->is_array()) return read(*contents);
  if (contents->get_array().empty()) return refuse(400, "contents is not specified");
  for (const bj::value& content : contents->get_array()) TRY_VOID(read(content));
  return {};
}

void read_declarations(const bj::object& tool, ChatRequest& request) {
  const bj::array* declarations = member_array(tool, "functionDeclarations", "function_declarations");
  if (declarations == nullptr) return;
  for (const bj::value& each : *declarations) {
    const bj::object* declaration = each.if_object();
    if (declaration == nullptr || request.tools.size() >= kToolsMax) continue;
    const bj::value* schema = member(*declaration, "parametersJsonSchema", "parameters_json_schema");
    if (schema == nullptr) schema = member(*declaration, "parameters");
    request.tools.push_back(
        {std::string(member_text(*declaration, "name")), schema != nullptr ? to_text(*schema) : std::string()});
    request.conversation.tool_definition(request.tools.back().name, request.tools.back().schema);
  }
}

void read_tools(const bj::object& root, ChatRequest& request) {
  const bj::value* tools = member(root, "tools");
  if (tools == nullptr) return;
  if (const bj::object* only = tools->if_object()) return read_declarations(*only, request);
  if (!tools->is_array()) return;
  for (const bj::value& tool : tools->get_array()) {
    if (const bj::object* object = tool.if_object()) read_declarations(*object, request);
  }
}

Answered<void> read_tool_config(const bj::object& root, ChatRequest& request) {
  const bj::object* config = member_object(root, "toolConfig", "tool_config");
  if (config == nullptr) return {};
  const bj::object* calling = member_object(*config, "functionCallingConfig", "function_calling_config");
  if (calling == nullptr) return {};
  const std::string_view mode = member_text(*calling, "mode");
  if (mode == "NONE") request.tool_mode = ToolMode::none;
  if (mode == "ANY") request.tool_mode = ToolMode::required;
  if (const bj::array* names = member_array(*calling, "allowedFunctionNames", "allowed_function_names")) {
    for (const bj::value& name : *names) {
      if (name.is_string()) request.allowed_tools.emplace_back(view(name.get_string()));
    }
  }
  if (request.tool_mode == ToolMode::required && request.tools.empty()) {
    return refuse(400, "Function calling config is set without function_declarations.");
  }
  return {};
}

void read_thinking(const bj::object& config, ChatRequest& request) {
  const bj::object* thinking = member_object(config, "thinkingConfig", "thinking_config");
  if (thinking == nullptr) return;
  const double budget = member_number(*thinking, "thinkingBudget", "thinking_budget").value_or(-1);
  request.reasoning = budget != 0;
  request.reasoning_shown = request.reasoning && member_true(*thinking, "includeThoughts", "include_thoughts");
}

Answered<void> read_config(const bj::object& root, const ReadOptions& options, ChatRequest& request) {
  const bj::object* config = member_object(root, "generationConfig", "generation_config");
  if (config == nullptr) return {};
  TRY(max_tokens, member_count(*config, "maxOutputTokens", options.output_tokens_max, "max_output_tokens"));
  if (max_tokens == 0u) return refuse(400, "max_output_tokens must be positive.");
  request.max_tokens = max_tokens;
  TRY(candidates, member_count(*config, "candidateCount", kChoicesMax, "candidate_count"));
  if (candidates == 0u) return refuse(400, "candidate_count must be positive.");
  request.choices = candidates.value_or(1);
  if (const bj::array* stops = member_array(*config, "stopSequences", "stop_sequences")) {
    for (const bj::value& stop : *stops) {
      if (stop.is_string() && request.stop.size() < kStopsMax) request.stop.emplace_back(view(stop.get_string()));
    }
  }
  if (member_text(*config, "responseMimeType", "response_mime_type") == "application/json") {
    request.json_mode = JsonMode::object;
    const bj::value* schema = member(*config, "responseJsonSchema", "response_json_schema");
    if (schema == nullptr) schema = member(*config, "responseSchema", "response_schema");
    if (schema != nullptr) {
      request.json_mode = JsonMode::schema;
      request.json_schema = to_text(*schema);
    }
  }
  read_thinking(*config, request);
  return {};
}

}  // namespace

Answered<ChatRequest> read_gemini(std::string_view body, const ReadOptions& options, bool count_only) {
  TRY(tree, parse_body(body));
  const bj::object* root = &tree.get_object();
  if (count_only) {
    if (const bj::object* whole = member_object(*root, "generateContentRequest", "generate_content_request")) {
      root = whole;
    }
  }
  ChatRequest request;
  request.conversation = Conversation(options.block_tokens);
  read_tools(*root, request);
  if (const bj::object* system = member_object(*root, "systemInstruction", "system_instruction")) {
    request.conversation.begin_message(Role::system);
    read_parts(*system, request.conversation);
  }
  TRY_VOID(read_contents(*root, request.conversation));
  request.conversation.end();
  TRY_VOID(read_tool_config(*root, request));
  TRY_VOID(read_config(*root, options, request));
  return request;
}

}  // namespace llmgw::simulator
