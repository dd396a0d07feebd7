#include "chat/token_estimate.h"

#include <algorithm>
#include <string>

#include "base/arena.h"
#include "base/base64.h"
#include "chat/tokens/media_tokens.h"
#include "chat/tokens/schema_script.h"
#include "json/tree.h"

namespace llmgw::chat {
namespace {

// The parts of a schema that models are shown. Recursion ends with the document's own depth, which the parser bounds.
class SchemaWalk {
 public:
  SchemaWalk(SchemaCounts& counts, base::Arena& arena) : counts_(counts), arena_(arena) {}

  void walk(const json::Value& value) {
    for (const json::Value element : value.elements()) walk(element);
    if (!value.is_object()) return;
    counts_.objects += value["type"].equals("object") || value["properties"].present() ? 1 : 0;
    for (const json::Member member : value.members()) {
      if (member.is("properties") && member.value.is_object()) {
        properties(member.value, value["required"]);
      } else if (member.is("description") && member.value.is_string()) {
        ++counts_.described;
        counts_.words.add(member.value.string(arena_));
      } else if (member.is("title")) {
        ++counts_.titles;
      } else if (member.is("enum")) {
        items(member.value);
      } else if (member.is("default") || member.is("const") || member.is("format") || member.is("pattern")) {
        counts_.words.add(member.value.raw());
      } else {
        walk(member.value);
      }
    }
  }

 private:
  void properties(const json::Value& members, const json::Value& required) {
    size_t count = 0;
    for (const json::Member member : members.members()) {
      ++count;
      counts_.words.add(member.key(arena_));
      walk(member.value);
    }
    counts_.members += count;
    counts_.optional += count - std::min(count, required.size());
  }

  void items(const json::Value& values) {
    for (const json::Value value : values.elements()) {
      ++counts_.enum_items;
      counts_.words.add(value.is_string() ? value.string(arena_) : value.raw());
    }
  }

  SchemaCounts& counts_;
  base::Arena& arena_;
};

}  // namespace

void SchemaCounts::add(std::string_view schema) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, schema, arena);
  if (!root) return;
  raw.add_json(schema);
  SchemaWalk(*this, arena).walk(*root);
}

namespace {

// OpenAI's sealed reasoning of no words at all, in base64.
constexpr size_t kSealedEmpty = 900;

// Bedrock marks what a guardrail is to look at with tags before and behind ("Tag user input to filter content").
constexpr uint64_t kGuardTags = 5;

// Whether the user speaks in it; results of tools do not count.
bool is_spoken(const Message& message) {
  if (message.role != Role::user) return false;
  return std::ranges::any_of(message.parts, [](const Part& part) { return part.kind != PartKind::tool_result; });
}

bool looks_like_json(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

// Models that see tools and formats as scripts.
bool reads_scripts(TokenFamily family) {
  return family == TokenFamily::openai || family == TokenFamily::openai_reasoning || family == TokenFamily::gpt_oss;
}

// xAI puts what it sealed back into every later prompt; others leave out what was thought before the user spoke.
bool keeps_seals(TokenFamily family) {
  return family == TokenFamily::grok || family == TokenFamily::grok_4_3;
}

class Counter {
 public:
  Counter(PromptCounts& counts, const TokenModel& model) : counts_(counts), model_(model) {}

  // `live`: since the user spoke last.
  void message(const Message& message, bool live) {
    const bool system = message.role == Role::system || message.role == Role::developer;
    ++(system ? counts_.systems : counts_.messages);
    live_ = live;
    assistant_ = message.role == Role::assistant;
    const uint64_t calls_before = counts_.calls;
    for (const Part& part : message.parts) this->part(part, false);
    if (counts_.calls > calls_before + 1) counts_.joined_calls += counts_.calls - calls_before;
  }

  // Vertex AI lets Gemini 2.5 look at a document five times where nothing else is to be seen (as reported; AI Studio
  // does not, and beside an image a page is a page).
  void documents() {
    constexpr uint64_t kMoreLooks = 4;
    if (model_.dialect == Dialect::vertex && model_.family == TokenFamily::gemini && media_ == 1) {
      counts_.media_tokens += kMoreLooks * document_tokens_;
    }
  }

  void tools(const List<Tool>& tools) {
    for (const Tool& one : tools) {
      if (one.kind != ToolKind::opaque) tool(one);
    }
    if (counts_.tools > 0 && reads_scripts(model_.family)) counts_.tools_script.add(tools_script(tools));
  }

 private:
  void tool(const Tool& tool) {
    ++counts_.tools;
    counts_.described_tools += tool.description.empty() ? 0 : 1;
    counts_.tools_schema.add(tool.schema);
    if (reads_scripts(model_.family)) return;
    counts_.prose.add(tool.name);
    counts_.prose.add(tool.description);
  }

  void part(const Part& part, bool result) {
    if ((live_ || keeps_seals(model_.family)) && part.has_signature()) seal(part.signature->data.size());
    if (part.kind == PartKind::text && part.media != nullptr) counts_.media_tokens += kGuardTags;
    switch (part.kind) {
      case PartKind::text:
      case PartKind::refusal:
        result&& looks_like_json(part.text) ? counts_.code.add_json(part.text) : counts_.prose.add(spoken(part.text));
        break;
      case PartKind::thinking: (live_ ? counts_.thoughts : counts_.old_thoughts).add(part.text); break;
      case PartKind::tool_call:
        ++counts_.calls;
        counts_.prose.add(part.name);
        counts_.code.add_json(part.text);
        break;
      case PartKind::tool_result:
        ++counts_.results;
        for (const Part& inner : part.content) {
          if (!is_lost(inner, part.content)) this->part(inner, true);
        }
        break;
      case PartKind::opaque: counts_.code.add_json(part.text); break;
      default:
        if (part.media == nullptr) break;
        if (part.media->source == MediaSource::text) {
          counts_.prose.add(part.media->data);
        } else if (part.media->source == MediaSource::base64 && part.media->media_type.starts_with("text/")) {
          add_base64(part.media->data);
        } else {
          const uint64_t tokens = media_tokens(part, model_);
          counts_.media_tokens += tokens;
          ++media_;
          if (part.kind == PartKind::document) document_tokens_ += tokens;
        }
    }
  }

  // Bedrock shows Claude no document that is all a tool has to say.
  bool is_lost(const Part& part, const List<Part>& result) const {
    return part.kind == PartKind::document && result.size() == 1 && model_.dialect == Dialect::bedrock &&
           vendor_of(model_.family) == TokenVendor::claude;
  }

  // What models in the open think aloud: their templates cut it out of what they said before the user spoke last; Groq
  // does so for gpt-oss everywhere.
  std::string_view spoken(std::string_view text) const {
    constexpr std::string_view kThoughtEnds = "</think>";
    if (!assistant_ || vendor_of(model_.family) != TokenVendor::other || !text.starts_with("<think>")) return text;
    if (live_ && model_.family != TokenFamily::gpt_oss) return text;
    const size_t end = text.find(kThoughtEnds);
    return end == std::string_view::npos ? text : text.substr(end + kThoughtEnds.size());
  }

  void add_base64(std::string_view data) {
    std::string text(data.substr(0, data.size() / 4 * 4));
    const auto size = base::base64_decode(text, text.data());
    if (size) counts_.prose.add(std::string_view(text).substr(0, *size));
  }

  void seal(size_t bytes) {
    ++counts_.seals;
    counts_.sealed_bytes += bytes;
    counts_.sealed_bytes_above += bytes > kSealedEmpty ? bytes - kSealedEmpty : 0;
  }

  PromptCounts& counts_;
  const TokenModel& model_;
  uint64_t media_ = 0;
  uint64_t document_tokens_ = 0;
  bool live_ = false;
  bool assistant_ = false;
};

}  // namespace

PromptCounts count_prompt(const Request& request, const TokenModel& model) {
  PromptCounts counts;
  Counter counter(counts, model);
  size_t spoken = request.messages.size();
  while (spoken > 0 && !is_spoken(request.messages[spoken - 1])) --spoken;
  for (size_t i = 0; i < request.messages.size(); ++i) counter.message(request.messages[i], i >= spoken);
  counter.documents();
  counter.tools(request.tools);
  if (counts.tools > 0) {
    counts.required = request.tool_choice.mode == ToolChoiceMode::required ? 1 : 0;
    counts.named = request.tool_choice.mode == ToolChoiceMode::named ? 1 : 0;
    const bool chooses = counts.required + counts.named == 0;
    counts.sequential = chooses && !request.parallel_tool_calls.value_or(true) ? 1 : 0;
  }
  if (request.format.kind == FormatKind::json_schema) {
    counts.has_format = 1;
    counts.format_name.add(request.format.name);
    counts.format_schema.add(request.format.schema);
    if (reads_scripts(model.family))
      counts.format_script.add(format_script(request.format.name, request.format.schema));
  }
  counts.json_object = request.format.kind == FormatKind::json_object ? 1 : 0;
  counts.thinks = request.reasoning.mode == ReasoningMode::on ? 1 : 0;
  counts.adapts = request.reasoning.mode == ReasoningMode::adaptive ? 1 : 0;
  counts.thoughtless = request.reasoning.mode == ReasoningMode::off ? 1 : 0;
  counts.streams = request.stream ? 1 : 0;
  counts.prefill = !request.messages.empty() && request.messages.back().role == Role::assistant ? 1 : 0;
  return counts;
}

}  // namespace llmgw::chat
