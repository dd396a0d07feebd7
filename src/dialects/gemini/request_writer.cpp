#include "dialects/gemini/request_writer.h"

#include <algorithm>
#include <array>

#include "chat/schema.h"
#include "dialects/gemini/contents_writer.h"
#include "dialects/gemini/functions.h"
#include "dialects/gemini/words.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"

namespace llmgw::dialects::gemini {

using chat::FormatKind;
using chat::SchemaSubset;
using chat::Tool;
using chat::ToolChoiceMode;
using chat::ToolKind;

Outcome<void> RequestWriter::write_common() {
  choose_emulation();
  ContentsWriter contents(request_, target_, context_, w_);
  const chat::Conversation conversation = contents.arrange();
  w_.begin_object();
  TRY_VOID(contents.write(conversation));
  write_system(conversation.system);
  TRY_VOID(write_tools());
  return write_generation();
}

Outcome<void> RequestWriter::write_for_count() {
  TRY_VOID(write_common());
  w_.end_object();
  return {};
}

Outcome<void> RequestWriter::write() {
  TRY_VOID(write_common());
  write_tool_config();
  if (!request_.metadata.empty()) {
    if (target_.dialect == chat::Dialect::vertex && target_.metadata) {
      w_.raw_member("labels", request_.metadata);
    } else {
      context_.warnings.dropped("metadata", "this model's API has no such parameter");
    }
  }
  write_service_tier();
  TRY_VOID(write_top_extras());
  w_.end_object();
  warn_of_the_rest();
  // AI Studio has no name for a file.
  const bool vertex = target_.dialect == chat::Dialect::vertex;
  Reasoned reasoned = kNotReasoned;
  if (target_.reasoning == chat::ReasoningStyle::gemini_level) {
    reasoned = {.budget = request_.reasoning.effort == chat::Effort::unset};
  } else if (target_.reasoning == chat::ReasoningStyle::gemini_budget) {
    reasoned = {.effort = !request_.reasoning.budget_tokens};
  }
  warn_of_losses(
      request_,
      {.dialect = chat::Dialect::gemini, .titles = vertex, .media_names = vertex, .hides = true, .reasoned = reasoned},
      context_);
  return {};
}

bool RequestWriter::declares(const Tool& tool) const {
  if (tool.kind == ToolKind::opaque) return false;
  const auto& choice = request_.tool_choice;
  // Gemini has no list of allowed functions for a model that may also answer.
  if (choice.mode != ToolChoiceMode::automatic || choice.allowed.empty()) return true;
  return std::ranges::find(choice.allowed, tool.name) != choice.allowed.end();
}

bool RequestWriter::has_functions() const {
  return !emulation_.format_tool.empty() ||
         std::ranges::any_of(request_.tools, [&](const Tool& t) { return declares(t); });
}

// Before Gemini 3, functions and JSON answers exclude each other.
void RequestWriter::choose_emulation() {
  const auto kind = request_.format.kind;
  const bool wants_json = kind == FormatKind::json_object || kind == FormatKind::json_schema;
  const bool both = target_.reasoning == chat::ReasoningStyle::gemini_level;
  if (!wants_json || both || request_.tool_choice.mode == ToolChoiceMode::none || !has_functions()) return;
  const bool schema = kind == FormatKind::json_schema && !request_.format.schema.empty();
  const bool forced =
      request_.tool_choice.mode == ToolChoiceMode::required || request_.tool_choice.mode == ToolChoiceMode::named;
  if (forced) {  // the answer is a call
    context_.warnings.dropped("response_format", "a tool has to be called: there is no text to be formatted");
    return;
  }
  const bool by_tool = schema && target_.tool_choice_required &&
                       chat::is_object_schema(request_.format.schema, context_.parser, context_.arena);
  if (by_tool) emulation_.format_tool = name_format_tool(request_, context_);
  emulation_.format_instruction = !by_tool;
  context_.warnings.emulated("response_format", by_tool
                                                    ? "this model takes tools or a JSON format: a tool stands for it"
                                                    : "this model takes tools or a JSON format: it is told in words");
}

void RequestWriter::write_system(const chat::List<chat::Part>& system) {
  if (system.empty() && !emulation_.format_instruction) return;
  w_.key("systemInstruction").begin_object().key("parts").begin_array();
  for (const chat::Part& part : system) w_.begin_object().member("text", part.text).end_object();
  if (emulation_.format_instruction) {
    std::string words = "Answer with one JSON document and nothing around it.";
    if (!request_.format.schema.empty())
      words += " It must match this JSON Schema: " + std::string(request_.format.schema);
    w_.begin_object().member("text", words).end_object();
  }
  w_.end_array().end_object();
}

Outcome<void> RequestWriter::write_tools() {
  if (request_.tools.empty() && emulation_.format_tool.empty()) return {};
  if (!target_.tools) return invalid(context_.arena, "tools", "This model takes no tools.");
  const bool any = has_functions() || std::ranges::any_of(request_.tools, [](const Tool& tool) {
                     return tool.kind == ToolKind::opaque && is_gemini(tool.origin);
                   });
  if (any) w_.key("tools").begin_array();  // the others only warn
  if (has_functions()) {
    w_.begin_object().key("functionDeclarations").begin_array();
    size_t index = 0;
    for (const Tool& tool : request_.tools) {
      if (declares(tool)) {
        write_function(tool, index);
      } else if (tool.kind != ToolKind::opaque) {
        context_.warnings.changed("tool_choice", "only the allowed tools are declared");
      }
      ++index;
    }
    if (!emulation_.format_tool.empty()) write_format_tool();
    w_.end_array().end_object();
  }
  size_t index = 0;
  for (const Tool& tool : request_.tools) {
    if (tool.kind == ToolKind::opaque) {
      if (is_gemini(tool.origin)) {
        w_.raw(tool.raw);
      } else {
        context_.warnings.dropped(tool_path(tool, index, context_.arena),
                                  "a server tool of another provider that this one does not have");
      }
    }
    ++index;
  }
  if (any) w_.end_array();
  return {};
}

void RequestWriter::write_function(const Tool& tool, size_t index) {
  w_.begin_object().member("name", tool.name);
  if (!tool.description.empty()) w_.member("description", tool.description);
  std::string_view schema = tool.kind == ToolKind::custom ? custom_tool_schema() : tool.schema;
  if (tool.kind == ToolKind::custom) {
    context_.warnings.emulated(tool_path(tool, index, context_.arena), "a free-text tool became a function");
  }
  if (!target_.strict_tools) warn_not_strict(request_, tool, index, "this model has no strict tools", context_);
  if (!schema.empty()) {
    const std::string_view field = schema_path(request_, tool, index, context_.arena);
    const bool openapi = target_.tool_schema == SchemaSubset::gemini_openapi;
    const SchemaSubset subset = openapi ? target_.tool_schema : SchemaSubset::gemini_json;
    schema = object_schema(schema, context_.parser, context_.arena);
    schema = chat::convert_schema(schema, subset, field, context_.parser, context_.arena, context_.warnings);
    w_.raw_member(openapi ? "parameters" : "parametersJsonSchema", schema);
  }
  w_.end_object();
}

void RequestWriter::write_format_tool() {
  w_.begin_object().member("name", emulation_.format_tool);
  w_.member("description", "Gives the answer to the user. Call it once, when the answer is complete.");
  const bool openapi = target_.tool_schema == SchemaSubset::gemini_openapi;
  const SchemaSubset subset = openapi ? target_.tool_schema : SchemaSubset::gemini_json;
  const std::string_view object = object_schema(request_.format.schema, context_.parser, context_.arena);
  const std::string_view schema =
      chat::convert_schema(object, subset, "response_format", context_.parser, context_.arena, context_.warnings);
  w_.raw_member(openapi ? "parameters" : "parametersJsonSchema", schema).end_object();
}

// VALIDATED, which the model has no word for.
bool RequestWriter::has_own_mode() const {
  return is_gemini(request_.from) && std::ranges::any_of(request_.extras, [](const chat::Extra& extra) {
           return extra.name == "toolConfig.functionCallingConfig.mode";
         });
}

// That arguments fit their schemas is for all functions or for none. Where a call is forced they do anyway.
bool RequestWriter::wants_strict_calls() const {
  return target_.strict_tools && std::ranges::any_of(request_.tools, [&](const Tool& tool) {
           return declares(tool) && tool.strict == true && !tool.strict_by_default;
         });
}

void RequestWriter::write_tool_config() {
  const auto& choice = request_.tool_choice;
  const bool own_extras =
      is_gemini(request_.from) && std::ranges::any_of(request_.extras, [](const chat::Extra& extra) {
        return extra.name.starts_with("toolConfig.");
      });
  const bool calling = has_functions() && (choice.mode != ToolChoiceMode::unset || !emulation_.format_tool.empty() ||
                                           wants_strict_calls());
  if (!calling && !own_extras) return;
  w_.key("toolConfig").begin_object();
  if (calling) {
    w_.key("functionCallingConfig").begin_object();
    switch (choice.mode) {
      case ToolChoiceMode::none: w_.member("mode", "NONE"); break;
      case ToolChoiceMode::required:
      case ToolChoiceMode::named:
        w_.member("mode", "ANY");
        if (choice.mode == ToolChoiceMode::named || !choice.allowed.empty()) {
          w_.key("allowedFunctionNames").begin_array();
          if (choice.mode == ToolChoiceMode::named) w_.value(choice.name);
          for (const std::string_view name : choice.allowed) w_.value(name);
          w_.end_array();
        }
        break;
      default:
        if (has_own_mode()) break;
        w_.member("mode", !emulation_.format_tool.empty() ? "ANY" : wants_strict_calls() ? "VALIDATED" : "AUTO");
    }
    write_extras_of("toolConfig.functionCallingConfig.");
    w_.end_object();
  }
  write_extras_of("toolConfig.");
  w_.end_object();
}

Outcome<void> RequestWriter::write_generation() {
  w_.key("generationConfig").begin_object();
  write_sampling();
  TRY_VOID(write_counts());
  const auto stop = gate_stop(request_, target_, false, context_);
  if (!stop.empty()) {
    w_.key("stopSequences").begin_array();
    for (const std::string_view text : stop) w_.value(text);
    w_.end_array();
  }
  write_format();
  write_thinking();
  write_extras_of("generationConfig.");
  write_modalities();
  w_.end_object();
  return {};
}

void RequestWriter::write_sampling() {
  const bool reasoning = target_.reasons_by_default || request_.reasoning.mode == chat::ReasoningMode::on ||
                         request_.reasoning.mode == chat::ReasoningMode::adaptive;
  gate_cache_marks(request_, target_, {}, context_);
  const Sampling sampling = gate_sampling(request_, target_, reasoning, context_);
  if (!sampling.temperature.empty()) w_.raw_member("temperature", sampling.temperature);
  if (!sampling.top_p.empty()) w_.raw_member("topP", sampling.top_p);
  if (!sampling.top_k.empty()) w_.raw_member("topK", sampling.top_k);
  const auto number = [&](std::string_view value, bool taken, std::string_view name, std::string_view field) {
    if (value.empty()) return;
    if (taken) {
      w_.raw_member(name, value);
    } else if (value != "0" && value != "0.0") {
      context_.warnings.dropped(field, "this model has no such parameter");
    }
  };
  number(request_.frequency_penalty, target_.penalties, "frequencyPenalty", "frequency_penalty");
  number(request_.presence_penalty, target_.penalties, "presencePenalty", "presence_penalty");
  number(request_.seed, target_.seed, "seed", "seed");
}

Outcome<void> RequestWriter::write_counts() {
  if (const auto max = gate_max_tokens(request_, target_, context_)) w_.member("maxOutputTokens", *max);
  if (request_.n.value_or(1) > 1) {
    if (!target_.n) return invalid(context_.arena, "n", "This model gives one answer a call: n must be 1.");
    w_.member("candidateCount", *request_.n);
  }
  if (request_.logprobs.value_or(false)) {
    if (target_.logprobs) {
      w_.member("responseLogprobs", true);
      if (request_.top_logprobs) w_.member("logprobs", *request_.top_logprobs);
    } else {
      context_.warnings.dropped("logprobs", "this model does not report them");
    }
  }
  if (request_.top_logprobs.value_or(0) > 0 && !(request_.logprobs.value_or(false) && target_.logprobs)) {
    context_.warnings.dropped("top_logprobs", "this model does not report them unless asked for all");
  }
  return {};
}

void RequestWriter::write_format() {
  const chat::ResponseFormat& format = request_.format;
  const bool json = format.kind == FormatKind::json_object || format.kind == FormatKind::json_schema;
  const bool forced = has_functions() && (request_.tool_choice.mode == ToolChoiceMode::required ||
                                          request_.tool_choice.mode == ToolChoiceMode::named);
  const bool both = target_.reasoning == chat::ReasoningStyle::gemini_level;
  if (!json || !emulation_.format_tool.empty() || emulation_.format_instruction || (forced && !both)) return;
  w_.member("responseMimeType", "application/json");
  if (format.kind != FormatKind::json_schema || format.schema.empty()) return;
  const bool openapi = target_.output_schema == SchemaSubset::gemini_openapi;
  const SchemaSubset subset = openapi ? target_.output_schema : SchemaSubset::gemini_json;
  const std::string_view schema = chat::convert_schema(format.schema, subset, "response_format", context_.parser,
                                                       context_.arena, context_.warnings);
  w_.raw_member(openapi ? "responseSchema" : "responseJsonSchema", schema);
}

}  // namespace llmgw::dialects::gemini
