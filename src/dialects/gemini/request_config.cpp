// Reading tools, toolConfig and generationConfig.
#include <charconv>
#include <type_traits>

#include "dialects/gemini/request_reader.h"
#include "dialects/gemini/words.h"
#include "dialects/members.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {

using chat::FormatKind;
using chat::ReasoningMode;
using chat::ToolChoiceMode;
using json::Value;

namespace {

// "50.0" for a whole number, as protobuf's floats are written, is 50.
std::string_view number_text(Value value, base::Arena& arena) {
  if (value.is_string()) return number_in_quotes(value);
  const std::string_view text = value.number();
  if (text.find_first_of(".eE") == std::string_view::npos) return text;
  const auto whole = value.integer();
  return whole ? arena.copy(std::to_string(*whole)) : text;
}

// 50, 50.0 and "50", as protobuf's JSON has whole numbers.
template <class Number>
std::optional<Number> whole_number(Value value) {
  if (!value.is_string()) {
    if constexpr (std::is_signed_v<Number>) return value.integer();
    return value.unsigned_integer();
  }
  const std::string_view digits = number_in_quotes(value);
  Number number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
  return number;
}

// The word that stands for none, in protobuf's manner, also as its number.
bool says_unspecified(Value word, base::Arena& arena) {
  return word.is_unset() || word.string(arena).ends_with("_UNSPECIFIED") || word.unsigned_integer() == 0;
}

}  // namespace

void ConfigReader::extra(std::string_view path, std::string_view key, Value value) {
  request_.extras.push(context_.arena, {.name = context_.arena.concat(path, key), .value = value.raw()});
}

Outcome<void> ConfigReader::read_tools(Value tools) {
  if (tools.is_object()) return read_tool(tools, 0);
  if (!tools.is_array()) return invalid(context_.arena, "tools", "tools: expected an array of Tool objects.");
  size_t index = 0;
  for (const Value tool : tools.elements()) TRY_VOID(read_tool(tool, index++));
  return {};
}

Outcome<void> ConfigReader::read_tool(Value tool, size_t index) {
  base::Arena& arena = context_.arena;
  if (!tool.is_object()) return invalid(arena, indexed("tools", index, "", arena), "Expected a Tool object.");
  for (const json::Member member : tool.members()) {
    const std::string_view key = member.key(arena);
    if (member.value.is_null()) continue;
    if (key != "functionDeclarations" && key != "function_declarations") {
      const std::string raw = "{\"" + std::string(member.escaped_key) + "\":" + std::string(member.value.raw()) + "}";
      request_.tools.push(arena, {.kind = chat::ToolKind::opaque,
                                  .origin = request_.from,
                                  .name = key,
                                  .raw = arena.copy(raw),
                                  .path = arena.concat(indexed("tools", index, ".", arena), key)});
      continue;
    }
    if (member.value.is_object()) {
      TRY_VOID(read_declaration(member.value, index, 0));
      continue;
    }
    size_t number = 0;
    for (const Value declaration : member.value.elements()) TRY_VOID(read_declaration(declaration, index, number++));
  }
  return {};
}

Outcome<void> ConfigReader::read_declaration(Value declaration, size_t tool_index, size_t index) {
  base::Arena& arena = context_.arena;
  const std::string_view path = indexed(indexed("tools", tool_index, ".functionDeclarations", arena), index, "", arena);
  chat::Tool tool{.origin = request_.from, .path = path};
  Value openapi;
  Value schema;
  for (const json::Member member : declaration.members()) {
    const std::string_view key = member.key(arena);
    if (key == "name") {
      tool.name = member.value.string(arena);
    } else if (key == "description") {
      tool.description = member.value.string(arena);
    } else if (key == "parameters") {
      openapi = member.value;
    } else if (key == "parametersJsonSchema" || key == "parameters_json_schema") {
      schema = member.value;
    }
  }
  if (tool.name.empty()) return invalid(arena, arena.concat(path, ".name"), "A function declaration needs a name.");
  if (schema.is_object()) {
    tool.schema = schema.raw();
  } else if (openapi.is_object()) {
    schemas_.push_back({PendingSchema::Place::tool, request_.tools.size(), openapi.raw()});
  }
  request_.tools.push(arena, tool);
  return {};
}

Outcome<void> ConfigReader::read_tool_config(Value config) {
  if (!config.is_object()) return invalid(context_.arena, "toolConfig", "toolConfig: expected an object.");
  for (const json::Member member : config.members()) {
    const std::string_view key = member.key(context_.arena);
    if (key == "functionCallingConfig" || key == "function_calling_config") {
      TRY_VOID(read_calling(member.value));
    } else if (!member.value.is_null()) {
      extra("toolConfig.", key, member.value);
    }
  }
  return {};
}

Outcome<void> ConfigReader::read_calling(Value config) {
  base::Arena& arena = context_.arena;
  chat::ToolChoice& choice = request_.tool_choice;
  for (const json::Member member : config.members()) {
    const std::string_view key = member.key(arena);
    if (key == "mode") {
      const CallingMode mode = calling_mode(member.value, arena);
      switch (mode) {
        case CallingMode::unset:
          if (says_unspecified(member.value, arena)) break;
          return invalid(arena, "toolConfig.functionCallingConfig.mode", "Expected AUTO, ANY, NONE or VALIDATED.");
        case CallingMode::automatic: choice.mode = ToolChoiceMode::automatic; break;
        case CallingMode::any: choice.mode = ToolChoiceMode::required; break;
        case CallingMode::none: choice.mode = ToolChoiceMode::none; break;
        case CallingMode::validated:
          choice.mode = ToolChoiceMode::automatic;
          extra("toolConfig.functionCallingConfig.", "mode", member.value);
          break;
      }
    } else if (key == "allowedFunctionNames" || key == "allowed_function_names") {
      for (const Value name : member.value.elements()) choice.allowed.push(arena, name.string(arena));
    } else if (!member.value.is_null()) {
      extra("toolConfig.functionCallingConfig.", key, member.value);
    }
  }
  if (choice.mode == ToolChoiceMode::required && choice.allowed.size() == 1) {
    choice.mode = ToolChoiceMode::named;
    choice.name = choice.allowed.front();
    choice.allowed.clear();
  }
  return {};
}

Outcome<void> ConfigReader::read_generation(Value config) {
  if (!config.is_object()) return invalid(context_.arena, "generationConfig", "generationConfig: expected an object.");
  Value mime;
  Value openapi;
  Value schema;
  for (const json::Member member : config.members()) {
    const std::string_view key = member.key(context_.arena);
    if (member.value.is_null()) continue;
    if (key == "responseMimeType" || key == "response_mime_type") {
      mime = member.value;
    } else if (key == "responseSchema" || key == "response_schema") {
      openapi = member.value;
    } else if (key == "responseJsonSchema" || key == "response_json_schema") {
      schema = member.value;
    } else {
      TRY_VOID(read_setting(key, member.value));
    }
  }
  read_format(mime, openapi, schema);
  return {};
}

bool ConfigReader::read_number_setting(std::string_view key, Value value) {
  struct Row {
    std::string_view name;
    std::string_view snake;
    std::string_view chat::Request::* member;
  };
  constexpr Row kRows[] = {
      {"temperature", "temperature", &chat::Request::temperature},
      {"topP", "top_p", &chat::Request::top_p},
      {"topK", "top_k", &chat::Request::top_k},
      {"seed", "seed", &chat::Request::seed},
      {"presencePenalty", "presence_penalty", &chat::Request::presence_penalty},
      {"frequencyPenalty", "frequency_penalty", &chat::Request::frequency_penalty},
  };
  for (const Row& row : kRows) {
    if (key != row.name && key != row.snake) continue;
    const bool whole = row.name == "topK" || row.name == "seed";
    request_.*row.member = whole ? number_text(value, context_.arena) : number_in_quotes(value);
    return true;
  }
  return false;
}

Outcome<void> ConfigReader::read_setting(std::string_view key, Value value) {
  base::Arena& arena = context_.arena;
  if (read_number_setting(key, value)) {
    if (!number_in_quotes(value).empty()) return {};
    return invalid(arena, arena.concat("generationConfig.", key), "Expected a number.");
  }
  const auto count = [&](std::optional<uint64_t>& to) -> Outcome<void> {
    to = whole_number<uint64_t>(value);
    if (!to) return invalid(arena, arena.concat("generationConfig.", key), "Expected a whole number.");
    return {};
  };
  if (key == "maxOutputTokens" || key == "max_output_tokens") return count(request_.max_tokens);
  if (key == "candidateCount" || key == "candidate_count") return count(request_.n);
  if (key == "logprobs") return count(request_.top_logprobs);
  if (key == "responseLogprobs" || key == "response_logprobs") {
    request_.logprobs = value.boolean();
  } else if (key == "stopSequences" || key == "stop_sequences") {
    for (const Value text : value.elements()) request_.stop.push(arena, text.string(arena));
  } else if (key == "thinkingConfig" || key == "thinking_config") {
    TRY_VOID(read_thinking(value));
  } else if (key == "responseModalities" || key == "response_modalities") {
    const bool text_only =
        value.size() == 1 && (value.first_element().equals("TEXT") || value.first_element().equals("Text") ||
                              value.first_element().equals("text"));
    if (!text_only && !value.empty()) extra("generationConfig.", "responseModalities", value);
  } else {
    extra("generationConfig.", key, value);
  }
  return {};
}

Outcome<void> ConfigReader::read_thinking(Value config) {
  base::Arena& arena = context_.arena;
  chat::Reasoning& reasoning = request_.reasoning;
  for (const json::Member member : config.members()) {
    const std::string_view key = member.key(arena);
    const Value value = member.value;
    if (key == "includeThoughts" || key == "include_thoughts") {
      reasoning.visible = value.boolean();
    } else if (key == "thinkingBudget" || key == "thinking_budget") {
      const auto budget = whole_number<int64_t>(value);
      if (!budget) continue;
      reasoning.mode = *budget == 0 ? ReasoningMode::off : ReasoningMode::on;
      if (*budget != 0) reasoning.budget_tokens = budget;
    } else if (key == "thinkingLevel" || key == "thinking_level") {
      reasoning.effort = effort_of_level(value, arena);
      if (reasoning.effort != chat::Effort::unset) {
        reasoning.mode = ReasoningMode::on;
      } else if (!says_unspecified(value, arena)) {
        return invalid(arena, "generationConfig.thinkingConfig.thinkingLevel",
                       "Expected MINIMAL, LOW, MEDIUM or HIGH.");
      }
    } else if (!value.is_null()) {
      extra("generationConfig.thinkingConfig.", key, value);
    }
  }
  // Google's models think unless they are told not to: who wants to see it and says no more means that.
  if (reasoning.visible == true && reasoning.mode == ReasoningMode::unset) reasoning.mode = ReasoningMode::adaptive;
  return {};
}

void ConfigReader::read_format(Value mime, Value openapi, Value schema) {
  chat::ResponseFormat& format = request_.format;
  const bool json = mime.equals("application/json");
  const auto spell = [&](std::string_view client) {
    request_.spellings.push(context_.arena, {.field = "response_format", .client = client});
  };
  if (schema.is_object()) {
    format.kind = FormatKind::json_schema;
    spell("generationConfig.responseJsonSchema");
    format.schema = schema.raw();
  } else if (openapi.is_object()) {
    format.kind = FormatKind::json_schema;
    schemas_.push_back({PendingSchema::Place::format, 0, openapi.raw()});
  } else if (json) {
    format.kind = FormatKind::json_object;
    spell("generationConfig.responseMimeType");
  }
  if (mime.is_string() && !json && !mime.equals("text/plain")) extra("generationConfig.", "responseMimeType", mime);
}

}  // namespace llmgw::dialects::gemini
