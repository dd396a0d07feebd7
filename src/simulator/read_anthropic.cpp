#include <boost/json.hpp>
#include <cctype>

#include "simulator/chat_request.h"
#include "simulator/json_tree.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}

void read_media(const bj::object& block, size_t tokens, Conversation& conversation) {
  const bj::object* source = member_object(block, "source");
  if (source == nullptr) return;
  const std::string_view data = member_text(*source, "data", "url");
  conversation.media(data.empty() ? member_text(*source, "file_id") : data, tokens);
}

void read_blocks(const bj::value* content, ChatRequest& request, bool in_result);

void read_block(const bj::object& block, ChatRequest& request, bool in_result) {
  Conversation& conversation = request.conversation;
  const std::string_view type = member_text(block, "type");
  if (member(block, "cache_control") != nullptr) request.cache_marks = true;
  if (type == "text") {
    const std::string_view text = member_text(block, "text");
    in_result ? conversation.tool_result(text) : conversation.text(text);
  } else if (type == "image") {
    read_media(block, kImageTokens, conversation);
  } else if (type == "document") {
    read_media(block, kDocumentTokens, conversation);
  } else if (type == "tool_use" || type == "server_tool_use") {
    const bj::value* input = member(block, "input");
    conversation.tool_call(member_text(block, "name"), input != nullptr ? to_text(*input) : "{}");
  } else if (type == "tool_result") {
    read_blocks(member(block, "content"), request, true);
    conversation.tool_result({});
  } else if (type == "thinking") {
    conversation.text(member_text(block, "thinking"));
  }
}

void read_blocks(const bj::value* content, ChatRequest& request, bool in_result) {
  if (content == nullptr) return;
  if (const bj::string* text = content->if_string()) {
    in_result ? request.conversation.tool_result(view(*text)) : request.conversation.text(view(*text));
    return;
  }
  const bj::array* blocks = content->if_array();
  if (blocks == nullptr) return;
  for (const bj::value& block : *blocks) {
    if (const bj::object* object = block.if_object()) read_block(*object, request, in_result);
  }
}

// The texts of a message's content.
std::string text_of(const bj::value& content) {
  if (const bj::string* text = content.if_string()) return std::string(view(*text));
  std::string all;
  const bj::array* blocks = content.if_array();
  if (blocks == nullptr) return all;
  for (const bj::value& block : *blocks) {
    if (const bj::object* object = block.if_object()) all += member_text(*object, "text");
  }
  return all;
}

Answered<void> read_messages(const bj::object& root, ChatRequest& request) {
  const bj::array* messages = member_array(root, "messages");
  if (messages == nullptr) return refuse(400, "messages: Field required");
  if (messages->empty()) return refuse(400, "messages: at least one message is required");
  for (size_t i = 0; i < messages->size(); ++i) {
    const bj::object* message = (*messages)[i].if_object();
    const std::string_view role = message != nullptr ? member_text(*message, "role") : std::string_view{};
    if (role != "user" && role != "assistant" && role != "system") {
      return refuse(400, "messages." + std::to_string(i) + ".role: must be 'user', 'assistant' or 'system'");
    }
    const bj::value* content = member(*message, "content");
    if (content == nullptr) return refuse(400, "messages." + std::to_string(i) + ".content: Field required");
    // What the assistant said last is the beginning of the answer.
    if (role == "assistant" && i + 1 == messages->size()) {
      const std::string beginning = text_of(*content);
      if (beginning.empty() || std::isspace(static_cast<unsigned char>(beginning.back()))) {
        return refuse(400, "messages: final assistant content cannot be empty or end with trailing whitespace");
      }
      request.conversation.end();
      request.conversation.answer_begins(beginning);
      return {};
    }
    request.conversation.begin_message(role == "user"        ? Role::user
                                       : role == "assistant" ? Role::assistant
                                                             : Role::system);
    read_blocks(content, request, false);
  }
  request.conversation.end();
  return {};
}

void read_tools(const bj::object& root, ChatRequest& request) {
  const bj::array* tools = member_array(root, "tools");
  if (tools == nullptr) return;
  for (const bj::value& each : *tools) {
    const bj::object* tool = each.if_object();
    if (tool == nullptr || request.tools.size() >= kToolsMax) continue;
    if (member(*tool, "cache_control") != nullptr) request.cache_marks = true;
    const bj::value* schema = member(*tool, "input_schema");
    // The provider's own tools come without a schema; the simulator has none of them to run.
    if (schema == nullptr) continue;
    request.tools.push_back({std::string(member_text(*tool, "name")), to_text(*schema)});
    request.conversation.tool_definition(request.tools.back().name, request.tools.back().schema);
  }
}

Answered<void> read_tool_choice(const bj::object& root, ChatRequest& request) {
  const bj::object* choice = member_object(root, "tool_choice");
  if (choice == nullptr) return {};
  const std::string_view type = member_text(*choice, "type");
  if (type == "none") request.tool_mode = ToolMode::none;
  if (type == "any" || type == "tool") request.tool_mode = ToolMode::required;
  if (type == "tool") request.allowed_tools.emplace_back(member_text(*choice, "name"));
  request.parallel_tools = !member_true(*choice, "disable_parallel_tool_use");
  if (request.tool_mode != ToolMode::required) return {};
  if (request.tools.empty()) return refuse(400, "tool_choice: tools must be given to choose from");
  if (request.reasoning) return refuse(400, "Thinking may not be enabled when tool_choice forces tool use.");
  return {};
}

Answered<void> read_thinking(const bj::object& root, ChatRequest& request) {
  const bj::object* thinking = member_object(root, "thinking");
  if (thinking == nullptr) return {};
  const std::string_view type = member_text(*thinking, "type");
  request.reasoning = request.reasoning_shown = type == "enabled" || type == "adaptive";
  if (type != "enabled") return {};
  const double budget = member_number(*thinking, "budget_tokens").value_or(0);
  if (budget < 1024) return refuse(400, "thinking.budget_tokens: must be at least 1024");
  if (request.max_tokens && budget >= double(*request.max_tokens)) {
    return refuse(400, "max_tokens: must be greater than thinking.budget_tokens");
  }
  return {};
}

void read_format(const bj::object& root, ChatRequest& request) {
  const bj::object* config = member_object(root, "output_config");
  const bj::object* format =
      config != nullptr ? member_object(*config, "format") : member_object(root, "output_format");
  if (format == nullptr || member_text(*format, "type") != "json_schema") return;
  const bj::value* schema = member(*format, "schema");
  request.json_mode = JsonMode::schema;
  request.json_schema = schema != nullptr ? to_text(*schema) : "{}";
}

}  // namespace

Answered<ChatRequest> read_anthropic(std::string_view body, const ReadOptions& options, bool count_only) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  ChatRequest request;
  request.conversation = Conversation(options.block_tokens);
  request.model = member_text(root, "model");
  if (request.model.empty()) return refuse(400, "model: Field required");
  request.stream = member_true(root, "stream");
  TRY(max_tokens, member_count(root, "max_tokens", options.output_tokens_max));
  if (!max_tokens && !count_only) return refuse(400, "max_tokens: Field required");
  request.max_tokens = max_tokens;
  if (member(root, "cache_control") != nullptr) request.cache_marks = true;
  read_tools(root, request);
  if (const bj::value* system = member(root, "system")) {
    request.conversation.begin_message(Role::system);
    read_blocks(system, request, false);
  }
  TRY_VOID(read_messages(root, request));
  if (const bj::array* stops = member_array(root, "stop_sequences")) {
    for (const bj::value& stop : *stops) {
      if (stop.is_string() && request.stop.size() < kStopsMax) request.stop.emplace_back(view(stop.get_string()));
    }
  }
  TRY_VOID(read_thinking(root, request));
  TRY_VOID(read_tool_choice(root, request));
  read_format(root, request);
  return request;
}

}  // namespace llmgw::simulator
