// What chat/token_estimate.h says of recorded requests, where the machine has some, beside the input tokens that their
// providers reported. LLMGW_LIST_MISSES=1 lists those that are off by more than a tenth.
#include "chat/token_estimate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>

#include "chat/tokens/token_weights.h"
#include "dialects/codec_test_support.h"
#include "dialects/counting.h"
#include "json/writer.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;
using chat::Dialect;
using chat::PartKind;

struct Collection {
  const char* name;
  Dialect dialect;
};
constexpr Collection kCollections[] = {
    {"openai_chat", Dialect::openai_chat},      {"openai_responses", Dialect::openai_responses},
    {"anthropic_messages", Dialect::anthropic}, {"gemini", Dialect::gemini},
    {"bedrock_converse", Dialect::bedrock},
};

// What is in a prompt beyond text and functions.
struct Beyond {
  bool media = false;
  bool by_reference = false;  // an address or the name of a file: the bytes are not at hand
  bool server_tools = false;  // and what they did: their prompts and results are the provider's own
  bool state = false;         // what the provider remembers
};

void look(const chat::List<chat::Part>& parts, Beyond& beyond) {
  for (const chat::Part& part : parts) {
    if (part.media != nullptr && part.media->source != chat::MediaSource::text) {
      beyond.media = true;
      if (part.media->source != chat::MediaSource::base64) beyond.by_reference = true;
    }
    if (part.media != nullptr && part.media->citations) beyond.server_tools = true;
    if (part.kind == PartKind::opaque) beyond.server_tools = true;
    look(part.content, beyond);
  }
}

Beyond beyond_text(const chat::Request& request) {
  Beyond beyond;
  for (const chat::Message& message : request.messages) look(message.parts, beyond);
  for (const chat::Tool& tool : request.tools) {
    if (tool.kind == chat::ToolKind::opaque) beyond.server_tools = true;
  }
  beyond.state = !request.previous_response_id.empty() || !request.conversation.empty();
  for (const chat::Extra& extra : request.extras) {
    if (extra.name == "cachedContent") beyond.state = true;
    if (extra.name == "context_management" || extra.name == "web_search_options" || extra.name == "plugins" ||
        extra.name == "models")
      beyond.server_tools = true;
  }
  return beyond;
}

const char* group_of(chat::TokenFamily family) {
  switch (chat::vendor_of(family)) {
    case chat::TokenVendor::openai: return "OpenAI";
    case chat::TokenVendor::claude: return "Claude";
    case chat::TokenVendor::gemini: return "Gemini";
    case chat::TokenVendor::other: break;
  }
  return "others";
}

std::optional<uint64_t> reported(const Case& one) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, one.expected, arena);
  if (!root) return std::nullopt;
  const json::Value usage = (*root)["usage"];
  const auto count =
      usage.is_object() ? usage["input_total"].unsigned_integer() : (*root)["count_tokens"].unsigned_integer();
  if (!count) return std::nullopt;
  // Mistral's prompt_tokens leave out the audio, its total_tokens do not.
  const uint64_t audio = usage["native"]["prompt_tokens_details"]["audio_tokens"].unsigned_integer().value_or(0);
  if (audio > *count) return *count + audio;
  return *count - std::min(*count, usage["tool_use_prompt"].unsigned_integer().value_or(0));
}

struct Tally {
  std::vector<double> errors;
  size_t within = 0;

  void add(double estimate, double truth) {
    constexpr double kTenth = 0.1;
    constexpr double kTwo = 2;  // tokens: of the shortest prompts one is more than a tenth
    const double off = std::abs(estimate - truth);
    errors.push_back(off / truth);
    if (off <= std::max(kTenth * truth, kTwo)) ++within;
  }
  double mean() const {
    return std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(errors.size());
  }
  double share() const { return static_cast<double>(within) / static_cast<double>(errors.size()); }
};

template <class T, class Counts>
void write_array(json::Writer& writer, std::string_view name, const Counts& counts) {
  writer.key(name).begin_array();
  for (const T value : std::bit_cast<std::array<T, sizeof(Counts) / sizeof(T)>>(counts)) {
    writer.value(static_cast<uint64_t>(value));
  }
  writer.end_array();
}

// A line for tools/fit_token_weights: members in the order of their structs.
void dump_counts(std::ostream& out, const Case& one, const chat::PromptCounts& counts, const chat::TokenModel& model,
                 uint64_t truth, bool by_reference) {
  std::string line;
  json::Writer writer(line);
  writer.begin_object().member("id", one.id).member("model", one.model).member("tokens", truth);
  writer.member("family", static_cast<uint64_t>(model.family)).member("dialect", chat::to_string(model.dialect));
  writer.member("media", counts.media_tokens).member("by_reference", by_reference);
  write_array<double>(writer, "structure", chat::structure_of(counts));
  write_array<uint64_t>(writer, "prose", counts.prose);
  write_array<uint64_t>(writer, "code", counts.code);
  write_array<uint64_t>(writer, "thoughts", counts.thoughts);
  write_array<uint64_t>(writer, "old_thoughts", counts.old_thoughts);
  write_array<uint64_t>(writer, "tools_raw", counts.tools_schema.raw);
  write_array<uint64_t>(writer, "tools_words", counts.tools_schema.words);
  write_array<uint64_t>(writer, "tools_script", counts.tools_script);
  write_array<uint64_t>(writer, "format_raw", counts.format_schema.raw);
  write_array<uint64_t>(writer, "format_words", counts.format_schema.words);
  write_array<uint64_t>(writer, "format_name", counts.format_name);
  write_array<uint64_t>(writer, "format_script", counts.format_script);
  writer.end_object();
  out << line << "\n";
}

using Tallies = std::map<std::string, Tally>;

void measure(const Collection& collection, Tallies& tallies, std::ofstream* dump) {
  constexpr uint64_t kFewest = 6;
  for (const Case& one : recorded_cases(collection.name)) {
    const auto truth = reported(one);
    if (one.status != 200 || one.request.empty() || one.provenance != "recorded" || truth < kFewest) continue;
    json::Parser parser;
    base::Arena arena;
    chat::Request request{.from = collection.dialect};
    const ReadContext context{
        .parser = parser, .arena = arena, .minter = chat::native_minter(collection.dialect), .model = one.model};
    const Counting* const counting = find_counting(collection.dialect);
    const bool counts = one.endpoint.find("count") != std::string::npos || one.endpoint == "input_tokens";
    const auto read = counts && counting != nullptr
                          ? counting->read_request(one.request, context, request)
                          : find_codec(collection.dialect)->read_request(one.request, context, request);
    if (!read) continue;
    const Beyond beyond = beyond_text(request);
    if (beyond.server_tools || beyond.state) continue;
    const bool vertex = one.id.starts_with("vertex/");
    request.stream = request.stream || one.streaming;
    const chat::TokenModel model = chat::token_model(one.model, vertex ? Dialect::vertex : collection.dialect);
    const chat::PromptCounts prompt = chat::count_prompt(request, model);
    if (dump != nullptr) dump_counts(*dump, one, prompt, model, *truth, beyond.by_reference);
    const auto estimate = static_cast<double>(chat::estimate_tokens(prompt, model));
    const std::string group = std::string(group_of(model.family)) + (beyond.by_reference ? ", media not at hand" : "");
    const size_t before = tallies[group].within;
    tallies[group].add(estimate, static_cast<double>(*truth));
    if (std::getenv("LLMGW_LIST_MISSES") != nullptr && tallies[group].within == before) {
      std::cout << group << ": " << *truth << " estimated " << estimate << " " << one.id << " " << one.model << "\n";
    }
  }
}

TEST(TokenEstimate, RecordedPromptsWithinATenth) {
  Tallies tallies;
  std::ofstream dump;
  const char* const file = std::getenv("LLMGW_DUMP_COUNTS");
  if (file != nullptr) dump.open(file);
  for (const Collection& collection : kCollections) measure(collection, tallies, file != nullptr ? &dump : nullptr);
  if (tallies.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  for (auto& [name, tally] : tallies) {
    std::ranges::sort(tally.errors);
    std::cout << name << ": " << tally.errors.size() << " prompts, median error "
              << std::round(1000 * tally.errors[tally.errors.size() / 2]) / 10 << " %, mean "
              << std::round(1000 * tally.mean()) / 10 << " %, " << std::round(1000 * tally.share()) / 10
              << " % within a tenth or two tokens\n";
  }
  for (const char* const vendor : {"OpenAI", "Claude", "Gemini", "others"}) {
    EXPECT_GE(tallies[vendor].share(), 0.96) << vendor;
    EXPECT_LE(tallies[vendor].mean(), 0.05) << vendor;
  }
}

}  // namespace
}  // namespace llmgw::dialects
