// The neutral request: everything any two dialects share, and for the rest what it was called, so that a writer can
// say that it dropped it. Absent means the client did not say; numbers keep the client's own text. Built in the
// request's arena by a dialect's reader; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "chat/dialect.h"
#include "chat/list.h"
#include "chat/message.h"

namespace llmgw::chat {

enum class ToolKind : uint8_t {
  function,  // arguments by a JSON schema
  custom,    // OpenAI: one free text; schema is its `format` object, if any
  opaque,    // a server tool: raw is its JSON in the dialect `origin`
};

struct Tool {
  ToolKind kind = ToolKind::function;
  CacheMark cache = CacheMark::none;
  Dialect origin = Dialect::openai_chat;
  bool strict_by_default = false;  // strict because OpenAI's Responses API is where nothing is said
  std::optional<bool> strict = {};
  std::string_view name = {};
  std::string_view description = {};
  std::string_view schema = {};  // JSON Schema object as text; empty: no parameters
  std::string_view raw = {};
  std::string_view path = {};  // where it stands in the client's request: "tools[3]"; empty if unknown
};

// Targets without JSON schemas for answers get a tool whose arguments are the answer, of this name unless a tool of the
// client's has it; their dialects' answer and stream readers turn a call of it into text, whose part has this name.
inline constexpr std::string_view kFormatToolName = "json_answer";
// Targets without free-text tools get a function with this one string parameter instead.
inline constexpr std::string_view kCustomInputMember = "input";

enum class ToolChoiceMode : uint8_t { unset, automatic, none, required, named };

struct ToolChoice {
  ToolChoiceMode mode = ToolChoiceMode::unset;
  std::string_view name = {};           // named
  List<std::string_view> allowed = {};  // automatic and required: only these; empty: all
};

enum class FormatKind : uint8_t { unset, text, json_object, json_schema };

struct ResponseFormat {
  FormatKind kind = FormatKind::unset;
  std::optional<bool> strict = {};
  std::string_view name = {};
  std::string_view description = {};
  std::string_view schema = {};  // JSON Schema as text
};

enum class ReasoningMode : uint8_t { unset, off, on, adaptive };
// OpenAI's and Anthropic's words, in rising order.
enum class Effort : uint8_t { unset, none, minimal, low, medium, high, xhigh, max };

std::string_view to_string(Effort effort);
Effort effort_from(std::string_view word);  // unset for an unknown word

struct Reasoning {
  ReasoningMode mode = ReasoningMode::unset;
  Effort effort = Effort::unset;
  std::optional<int64_t> budget_tokens = {};  // -1: the provider's choice (Gemini's dynamic)
  std::optional<bool> visible = {};           // the client wants (summaries of) thoughts in the answer
  std::string_view summary = {};              // OpenAI Responses: auto, concise, detailed
};

// A member the model does not know, as it stood. The name is the path in the client's dialect: "metadata",
// "generationConfig.speechConfig".
struct Extra {
  std::string_view name;
  std::string_view value;  // JSON
};

// A member inside a message, a part, a tool, ... that the dialect's reader does not read. Noted once for all objects of
// its kind.
struct Unread {
  static constexpr size_t kCountMax = 32;  // as many as warnings hold

  std::string_view path;  // of the first
  uint32_t more = 0;      // others of the same name in objects of the same kind
  bool kept = false;      // the object goes to a target of the same dialect as it stood
};

// What a client called a field, where its dialect has several names for it.
struct Spelling {
  std::string_view field;  // the model's name: "reasoning"; or "input[2]": that element of the list and those behind it
  std::string_view client;  // the path in the request: "output_config.effort"; from an element ("input[0]") on counted
};

struct Request {
  Dialect from = Dialect::openai_chat;
  std::string_view model = {};  // as the client named it; of a path dialect set by the gateway
  bool stream = false;
  bool include_usage = true;         // openai_chat streams: stream_options.include_usage
  bool include_obfuscation = false;  // not asked for: we never pad
  bool legacy_functions = false;     // openai_chat: asked with `functions`, so calls are answered as `function_call`
  bool continues_last = false;       // the last message is the beginning of the answer: see chat::Continuation

  List<Message> messages = {};  // system messages where they stood; top-level ones (system, instructions) come first
  List<Tool> tools = {};
  ToolChoice tool_choice = {};
  std::optional<bool> parallel_tool_calls = {};
  ResponseFormat format = {};
  Reasoning reasoning = {};

  std::optional<uint64_t> max_tokens = {};
  // Number texts; empty if absent.
  std::string_view temperature = {};
  std::string_view top_p = {};
  std::string_view top_k = {};
  std::string_view frequency_penalty = {};
  std::string_view presence_penalty = {};
  std::string_view seed = {};
  std::optional<uint64_t> n = {};
  std::optional<bool> logprobs = {};
  std::optional<uint64_t> top_logprobs = {};
  std::string_view logit_bias = {};  // JSON object
  List<std::string_view> stop = {};

  std::string_view user = {};               // who the client's user is: OpenAI user, Anthropic metadata.user_id
  std::string_view safety_identifier = {};  // OpenAI's newer name of it; both may be there
  std::string_view metadata = {};  // JSON object of strings: OpenAI metadata, Bedrock requestMetadata, Vertex labels
  std::string_view service_tier = {};
  std::string_view verbosity = {};
  std::string_view prompt_cache_key = {};
  std::string_view prompt_cache_retention = {};
  CacheMark cache = CacheMark::none;  // Anthropic's top-level cache_control
  std::string_view truncation = {};

  // OpenAI Responses' state; the gateway resolves it before a request is converted.
  std::optional<bool> store = {};
  std::string_view previous_response_id = {};
  std::string_view conversation = {};  // its id
  bool background = false;
  List<std::string_view> include = {};

  List<Extra> extras = {};  // in the dialect `from`
  List<Unread> unread = {};
  size_t unread_left_out = 0;  // beyond Unread::kCountMax
  List<Spelling> spellings = {};
};

}  // namespace llmgw::chat
