#include <boost/json.hpp>

#include "simulator/chat_request.h"
#include "simulator/json_tree.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}

Role role_of(std::string_view role) {
  if (role == "user") return Role::user;
  if (role == "assistant") return Role::assistant;
  if (role == "tool" || role == "function") return Role::tool;
  return Role::system;
}

// One part of a message's content, in the names of chat completions and of responses.
void read_part(const bj::object& part, Conversation& conversation) {
  const std::string_view type = member_text(part, "type");
  if (type == "image_url") {
    const bj::object* image = member_object(part, "image_url");
    conversation.media(image == nullptr ? std::string_view{} : member_text(*image, "url"), kImageTokens);
  } else if (type == "input_image") {
    conversation.media(member_text(part, "image_url", "file_id"), kImageTokens);
  } else if (type == "input_audio") {
    const bj::object* audio = member_object(part, "input_audio");
    conversation.media(audio == nullptr ? std::string_view{} : member_text(*audio, "data"), kAudioTokens);
  } else if (type == "file") {
    const bj::object* file = member_object(part, "file");
    conversation.media(file == nullptr ? std::string_view{} : member_text(*file, "file_data", "file_id"),
                       kDocumentTokens);
  } else if (type == "input_file") {
    conversation.media(member_text(part, "file_data", "file_id"), kDocumentTokens);
  } else {
    conversation.text(member_text(part, "text", "refusal"));
  }
}

void read_content(const bj::value* content, Conversation& conversation) {
  if (content == nullptr) return;
  if (const bj::string* text = content->if_string()) return conversation.text(view(*text));
  const bj::array* parts = content->if_array();
  if (parts == nullptr) return;
  for (const bj::value& part : *parts) {
    if (const bj::object* object = part.if_object()) read_part(*object, conversation);
  }
}

void read_tool_result(const bj::value* content, Conversation& conversation) {
  if (content != nullptr && content->is_string()) return conversation.tool_result(view(content->get_string()));
  read_content(content, conversation);
  conversation.tool_result({});
}

Answered<void> read_message(const bj::value& value, size_t index, Conversation& conversation) {
  const std::string where = "messages[" + std::to_string(index) + "]";
  const bj::object* message = value.if_object();
  if (message == nullptr) return refuse(400, "'" + where + "' must be an object.", where);
  const std::string_view role = member_text(*message, "role");
  if (role.empty()) return refuse(400, "'" + where + ".role' is missing.", where + ".role");
  conversation.begin_message(role_of(role));
  const bj::value* content = member(*message, "content");
  if (role_of(role) == Role::tool) {
    read_tool_result(content, conversation);
    return {};
  }
  read_content(content, conversation);
  if (const bj::array* calls = member_array(*message, "tool_calls")) {
    for (const bj::value& call : *calls) {
      const bj::object* function = call.is_object() ? member_object(call.get_object(), "function") : nullptr;
      if (function != nullptr) {
        conversation.tool_call(member_text(*function, "name"), member_text(*function, "arguments"));
      }
    }
  }
  return {};
}

// vLLM's continue_final_message: the last message is the beginning of the answer.
Answered<void> read_beginning(const bj::object& root, const bj::value& last, Conversation& conversation) {
  const bj::value* prompt = member(root, "add_generation_prompt");
  if (prompt == nullptr || !prompt->is_bool() || prompt->get_bool()) {
    return refuse(400, "Cannot set both `continue_final_message` and `add_generation_prompt` to True.");
  }
  const bj::object* message = last.if_object();
  if (message == nullptr || member_text(*message, "role") != "assistant") {
    return refuse(400, "Cannot set `continue_final_message` when the last message is not from the assistant.");
  }
  const bj::value* content = member(*message, "content");
  if (content != nullptr && content->is_string()) conversation.answer_begins(view(content->get_string()));
  return {};
}

// Chat completions nests a function's members, responses does not.
void read_tools(const bj::object& root, ChatRequest& request) {
  const bj::array* tools = member_array(root, "tools");
  if (tools == nullptr) return;
  for (const bj::value& each : *tools) {
    const bj::object* tool = each.if_object();
    if (tool == nullptr || member_text(*tool, "type") != "function" || request.tools.size() >= kToolsMax) continue;
    const bj::object* nested = member_object(*tool, "function");
    const bj::object& function = nested != nullptr ? *nested : *tool;
    const bj::value* schema = member(function, "parameters");
    request.tools.push_back({std::string(member_text(function, "name")), schema ? to_text(*schema) : std::string()});
    request.conversation.tool_definition(request.tools.back().name, request.tools.back().schema);
  }
}

void read_allowed_tools(const bj::object& allowed, ChatRequest& request) {
  if (member_text(allowed, "mode") == "required") request.tool_mode = ToolMode::required;
  const bj::array* tools = member_array(allowed, "tools");
  if (tools == nullptr) return;
  for (const bj::value& each : *tools) {
    const bj::object* tool = each.if_object();
    if (tool == nullptr) continue;
    const bj::object* nested = member_object(*tool, "function");
    request.allowed_tools.emplace_back(member_text(nested != nullptr ? *nested : *tool, "name"));
  }
}

void read_tool_choice(const bj::object& root, ChatRequest& request) {
  const bj::value* choice = member(root, "tool_choice");
  if (choice == nullptr) return;
  if (const bj::string* mode = choice->if_string()) {
    if (*mode == "none") request.tool_mode = ToolMode::none;
    if (*mode == "required") request.tool_mode = ToolMode::required;
    return;
  }
  const bj::object* object = choice->if_object();
  if (object == nullptr) return;
  if (member_text(*object, "type") == "allowed_tools") {
    const bj::object* nested = member_object(*object, "allowed_tools");
    return read_allowed_tools(nested != nullptr ? *nested : *object, request);
  }
  request.tool_mode = ToolMode::required;
  const bj::object* function = member_object(*object, "function");
  request.allowed_tools.emplace_back(member_text(function != nullptr ? *function : *object, "name"));
}

// response_format of chat completions; text.format of responses is the same but flat.
void read_format(const bj::object* format, ChatRequest& request) {
  if (format == nullptr) return;
  const std::string_view type = member_text(*format, "type");
  if (type == "json_object") request.json_mode = JsonMode::object;
  if (type != "json_schema") return;
  const bj::object* nested = member_object(*format, "json_schema");
  const bj::value* schema = member(nested != nullptr ? *nested : *format, "schema");
  request.json_mode = JsonMode::schema;
  request.json_schema = schema != nullptr ? to_text(*schema) : "{}";
}

bool thinks(std::string_view effort) {
  return !effort.empty() && effort != "none" && effort != "minimal";
}

Answered<void> read_stop(const bj::object& root, ChatRequest& request) {
  const bj::value* stop = member(root, "stop");
  if (stop == nullptr) return {};
  if (const bj::string* text = stop->if_string()) {
    request.stop.emplace_back(view(*text));
  } else if (const bj::array* several = stop->if_array()) {
    if (several->size() > 4) return refuse(400, "'stop' may hold at most 4 sequences.", "stop");
    for (const bj::value& each : *several) {
      if (!each.is_string()) return refuse(400, "'stop' must be a string or a list of strings.", "stop");
      request.stop.emplace_back(view(each.get_string()));
    }
  } else {
    return refuse(400, "'stop' must be a string or a list of strings.", "stop");
  }
  return {};
}

void read_obfuscation(const bj::object& stream_options, ChatRequest& request) {
  const bj::value* obfuscation = member(stream_options, "include_obfuscation");
  request.include_obfuscation = obfuscation == nullptr || !obfuscation->is_bool() || obfuscation->get_bool();
}

Answered<void> read_common(const bj::object& root, const ReadOptions& options, ChatRequest& request) {
  request.model = member_text(root, "model");
  request.stream = member_true(root, "stream");
  TRY_VOID(read_stop(root, request));
  TRY(choices, member_count(root, "n", kChoicesMax));
  if (choices == 0u) return refuse(400, "'n' must be at least 1.", "n");
  request.choices = choices.value_or(1);
  TRY(max_tokens, member_count(root, "max_completion_tokens", options.output_tokens_max, "max_tokens"));
  if (max_tokens == 0u) return refuse(400, "'max_tokens' must be at least 1.", "max_tokens");
  request.max_tokens = max_tokens;
  if (const bj::object* stream_options = member_object(root, "stream_options")) {
    if (!request.stream) return refuse(400, "'stream_options' is allowed only with 'stream'.", "stream_options");
    request.include_usage = member_true(*stream_options, "include_usage");
    read_obfuscation(*stream_options, request);
  }
  return {};
}

}  // namespace

Answered<ChatRequest> read_openai_chat(std::string_view body, const ReadOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  ChatRequest request;
  request.conversation = Conversation(options.block_tokens);
  TRY_VOID(read_common(root, options, request));
  const bj::array* messages = member_array(root, "messages");
  if (messages == nullptr) return refuse(400, "'messages' is missing or not a list.", "messages");
  if (messages->empty()) return refuse(400, "'messages' is empty.", "messages", "empty_array");
  read_tools(root, request);
  const bool goes_on = member_true(root, "continue_final_message");
  for (size_t i = 0; i + (goes_on ? 1 : 0) < messages->size(); ++i) {
    TRY_VOID(read_message((*messages)[i], i, request.conversation));
  }
  request.conversation.end();
  if (goes_on) TRY_VOID(read_beginning(root, messages->back(), request.conversation));
  read_tool_choice(root, request);
  if (request.tool_mode == ToolMode::required && request.tools.empty()) {
    return refuse(400, "'tool_choice' asks for a tool but 'tools' has none.", "tool_choice");
  }
  const bj::value* parallel = member(root, "parallel_tool_calls");
  request.parallel_tools = parallel == nullptr || !parallel->is_bool() || parallel->get_bool();
  read_format(member_object(root, "response_format"), request);
  request.logprobs = member_true(root, "logprobs");
  TRY(top_logprobs, member_count(root, "top_logprobs", kTopLogprobsMax));
  request.top_logprobs = top_logprobs.value_or(0);
  request.reasoning = thinks(member_text(root, "reasoning_effort"));
  return request;
}

Answered<ChatRequest> read_openai_completions(std::string_view body, const ReadOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  ChatRequest request;
  TRY_VOID(read_common(root, options, request));
  const bool echo = member_true(root, "echo");
  std::vector<Conversation> prompts;
  const auto add = [&](const bj::value& prompt) {
    Conversation& conversation = prompts.emplace_back(options.block_tokens);
    conversation.begin_message(Role::user);
    std::string text;
    if (const bj::string* plain = prompt.if_string()) {
      text = view(*plain);
      conversation.text(text);
    } else if (const bj::array* ids = prompt.if_array()) {
      for (const bj::value& id : *ids) {
        conversation.media(id.is_number() ? std::to_string(id.to_number<int64_t>()) : std::string(), 1);
      }
    }
    request.echoed_prompts.push_back(echo ? text : std::string());
  };
  const bj::value* prompt = member(root, "prompt");
  if (prompt == nullptr) return refuse(400, "'prompt' is missing.", "prompt");
  const bj::array* list = prompt->if_array();
  const bool several = list != nullptr && !list->empty() && !(*list)[0].is_number();
  if (several) {
    if (list->size() > kPromptsMax) {
      return refuse(400, "'prompt' may hold at most " + std::to_string(kPromptsMax) + " prompts.", "prompt");
    }
    for (const bj::value& each : *list) add(each);
  } else {
    add(*prompt);
  }
  if (prompts.size() * request.choices > kPromptsMax) {
    return refuse(400, "'n' times the prompts is more than " + std::to_string(kPromptsMax) + ".", "n");
  }
  request.conversation = std::move(prompts[0]);
  for (size_t i = 1; i < prompts.size(); ++i) request.more_prompts.push_back(std::move(prompts[i]));
  if (!request.max_tokens) request.max_tokens = 16;  // the default of this API
  return request;
}

namespace {

Answered<void> read_item(const bj::value& value, size_t index, ChatRequest& request) {
  const std::string where = "input[" + std::to_string(index) + "]";
  const bj::object* item = value.if_object();
  if (item == nullptr) return refuse(400, "'" + where + "' must be an object.", where);
  Conversation& conversation = request.conversation;
  const std::string_view type = member_text(*item, "type");
  if (type == "function_call") {
    conversation.tool_call(member_text(*item, "name"), member_text(*item, "arguments"));
  } else if (type == "function_call_output") {
    conversation.begin_message(Role::tool);
    read_tool_result(member(*item, "output"), conversation);
  } else if (type == "message" || type.empty()) {
    const std::string_view role = member_text(*item, "role");
    if (role.empty()) return refuse(400, "'" + where + ".role' is missing.", where + ".role");
    conversation.begin_message(role_of(role));
    read_content(member(*item, "content"), conversation);
  } else if (type != "reasoning") {
    conversation.media(to_text(value), kDocumentTokens);
  }
  return {};
}

// What the answer repeats, with the value the API gives where the request had none.
void read_repeated(const bj::object& root, ChatRequest& request) {
  constexpr std::pair<std::string_view, std::string_view> kMembers[]{
      {"background", "false"},
      {"instructions", "null"},
      {"max_output_tokens", "null"},
      {"max_tool_calls", "null"},
      {"parallel_tool_calls", "true"},
      {"previous_response_id", "null"},
      {"prompt_cache_key", "null"},
      {"reasoning", R"({"effort":null,"summary":null})"},
      {"safety_identifier", "null"},
      {"service_tier", R"("default")"},
      {"store", "true"},
      {"temperature", "1.0"},
      {"text", R"({"format":{"type":"text"},"verbosity":"medium"})"},
      {"tool_choice", R"("auto")"},
      {"tools", "[]"},
      {"top_logprobs", "0"},
      {"top_p", "1.0"},
      {"truncation", R"("disabled")"},
      {"user", "null"},
      {"metadata", "{}"},
  };
  for (const auto& [name, otherwise] : kMembers) {
    const bj::value* given = member(root, name);
    request.repeated.emplace_back(name, given != nullptr ? to_text(*given) : std::string(otherwise));
  }
}

}  // namespace

std::string read_previous_response_id(std::string_view body) {
  const auto tree = parse_body(body);
  return tree ? std::string(member_text(tree->get_object(), "previous_response_id")) : std::string();
}

Answered<ChatRequest> read_openai_responses(std::string_view body, const ReadOptions& options,
                                            const Conversation* history) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  ChatRequest request;
  request.conversation = history != nullptr ? *history : Conversation(options.block_tokens);
  request.model = member_text(root, "model");
  request.stream = member_true(root, "stream");
  request.previous_response_id = member_text(root, "previous_response_id");
  TRY(max_tokens, member_count(root, "max_output_tokens", options.output_tokens_max));
  request.max_tokens = max_tokens;
  read_tools(root, request);
  if (const std::string_view instructions = member_text(root, "instructions"); !instructions.empty()) {
    request.conversation.begin_message(Role::system);
    request.conversation.text(instructions);
  }
  const bj::value* input = member(root, "input");
  if (input == nullptr) return refuse(400, "'input' is missing.", "input", "missing_required_parameter");
  if (const bj::array* items = input->if_array()) {
    for (size_t i = 0; i < items->size(); ++i) TRY_VOID(read_item((*items)[i], i, request));
  } else if (const bj::string* text = input->if_string()) {
    request.conversation.begin_message(Role::user);
    request.conversation.text(view(*text));
  } else {
    return refuse(400, "'input' must be a string or a list of items.", "input");
  }
  request.conversation.end();
  read_tool_choice(root, request);
  const bj::value* parallel = member(root, "parallel_tool_calls");
  request.parallel_tools = parallel == nullptr || !parallel->is_bool() || parallel->get_bool();
  if (const bj::object* text = member_object(root, "text")) read_format(member_object(*text, "format"), request);
  if (const bj::object* reasoning = member_object(root, "reasoning")) {
    request.reasoning = thinks(member_text(*reasoning, "effort")) || member(*reasoning, "summary") != nullptr;
    request.reasoning_shown = member(*reasoning, "summary") != nullptr;
  }
  if (const bj::object* stream_options = member_object(root, "stream_options")) {
    read_obfuscation(*stream_options, request);
  }
  read_repeated(root, request);
  return request;
}

}  // namespace llmgw::simulator
