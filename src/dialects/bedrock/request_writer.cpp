#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "chat/token_estimate.h"
#include "chat/turns.h"
#include "dialects/bedrock/block_writer.h"
#include "dialects/bedrock/functions.h"
#include "dialects/claude_reasoning.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"
#include "dialects/tool_plan.h"
#include "json/tree.h"

namespace llmgw::dialects::bedrock {

using chat::BedrockFamily;
using chat::CacheMark;
using chat::Effort;
using chat::Part;
using chat::PartKind;
using chat::ReasoningMode;
using chat::ToolChoiceMode;

namespace {

constexpr std::string_view kFields = "additionalModelRequestFields.";
constexpr size_t kMetadataMax = 16;  // Bedrock's bound on requestMetadata

// Families that want results alone in their turn (observed by client libraries, August 2026).
bool results_alone(BedrockFamily family) {
  return family == BedrockFamily::llama || family == BedrockFamily::mistral || family == BedrockFamily::writer;
}

chat::TurnRules turn_rules(const chat::Target& target) {
  return {
      .results_alone = results_alone(target.bedrock),
      .alternate = true,
      .media_out_of_results = !target.tool_result_images,
      .allow_prefill = target.assistant_prefill,
      .mid_system = target.mid_system,
      .drop_blank_text = true,
      .opaque_of = chat::Dialect::bedrock,
      .minter = target.minter,
      .model = target.model,
      .keep_thinking = target.bedrock == BedrockFamily::claude || target.bedrock == BedrockFamily::nova,
      .id_rule = target.tool_id_rule,
      .id_max = target.tool_id_max,
      .ids_unique = target.tool_ids_unique,
  };
}

class RequestWriter {
 public:
  RequestWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, std::string& out)
      : request_(request),
        target_(target),
        context_(context),
        arena_(context.arena),
        writer_(out),
        blocks_(writer_, request, target, context) {}

  Outcome<void> write() {
    TRY_VOID(check());
    conversation_ = chat::arrange(request_, turn_rules(target_), arena_, context_.warnings);
    max_tokens_ = gate_max_tokens(request_, target_, context_);
    plan_reasoning();
    const ToolRules rules{.own = chat::Dialect::bedrock,
                          .thinks = reasoning_.active(),
                          .forcing_impossible = reasoning_.forced_tool_impossible};
    TRY(plan, plan_tools(request_, target_, conversation_, rules, context_));
    tools_ = plan;
    forbid_tools();
    plan_marks();
    writer_.begin_object();
    system();
    messages();
    inference();
    tool_config();
    additional_fields();
    output_config();
    metadata();
    service_tier();
    TRY_VOID(extras());
    writer_.end_object();
    const bool by_effort = effort_ != Effort::unset;
    warn_of_losses(request_,
                   {.dialect = chat::Dialect::bedrock,
                    .contexts = true,
                    .cited_docs = claude(),
                    .formats = target_.json_schema == chat::JsonSchemaSupport::native,
                    .hides = claude() && !by_effort,
                    .reasoned = {.budget = !by_effort}},
                   context_);
    return {};
  }

 private:
  bool own_dialect() const { return request_.from == chat::Dialect::bedrock; }
  bool claude() const { return target_.bedrock == BedrockFamily::claude; }

  Outcome<void> check() {
    TRY_VOID(refuse_openai_parameters(request_, context_));
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const auto& parts = request_.messages[i].parts;
      for (size_t j = 0; j < parts.size(); ++j) {
        const Part& part = parts[j];
        if (part.media != nullptr || !part.content.empty()) {
          TRY_VOID(check_media(part, request_.from, target_, part_path(request_.from, i, j, arena_), arena_));
        }
      }
    }
    return {};
  }

  void plan_reasoning() {
    using chat::ReasoningStyle;
    const chat::Reasoning& asked = request_.reasoning;
    if (target_.reasoning == ReasoningStyle::anthropic_budget ||
        target_.reasoning == ReasoningStyle::anthropic_adaptive || target_.reasoning == ReasoningStyle::none) {
      constexpr uint64_t kUnlimited = UINT32_MAX;
      reasoning_ = plan_claude_reasoning(request_, target_, max_tokens_.value_or(kUnlimited), forces_tool(request_),
                                         conversation_, context_);
      return;
    }
    const bool off = asked.mode == ReasoningMode::off || asked.effort == Effort::none;
    const bool on = asked.mode == ReasoningMode::on || asked.mode == ReasoningMode::adaptive ||
                    asked.effort != Effort::unset || asked.budget_tokens.value_or(0) > 0;
    if (off) {
      effort_ = Effort::none;
      if (!target_.reasoning_can_be_off) {
        effort_ = std::max(Effort::low, target_.effort_min);
        context_.warnings.changed("reasoning", "this model always reasons: sent with the least effort");
      }
    } else if (on) {
      Effort wanted = asked_effort(request_, context_);
      if (wanted == Effort::unset) wanted = Effort::medium;
      effort_ = std::clamp(wanted, std::max(Effort::low, target_.effort_min), target_.effort_max);
      if (effort_ != wanted)
        context_.warnings.changed("reasoning", "the effort was brought within what this model takes");
    }
  }

  // Converse cannot say "none": the tools are left out, or, where the conversation needs them, the model is told.
  void forbid_tools() {
    if (tools_.choice != ToolChoiceMode::none) return;
    if (!conversation_.has_tool_parts) {
      if (!tools_.format_tool.empty()) return;
      tools_.tools.clear();
      tools_.history_names.clear();
    } else if (!claude()) {
      const std::string sentence = "Do not call any tool.";
      tools_.instruction = tools_.instruction.empty() ? arena_.copy(sentence)
                                                      : arena_.copy(std::string(tools_.instruction) + "\n" + sentence);
      context_.warnings.emulated("tool_choice", "this model cannot be kept from calling tools: it is told not to");
    }
  }

  static size_t marks_of(const chat::List<Part>& parts) {
    size_t count = 0;
    for (const Part& part : parts) {
      count += mark_of(part) != CacheMark::none && BlockWriter::has_block(part) ? 1 : 0;
    }
    return count;
  }

  // Anthropic's mark of the whole request stands behind its last block.
  bool mark_end() {
    if (conversation_.turns.empty() || conversation_.turns.back().parts.empty()) return false;
    Part& last = conversation_.turns.back().parts.back();
    if (mark_of(last) != CacheMark::none || !BlockWriter::has_block(last)) return false;
    last.cache = request_.cache;
    return true;
  }

  void plan_marks() {
    if (!target_.cache_marks) return;
    size_t count = 0;
    size_t in_tools = 0;
    for (const chat::Tool* tool : tools_.tools) in_tools += tool->cache != CacheMark::none ? 1 : 0;
    // Marks that this model takes on no tool are the client's choice all the same.
    const bool lost = in_tools > 0 && !target_.cache_marks_on_tools;
    if (lost) in_tools = 0;
    count += in_tools;
    const size_t in_system = marks_of(conversation_.system);
    count += in_system;
    for (const chat::Turn& turn : conversation_.turns) count += marks_of(turn.parts);
    const bool full = request_.cache != CacheMark::none && count >= kCachePointsMax;
    if (request_.cache != CacheMark::none && !full && mark_end()) ++count;
    if (full) {
      context_.warnings.dropped("cache_control", "this model takes four cache points: that of the whole was left out");
    }
    if (count > kCachePointsMax) {
      context_.warnings.dropped("cache_control", "this model takes four cache points: the earliest were left out");
      message_marks_skipped_ = std::min(count - kCachePointsMax, count - in_tools - in_system);
    }
    // A client that marks anything has chosen what is to be cached.
    if (count > 0 || lost) return;
    if (target_.auto_cache_system && !conversation_.system.empty()) {
      size_t bytes = 0;
      for (const Part& part : conversation_.system) bytes += part.text.size();
      if (bytes / chat::kBytesPerToken >= target_.auto_cache_min_tokens) {
        conversation_.system.back().cache = CacheMark::five_minutes;
      }
    }
    auto_cache_tools_ = target_.auto_cache_tools;
  }

  void system() {
    const std::string_view instruction = tools_.instruction;
    if (conversation_.system.empty() && instruction.empty()) return;
    writer_.key("system").begin_array();
    for (const Part& part : conversation_.system) {
      if (BlockWriter::has_block(part)) blocks_.write(part);
    }
    if (!instruction.empty()) blocks_.write({.kind = PartKind::text, .text = instruction});
    writer_.end_array();
  }

  void messages() {
    blocks_.skip_marks(message_marks_skipped_);
    writer_.key("messages").begin_array();
    for (const chat::Turn& turn : conversation_.turns) {
      if (std::ranges::none_of(turn.parts, BlockWriter::has_block)) continue;
      const std::string_view role = turn.role == chat::Role::assistant ? "assistant"
                                    : turn.role == chat::Role::system  ? "system"
                                                                       : "user";
      writer_.begin_object().member("role", role).key("content").begin_array();
      bool document = false;
      bool text = false;
      for (const Part& part : turn.parts) {
        if (!BlockWriter::has_block(part)) continue;
        document = document || part.kind == PartKind::document;
        text = text || part.kind == PartKind::text;
        blocks_.write(part);
      }
      // A document must not come without words.
      if (document && !text) blocks_.write({.kind = PartKind::text, .text = "The document is attached."});
      writer_.end_array().end_object();
    }
    writer_.end_array();
  }

  // Nova at its highest effort takes none of these parameters.
  bool nova_high() const { return target_.reasoning == chat::ReasoningStyle::nova && effort_ >= Effort::high; }

  void inference() {
    const bool thinks = reasoning_.thinks(target_) || (effort_ != Effort::unset && effort_ != Effort::none);
    gate_cache_marks(request_, target_, kMarksEverywhere, context_);
    sampling_ = gate_sampling(request_, target_, thinks, context_);
    if (nova_high()) {
      if (!sampling_.temperature.empty()) context_.warnings.dropped("temperature", "not with the highest effort");
      if (!sampling_.top_p.empty()) context_.warnings.dropped("top_p", "not with the highest effort");
      if (!sampling_.top_k.empty()) context_.warnings.dropped("top_k", "not with the highest effort");
      if (request_.max_tokens) context_.warnings.dropped("max_tokens", "not with the highest effort");
      sampling_ = {};
      max_tokens_ = {};
    }
    const auto stop = gate_stop(request_, target_, claude(), context_);
    const bool more = own_dialect() && has_extras("inferenceConfig.");
    if (!max_tokens_ && sampling_.temperature.empty() && sampling_.top_p.empty() && stop.empty() && !more) return;
    writer_.key("inferenceConfig").begin_object();
    if (max_tokens_) writer_.member("maxTokens", *max_tokens_);
    if (!sampling_.temperature.empty()) writer_.raw_member("temperature", sampling_.temperature);
    if (!sampling_.top_p.empty()) writer_.raw_member("topP", sampling_.top_p);
    if (!stop.empty()) {
      writer_.key("stopSequences").begin_array();
      for (const std::string_view text : stop) writer_.value(text);
      writer_.end_array();
    }
    if (more) nested_extras("inferenceConfig.");
    writer_.end_object();
  }

  void spec(const chat::Tool& tool) {
    const size_t index = static_cast<size_t>(&tool - request_.tools.begin());
    writer_.begin_object().key("toolSpec").begin_object().member("name", tool.name);
    if (!tool.description.empty()) writer_.member("description", tool.description);
    const bool strict = goes_strict(request_, tool, target_, context_);
    std::string_view schema = tool.kind == chat::ToolKind::custom ? custom_tool_schema()
                                                                  : object_schema(tool.schema, context_.parser, arena_);
    const chat::SchemaSubset subset = strict ? chat::SchemaSubset::anthropic : target_.tool_schema;
    if (subset != chat::SchemaSubset::any) {
      schema = chat::convert_schema(schema, subset, schema_path(request_, tool, index, arena_), context_.parser, arena_,
                                    context_.warnings);
    }
    input_schema(schema);
    if (strict) writer_.member("strict", true);
    writer_.end_object().end_object();
  }

  void input_schema(std::string_view schema) {
    writer_.key("inputSchema").begin_object().raw_member("json", schema).end_object();
  }

  void bare_spec(std::string_view name, std::string_view description, std::string_view schema) {
    writer_.begin_object().key("toolSpec").begin_object().member("name", name);
    if (!description.empty()) writer_.member("description", description);
    input_schema(object_schema(schema, context_.parser, arena_));
    writer_.end_object().end_object();
  }

  void tool_config() {
    if (!tools_.any()) return;
    writer_.key("toolConfig").begin_object().key("tools").begin_array();
    blocks_.skip_marks(0);
    for (const chat::Tool* tool : tools_.tools) {
      if (tool->kind == chat::ToolKind::opaque) {
        writer_.raw(tool->raw);
      } else {
        spec(*tool);
      }
      if (target_.cache_marks_on_tools) blocks_.cache_point(tool->cache);
    }
    for (const std::string_view name : tools_.history_names) bare_spec(name, {}, {});
    if (!tools_.format_tool.empty()) bare_spec(tools_.format_tool, kFormatToolDescription, request_.format.schema);
    if (auto_cache_tools_) blocks_.cache_point(CacheMark::five_minutes);
    writer_.end_array();
    if (!choice_in_fields()) tool_choice();
    writer_.end_object();
  }

  void tool_choice() {
    if (!target_.tool_choice) return;
    switch (tools_.choice) {
      case ToolChoiceMode::automatic: writer_.raw_member("toolChoice", R"({"auto":{}})"); break;
      case ToolChoiceMode::required: writer_.raw_member("toolChoice", R"({"any":{}})"); break;
      case ToolChoiceMode::named:
        writer_.key("toolChoice").begin_object().key("tool").begin_object();
        writer_.member("name", tools_.choice_name).end_object().end_object();
        break;
      case ToolChoiceMode::none:
      case ToolChoiceMode::unset: break;
    }
  }

  // Converse knows neither "none" nor the switch for parallel calls; Claude takes its own tool_choice beside it.
  bool choice_in_fields() const {
    return claude() && tools_.any() && (tools_.one_call || tools_.choice == ToolChoiceMode::none);
  }

  void claude_choice() {
    writer_.key("tool_choice").begin_object();
    switch (tools_.choice) {
      case ToolChoiceMode::none: writer_.member("type", "none"); break;
      case ToolChoiceMode::required: writer_.member("type", "any"); break;
      case ToolChoiceMode::named: writer_.member("type", "tool").member("name", tools_.choice_name); break;
      default: writer_.member("type", "auto"); break;
    }
    if (tools_.one_call && tools_.choice != ToolChoiceMode::none) writer_.member("disable_parallel_tool_use", true);
    writer_.end_object();
  }

  void additional_fields() {
    if (tools_.one_call && !claude()) {
      context_.warnings.dropped("parallel_tool_calls", "this model cannot be kept to one tool call");
    }
    const bool betas = claude() && has_extras("anthropic_beta");
    const bool more = own_dialect() && has_extras(kFields);
    const bool top_k = !sampling_.top_k.empty();
    const bool claude_reasons = reasoning_.thinking != ClaudeReasoning::Thinking::unset;
    const bool claude_effort = reasoning_.effort != Effort::unset;
    if (!betas && !more && !top_k && !claude_reasons && !claude_effort && effort_ == Effort::unset &&
        !choice_in_fields()) {
      return;
    }
    writer_.key("additionalModelRequestFields").begin_object();
    write_thinking(writer_, reasoning_);
    if (claude_effort) {
      writer_.key("output_config").begin_object().member("effort", chat::to_string(reasoning_.effort)).end_object();
    }
    family_effort();
    if (top_k && target_.bedrock == BedrockFamily::nova) {
      writer_.key("inferenceConfig").begin_object().raw_member("topK", sampling_.top_k).end_object();
    } else if (top_k) {
      writer_.raw_member("top_k", sampling_.top_k);
    }
    if (choice_in_fields()) claude_choice();
    if (betas) {
      for (const chat::Extra& extra : request_.extras) {
        if (extra.name == "anthropic_beta") writer_.raw_member("anthropic_beta", extra.value);
      }
    }
    if (more) nested_extras(kFields);
    writer_.end_object();
  }

  void family_effort() {
    if (effort_ == Effort::unset) return;
    if (target_.reasoning == chat::ReasoningStyle::nova) {
      writer_.key("reasoningConfig").begin_object();
      writer_.member("type", effort_ == Effort::none ? "disabled" : "enabled");
      if (effort_ != Effort::none) writer_.member("maxReasoningEffort", chat::to_string(effort_));
      writer_.end_object();
    } else if (effort_ != Effort::none || target_.effort_none) {
      const bool qwen = target_.bedrock == BedrockFamily::qwen;
      writer_.member(qwen ? "reasoning_config" : "reasoning_effort", chat::to_string(effort_));
    }
  }

  void output_config() {
    const chat::ResponseFormat& format = request_.format;
    if (!tools_.native_schema) return;
    const std::string_view schema = chat::convert_schema(format.schema, chat::SchemaSubset::anthropic,
                                                         "response_format", context_.parser, arena_, context_.warnings);
    writer_.key("outputConfig").begin_object().key("textFormat").begin_object().member("type", "json_schema");
    writer_.key("structure").begin_object().key("jsonSchema").begin_object().member("schema", schema);
    if (!format.name.empty()) writer_.member("name", format.name);
    if (!format.description.empty()) writer_.member("description", format.description);
    writer_.end_object().end_object().end_object().end_object();
  }

  void metadata() {
    if (!one_user(request_, context_).empty()) {
      context_.warnings.dropped(user_field(request_), "this model's API takes no name of a user");
    }
    if (request_.metadata.empty()) return;
    const auto root = json::parse_tree(context_.parser, request_.metadata, arena_);
    const bool fits = root && root->is_object() && !root->empty() && root->size() <= kMetadataMax;
    if (target_.metadata && fits) {
      writer_.raw_member("requestMetadata", request_.metadata);
    } else {
      context_.warnings.dropped("metadata", "this model's API keeps no such metadata");
    }
  }

  void service_tier() {
    std::string_view tier = request_.service_tier;
    if (tier.empty() || tier == "auto") return;
    if (tier == "standard_only" || tier == "standard") tier = "default";
    const bool known = tier == "default" || tier == "priority" || tier == "flex" || tier == "reserved";
    if (known && target_.service_tier) {
      writer_.key("serviceTier").begin_object().member("type", tier).end_object();
    } else {
      context_.warnings.dropped("service_tier", "this model's API has no such tier");
    }
  }

  bool has_extras(std::string_view prefix) const {
    return std::ranges::any_of(request_.extras,
                               [prefix](const chat::Extra& extra) { return extra.name.starts_with(prefix); });
  }

  void nested_extras(std::string_view prefix) {
    for (const chat::Extra& extra : request_.extras) {
      if (extra.name.starts_with(prefix)) writer_.raw_member(extra.name.substr(prefix.size()), extra.value);
    }
  }

  Outcome<void> extras() {
    for (const chat::Extra& extra : request_.extras) {
      const std::string_view name = extra.name;
      if (name == "anthropic_beta" && claude()) continue;
      if (!own_dialect()) {
        if (name != "stream_options") {
          TRY_VOID(leave_extra(extra, "this model's API has no such parameter", context_));
        }
      } else if (!name.starts_with(kFields) && !name.starts_with("inferenceConfig.")) {
        writer_.raw_member(name, extra.value);
      }
    }
    return {};
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  json::Writer writer_;
  BlockWriter blocks_;
  chat::Conversation conversation_;
  std::optional<uint64_t> max_tokens_;
  ClaudeReasoning reasoning_;
  Effort effort_ = Effort::unset;  // of the other families
  ToolPlan tools_;
  Sampling sampling_;
  size_t message_marks_skipped_ = 0;
  bool auto_cache_tools_ = false;
};

}  // namespace

Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  return RequestWriter(**own, target, context, out).write();
}

}  // namespace llmgw::dialects::bedrock
