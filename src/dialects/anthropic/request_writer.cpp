#include <algorithm>
#include <string>

#include "chat/schema.h"
#include "chat/token_estimate.h"
#include "chat/turns.h"
#include "dialects/anthropic/block_writer.h"
#include "dialects/anthropic/codec.h"
#include "dialects/anthropic/functions.h"
#include "dialects/anthropic/tool_writer.h"
#include "dialects/claude_reasoning.h"
#include "dialects/losses.h"
#include "dialects/request_gates.h"
#include "dialects/server_tools.h"
#include "json/tree.h"

namespace llmgw::dialects::anthropic {

using chat::CacheMark;
using chat::Part;
using chat::PartKind;

namespace {

enum class Purpose : uint8_t { create, count_tokens };

// Anthropic's bound on metadata.user_id.
constexpr size_t kUserIdBytesMax = 256;

chat::TurnRules turn_rules(const chat::Target& target) {
  return {
      .media_out_of_results = !target.tool_result_images,
      .allow_prefill = target.assistant_prefill,
      .mid_system = target.mid_system,
      .drop_blank_text = true,
      .opaque_of = chat::Dialect::anthropic,
      .minter = target.minter,
      .model = target.model,
      .id_rule = target.tool_id_rule,
      .id_max = target.tool_id_max,
      .ids_unique = target.tool_ids_unique,
  };
}

class RequestWriter {
 public:
  RequestWriter(const chat::Request& request, const chat::Target& target, WriteContext& context, std::string& out)
      : request_(request), target_(target), context_(context), arena_(context.arena), writer_(out) {}

  Outcome<void> write(Purpose purpose) {
    TRY_VOID(check());
    conversation_ = chat::arrange(request_, turn_rules(target_), arena_, context_.warnings);
    const uint64_t max_tokens = gate_max_tokens(request_, target_, context_).value_or(0);
    const uint64_t room = purpose == Purpose::count_tokens ? UINT32_MAX : max_tokens;
    reasoning_ = plan_claude_reasoning(request_, target_, room, forces_tool(request_), conversation_, context_);
    const ToolRules rules{.own = chat::Dialect::anthropic,
                          .name_bytes_max = kToolNameBytesMax,
                          .thinks = reasoning_.active(),
                          .forcing_impossible = reasoning_.forced_tool_impossible};
    TRY(plan, plan_tools(request_, target_, conversation_, rules, context_));
    tools_ = plan;
    plan_marks();
    writer_.begin_object().member("model", target_.model);
    if (purpose == Purpose::create) writer_.member("max_tokens", max_tokens);
    system();
    messages();
    write_tools(writer_, request_, target_, tools_, marks_, tools_mark_, context_);
    write_thinking(writer_, reasoning_);
    output_config();
    if (purpose == Purpose::create) call_parameters();
    TRY_VOID(extras(purpose));
    writer_.end_object();
    warn_of_losses(request_, {.dialect = chat::Dialect::anthropic, .contexts = true, .cited_docs = true, .hides = true},
                   context_);
    return {};
  }

 private:
  bool own_dialect() const { return request_.from == chat::Dialect::anthropic; }

  Outcome<void> check() {
    TRY_VOID(refuse_openai_parameters(request_, context_));
    for (size_t i = 0; i < request_.messages.size(); ++i) {
      const auto& parts = request_.messages[i].parts;
      for (size_t j = 0; j < parts.size(); ++j) {
        const Part& part = parts[j];
        const bool media = part.media != nullptr || !part.content.empty();
        if (media || part.kind == PartKind::image || part.kind == PartKind::document) {
          TRY_VOID(check_media(part, request_.from, target_, part_path(request_.from, i, j, arena_), arena_));
        }
      }
    }
    return {};
  }

  static size_t marks_of(const chat::List<Part>& parts) {
    size_t count = 0;
    for (const Part& part : parts) {
      const bool marked = part.cache != CacheMark::none && BlockWriter::has_block(part);
      count += (marked ? 1 : 0) + marks_of(part.content);
    }
    return count;
  }

  // The client's marks, and ours where it set none and the connection asks for them.
  void plan_marks() {
    marks_.enabled = target_.cache_marks;
    if (!marks_.enabled) return;
    size_t count = marks_of(conversation_.system) + (request_.cache != CacheMark::none ? 1 : 0);
    for (const chat::Tool* tool : tools_.tools) count += tool->cache != CacheMark::none ? 1 : 0;
    size_t in_messages = 0;
    for (const chat::Turn& turn : conversation_.turns) in_messages += marks_of(turn.parts);
    count += in_messages;
    if (count > kCacheMarksMax) {
      context_.warnings.dropped("cache_control", "this model takes four cache marks: the earliest were left out");
      marks_.skipped = std::min(count - kCacheMarksMax, in_messages);
    }
    // A client that marks anything has chosen what is to be cached.
    if (count > 0) return;
    if (target_.auto_cache_system && !conversation_.system.empty()) {
      size_t bytes = 0;
      for (const Part& part : conversation_.system) bytes += part.text.size();
      if (bytes / chat::kBytesPerToken >= target_.auto_cache_min_tokens) {
        conversation_.system.back().cache = CacheMark::five_minutes;
      }
    }
    if (target_.auto_cache_tools) tools_mark_ = CacheMark::five_minutes;
  }

  void system() {
    const auto& parts = conversation_.system;
    const bool marked =
        marks_.enabled && std::ranges::any_of(parts, [](const Part& part) { return part.cache != CacheMark::none; });
    const std::string_view instruction = tools_.instruction;
    if (parts.empty() && instruction.empty()) return;
    if (parts.size() == 1 && !marked && instruction.empty()) {
      writer_.member("system", parts.front().text);
      return;
    }
    CacheMarks all{.enabled = marks_.enabled};
    writer_.key("system").begin_array();
    BlockWriter blocks(writer_, request_, all, context_);
    for (const Part& part : parts) {
      if (BlockWriter::has_block(part)) blocks.write(part);
    }
    if (!instruction.empty()) blocks.write({.kind = PartKind::text, .text = instruction});
    writer_.end_array();
  }

  void messages() {
    writer_.key("messages").begin_array();
    BlockWriter blocks(writer_, request_, marks_, context_);
    for (const chat::Turn& turn : conversation_.turns) {
      if (std::ranges::none_of(turn.parts, BlockWriter::has_block)) continue;
      const std::string_view role = turn.role == chat::Role::assistant ? "assistant"
                                    : turn.role == chat::Role::system  ? "system"
                                                                       : "user";
      writer_.begin_object().member("role", role).key("content").begin_array();
      for (const Part& part : turn.parts) {
        if (BlockWriter::has_block(part)) blocks.write(part);
      }
      writer_.end_array().end_object();
    }
    writer_.end_array();
  }

  void output_config() {
    const bool schema = tools_.native_schema;
    const bool effort = reasoning_.effort != chat::Effort::unset;
    const bool more = has_nested_extras("output_config.");
    if (!schema && !effort && !more) return;
    writer_.key("output_config").begin_object();
    if (effort) writer_.member("effort", chat::to_string(reasoning_.effort));
    if (schema) {
      const std::string_view converted =
          chat::convert_schema(request_.format.schema, chat::SchemaSubset::anthropic, "response_format",
                               context_.parser, arena_, context_.warnings);
      writer_.key("format").begin_object().member("type", "json_schema").raw_member("schema", converted).end_object();
    }
    if (more) nested_extras("output_config.");
    writer_.end_object();
  }

  void call_parameters() {
    gate_cache_marks(request_, target_, kMarksEverywhere, context_);
    const Sampling sampling = gate_sampling(request_, target_, reasoning_.thinks(target_), context_);
    if (!sampling.temperature.empty()) writer_.raw_member("temperature", sampling.temperature);
    if (!sampling.top_p.empty()) writer_.raw_member("top_p", sampling.top_p);
    if (!sampling.top_k.empty()) writer_.raw_member("top_k", sampling.top_k);
    const auto stop = gate_stop(request_, target_, true, context_);
    if (!stop.empty()) {
      writer_.key("stop_sequences").begin_array();
      for (const std::string_view text : stop) writer_.value(text);
      writer_.end_array();
    }
    metadata();
    service_tier();
    if (request_.cache != CacheMark::none && marks_.enabled) write_cache_mark(writer_, request_.cache);
    if (request_.stream) writer_.member("stream", true);
  }

  void metadata() {
    if (!request_.metadata.empty()) context_.warnings.dropped("metadata", "this model's API keeps no metadata");
    const std::string_view name = one_user(request_, context_);
    const bool fits = target_.user && name.size() <= kUserIdBytesMax;
    if (!fits && !name.empty()) {
      context_.warnings.dropped(user_field(request_), target_.user ? "this model's API takes no name of that length"
                                                                   : "this model's API takes no name of a user");
    }
    const bool user = fits && !name.empty();
    const bool more = has_nested_extras("metadata.");
    if (!user && !more) return;
    writer_.key("metadata").begin_object();
    if (user) writer_.member("user_id", name);
    if (more) nested_extras("metadata.");
    writer_.end_object();
  }

  void service_tier() {
    const std::string_view tier = request_.service_tier;
    if (tier.empty()) return;
    std::string_view own;
    if (tier == "auto" || tier == "priority")
      own = "auto";  // priority capacity where the account has some
    else if (tier == "default" || tier == "standard")
      own = "standard_only";
    else if (own_dialect() && tier != "flex" && tier != "reserved")
      own = tier;  // the others are Bedrock's, of the head of a client that invokes Claude there
    if (own.empty() || !target_.service_tier) {
      context_.warnings.dropped("service_tier", "this model's API has no such tier");
    } else {
      writer_.member("service_tier", own);
    }
  }

  bool has_nested_extras(std::string_view prefix) const {
    return own_dialect() && std::ranges::any_of(request_.extras, [prefix](const chat::Extra& extra) {
             return extra.name.starts_with(prefix);
           });
  }

  void nested_extras(std::string_view prefix) {
    for (const chat::Extra& extra : request_.extras) {
      if (extra.name.starts_with(prefix)) writer_.raw_member(extra.name.substr(prefix.size()), extra.value);
    }
  }

  Outcome<void> extras(Purpose purpose) {
    for (const chat::Extra& extra : request_.extras) {
      const std::string_view name = extra.name;
      // A header here; see host_body.h.
      if (name == "anthropic_beta" || name == "additionalModelRequestFields.anthropic_beta") continue;
      if (!own_dialect()) {
        if (!is_harmless(extra)) TRY_VOID(leave_extra(extra, "this model's API has no such parameter", context_));
        continue;
      }
      if (name.starts_with("output_config.") || name.starts_with("metadata.")) continue;
      if (purpose == Purpose::count_tokens && name != "context_management" && name != "mcp_servers") continue;
      writer_.raw_member(name, extra.value);
    }
    return {};
  }

  // Says how an answer is to be sent, or asks for what is done anyway.
  static bool is_harmless(const chat::Extra& extra) {
    return extra.name == "stream_options" || (extra.name == "store" && extra.value == "false");
  }

  const chat::Request& request_;
  const chat::Target& target_;
  WriteContext& context_;
  base::Arena& arena_;
  json::Writer writer_;
  chat::Conversation conversation_;
  ClaudeReasoning reasoning_;
  ToolPlan tools_;
  CacheMarks marks_;
  CacheMark tools_mark_ = CacheMark::none;
};

}  // namespace

Outcome<void> write_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                            std::string& out) {
  std::optional<chat::Request> storage;
  const auto own = with_own_server_tools(request, target, context, storage);
  if (!own) return std::unexpected(own.error());
  return RequestWriter(**own, target, context, out).write(Purpose::create);
}

Outcome<void> write_count_request(const chat::Request& request, const chat::Target& target, WriteContext& context,
                                  std::string& out) {
  return RequestWriter(request, target, context, out).write(Purpose::count_tokens);
}

}  // namespace llmgw::dialects::anthropic
