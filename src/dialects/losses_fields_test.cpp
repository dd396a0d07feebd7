// Every member that a dialect's reader knows, over every pair of dialects: taken away from a request, it is missed in
// the target's document or in a warning. What neither names nor carries it has lost it silently.
#include <gtest/gtest.h>

#include <set>

#include "dialects/anthropic/request_members.h"
#include "dialects/bedrock/request_members.h"
#include "dialects/cohere/request_members.h"
#include "dialects/gemini/request_members.h"
#include "dialects/losses_fields_bodies.h"
#include "dialects/losses_test_support.h"
#include "dialects/openai_chat/request_members.h"
#include "dialects/openai_responses/request_members.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;

const Shape& shape_of(Dialect dialect) {
  switch (dialect) {
    case Dialect::openai_responses: return openai_responses::kRequestShape;
    case Dialect::anthropic: return anthropic::kRequestShape;
    case Dialect::gemini: return gemini::kRequestShape;
    case Dialect::bedrock: return bedrock::kRequestShape;
    case Dialect::cohere: return cohere::kRequestShape;
    default: return openai_chat::kRequestShape;
  }
}

// Takes as little as a model can, so that the gates are seen to speak.
chat::Target poor(Dialect dialect) {
  chat::Target target = generous(dialect);
  target.sampling = target.penalties = target.logit_bias = target.logprobs = target.seed = target.n = false;
  target.stop_max = 0;
  target.developer_role = target.user = target.metadata = target.service_tier = target.store = false;
  target.custom_tools = target.strict_tools = target.parallel_tool_calls = target.cache_marks = false;
  target.tool_result_images = false;
  target.json_schema = chat::JsonSchemaSupport::none;
  target.reasoning = chat::ReasoningStyle::none;
  target.bedrock = chat::BedrockFamily::llama;
  return target;
}

// Both, and one for each way of telling a model to reason.
std::vector<chat::Target> targets_of(Dialect dialect) {
  using chat::ReasoningStyle;
  std::vector<chat::Target> targets{generous(dialect), poor(dialect)};
  const auto add = [&](ReasoningStyle style, chat::BedrockFamily family) {
    chat::Target target = generous(dialect);
    target.reasoning = style;
    target.bedrock = family;
    target.effort_with_thinking = style == ReasoningStyle::anthropic_adaptive;
    targets.push_back(target);
  };
  const auto claude = chat::BedrockFamily::claude;
  add(ReasoningStyle::none, claude);
  switch (dialect) {
    case Dialect::openai_chat: add(ReasoningStyle::enable_thinking, claude); [[fallthrough]];
    case Dialect::bedrock:
      add(ReasoningStyle::anthropic_budget, claude);
      if (dialect == Dialect::bedrock) add(ReasoningStyle::nova, chat::BedrockFamily::nova);
      [[fallthrough]];
    case Dialect::anthropic: add(ReasoningStyle::anthropic_adaptive, claude); break;
    case Dialect::gemini: add(ReasoningStyle::gemini_level, claude); break;
    default: break;
  }
  return targets;
}

// A member of an object in a request.
struct Place {
  std::string path;
  std::string plain;  // without the numbers of elements
  std::string name;
  const Known* known = nullptr;  // null: of the request itself, or inside of what has no table
  bool holds_members = false;    // that are places of their own
  size_t key = 0;                // of its quote
  size_t end = 0;                // behind its value
};

class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}

  void object(json::Value value, const Shape* shape, const std::string& path, const std::string& plain) {
    std::span<const Known> members;
    if (shape != nullptr) members = shape->members;
    if (shape != nullptr && !shape->variants.empty()) {
      const json::Value type = value[shape->type];
      bool known = false;
      for (const Variant& variant : shape->variants) {
        if (known || (variant.type.empty() ? !type.is_unset() : !type.equals(variant.type))) continue;
        known = true;
        members = variant.members;
      }
      if (!known) return;
    }
    for (const json::Member member : value.members()) {
      const Known* found = nullptr;
      for (const Known& known : members) {
        if (found == nullptr && member.is(known.name)) found = &known;
      }
      const bool extra = shape != nullptr && shape->unknown_members == Others::extra;
      if (shape != nullptr && found == nullptr && !path.empty() && !extra) continue;
      if (found != nullptr && !found->harmless.empty()) continue;
      const std::string name(member.escaped_key);
      const std::string below = (path.empty() ? "" : path + ".") + name;
      const std::string plain_below = (plain.empty() ? "" : plain + ".") + name;
      list.push_back(
          {.path = below,
           .plain = plain_below,
           .name = name,
           .known = found,
           .holds_members = member.value.is_object() && (found == nullptr || found->inside != nullptr),
           .key = static_cast<size_t>(member.escaped_key.data() - text_.data()) - 1,
           .end = static_cast<size_t>(member.value.raw().data() - text_.data()) + member.value.raw().size()});
      if (found != nullptr && found->inside == nullptr) continue;
      inside(member.value, found == nullptr ? nullptr : found->inside, below, plain_below);
    }
  }

  std::vector<Place> list;

 private:
  void inside(json::Value value, const Shape* shape, const std::string& path, const std::string& plain) {
    if (value.is_object()) return object(value, shape, path, plain);
    size_t index = 0;
    for (const json::Value element : value.elements()) {
      if (element.is_object()) object(element, shape, path + "[" + std::to_string(index) + "]", plain);
      ++index;
    }
  }

  std::string_view text_;
};

std::vector<Place> places_of(Dialect dialect, std::string_view body) {
  json::Parser parser;
  base::Arena arena;
  const auto root = json::parse_tree(parser, body, arena);
  EXPECT_TRUE(root) << body;
  if (!root) return {};
  Places places(body);
  places.object(*root, &shape_of(dialect), "", "");
  return places.list;
}

// Bedrock's points are elements of their own: they go with their object.
std::string without(std::string_view body, const Place& place) {
  const bool point = place.name == "cachePoint";
  size_t begin = point ? body.rfind('{', place.key) : place.key;
  size_t end = point ? body.find('}', place.end) + 1 : place.end;
  const size_t before = body.find_last_not_of(" \n", begin - 1);
  const size_t behind = body.find_first_not_of(" \n", end);
  if (body[before] == ',') {
    begin = before;
  } else if (body[behind] == ',') {
    end = behind + 1;
  }
  std::string rest(body);
  return rest.erase(begin, end - begin);
}

bool is_mark(std::string_view name) {
  return name == "cache_control" || name == "cachePoint" || name == "prompt_cache_breakpoint";
}

// Warned of once for all marks: each is looked at alone.
std::string alone(Dialect dialect, std::string body, Place& place) {
  const std::string at = place.path;
  for (bool again = is_mark(place.name); again;) {
    again = false;
    for (const Place& other : places_of(dialect, body)) {
      if (other.path == at) place = other;
      if (again || other.path == at || !is_mark(other.name)) continue;
      // Something stays in a point's place, so that no path changes; its place among tools is the last.
      if (other.name == "cachePoint" && !other.path.starts_with("toolConfig")) {
        body.replace(other.key, other.end - other.key, R"("text":".")");
      } else {
        body = without(body, other);
      }
      again = true;
    }
  }
  for (const Place& other : places_of(dialect, body)) {
    if (other.path == at) place = other;
  }
  return body;
}

bool names(std::string_view field, const Place& place) {
  if (field == place.path || field == place.name) return true;
  // One warning for all marks, with what is in them.
  if (is_mark(field) && place.path.find(field) != std::string::npos) return true;
  return std::string_view(place.path).starts_with(field) && place.path.size() > field.size() &&
         (place.path[field.size()] == '.' || place.path[field.size()] == '[');
}

// It, or one of the other places of its kind that it stands for.
bool names(const chat::Warning& warning, const Place& place) {
  if (names(warning.field, place)) return true;
  if (warning.more == 0) return false;
  std::string plain;
  bool number = false;
  for (const char c : warning.field) {
    number = (number || c == '[') && c != ']';
    if (!number && c != ']') plain += c;
  }
  return place.plain == plain || place.plain.starts_with(plain + ".");
}

// What may go unseen, and why.
struct Exception {
  std::string_view name;   // of a member, or the end of its path without numbers
  std::string_view value;  // of this only, if not empty
  std::string_view reason;
  std::optional<Dialect> target = {};  // at this one only
};

constexpr std::string_view kSaidByOthers = "where it may be left out, the object's other members say it";
constexpr std::string_view kSaidByBytes = "the file's first bytes or its address say it";
constexpr std::string_view kPairs = "pairs a result with its call, as their order does";
constexpr std::string_view kForClient = "how the answer comes to the client, which the gateway sees to";
constexpr std::string_view kOfSigner = "proves a thought to who made it";
constexpr std::string_view kShowsNone = "OpenAI shows no thoughts that nobody asks for";
constexpr std::string_view kByDefault = "what is done anyway";
constexpr std::string_view kInCitations = "the answer's citations name the document by it";
constexpr std::string_view kForced = "arguments of a call that is forced fit the schema";

constexpr Exception kExceptions[] = {
    {"type", "", kSaidByOthers},
    {"mode", "\"auto\"", kByDefault},
    {"source.media_type", "", kSaidByBytes},
    {"format", "\"png\"", kSaidByBytes},
    {"format", "\"pdf\"", kSaidByBytes},
    {"format", "\"txt\"", kSaidByBytes},
    {"mimeType", "", kSaidByBytes},
    {"tool_use_id", "", kPairs},
    {"toolUseId", "", kPairs},
    {"tool_call_id", "", kPairs},
    {"call_id", "", kPairs},
    {"functionResponse.id", "", kPairs},
    {"functionResponse.name", "", kPairs},
    {"messages.name", "\"f\"", kPairs},
    {"contents.role", "\"user\"", kByDefault},
    {"systemInstruction.role", "", "it is the system's, whoever is named"},
    {"documents.id", "", kInCitations, Dialect::anthropic},
    {"documents.id", "", kInCitations, Dialect::bedrock},
    {"document.id", "", kInCitations, Dialect::anthropic},
    {"document.id", "", kInCitations, Dialect::bedrock},
    {"toolSpec.strict", "", kForced, Dialect::gemini},
    {"function.strict", "", kForced, Dialect::gemini},
    {"strict_tools", "", kForced, Dialect::gemini},
    {"service_tier", "\"standard_only\"", kByDefault, Dialect::gemini},
    {"candidateCount", "1", kByDefault},
    {"responseModalities", "[\"TEXT\"]", kByDefault},
    {"responseMimeType", "", "the schema beside it says it"},
    {"toolConfig.toolChoice", "{\"auto\":{}}", kByDefault},
    {"toolConfig.toolChoice.auto", "", kByDefault},
    {"display", "\"summarized\"", "thoughts are shown where the model's API shows any"},
    {"includeThoughts", "2000,\"includeThoughts\":true", "thoughts are shown where the model's API shows any"},
    {"display", "\"omitted\"", kShowsNone, Dialect::openai_chat},
    {"reasoning.exclude", "true", kShowsNone, Dialect::openai_chat},
    {"reasoning.exclude", "true", kShowsNone, Dialect::openai_responses},
    {"reasoning.enabled", "", kByDefault},
    {"json_schema.strict", "true", "where there is no switch it always is, and where the schema is fit for it"},
    {"text.format.strict", "true", "where there is no switch it always is, and where the schema is fit for it"},
    {"tools.strict", "true", "OpenAI's Responses takes every schema so that is fit for it"},
    {"input.id", "", "items are known by their ids to OpenAI only, and have new ones"},
    {"input.name", "\"f\"", kPairs},
    {"store", "", kForClient},
    {"background", "", kForClient},
    {"conversation.id", "", "the gateway puts its turns into the request"},
    {"previous_response_id", "", "the gateway puts its turns into the request"},
    {"model", "", "routing says which model it is"},
    {"stream", "", kForClient},
    {"stream_options", "", kForClient},
    {"stream_options.include_usage", "", kForClient},
    {"stream_options.include_obfuscation", "", kForClient},
    {"signature", "", kOfSigner},
    {"json_schema.name", "", "a label that OpenAI wants: the schema is the same under any"},
    {"jsonSchema.name", "", "a label that OpenAI wants: the schema is the same under any"},
    {"text.format.name", "", "a label that OpenAI wants: the schema is the same under any"},
};

bool is_exception(const Place& place, std::string_view body, Dialect target) {
  const std::string_view text = body.substr(0, place.end);
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    const bool named = place.name == exception.name || place.plain == exception.name ||
                       place.plain.ends_with("." + std::string(exception.name));
    return named && exception.target.value_or(target) == target &&
           (exception.value.empty() || text.ends_with(exception.value));
  });
}

// Or is but the sum of what is in it.
bool says_nothing(const Place& place, std::string_view body) {
  return place.holds_members || body.substr(0, place.end).ends_with(":null");
}

TEST(LossesOfFields, AMemberThatIsKnownIsCarriedOrWarnedOf) {
  std::set<std::string> lost;
  size_t compared = 0;
  for (const Body& body : kBodies) {
    for (const Place& found : places_of(body.dialect, body.text)) {
      if (says_nothing(found, body.text)) continue;
      Place place = found;
      const std::string with = alone(body.dialect, std::string(body.text), place);
      const std::string missing = without(with, place);
      for (const Dialect dialect : kCodecDialects) {
        if (is_exception(found, body.text, dialect)) continue;
        size_t number = 0;
        for (const chat::Target& target : targets_of(dialect)) {
          ++number;
          const Conversion done = convert(body.dialect, with, target);
          EXPECT_TRUE(done.read) << body.text << done.list();
          if (!done.error.empty()) continue;
          ++compared;
          const Conversion less = convert(body.dialect, missing, target);
          if (less.error != done.error || less.body != done.body || less.list() != done.list()) continue;
          if (std::ranges::any_of(done.warnings, [&](const auto& warning) { return names(warning, place); })) continue;
          lost.insert(std::string(to_string(body.dialect)) + " " + place.path + " to " +
                      std::string(to_string(dialect)) + " (target " + std::to_string(number) + ")");
        }
      }
    }
  }
  constexpr size_t kComparedMin = 2000;
  EXPECT_GT(compared, kComparedMin);
  for (const std::string& line : lost) ADD_FAILURE() << line;
}

void collect(const Shape& shape, std::set<const Shape*>& seen, std::set<const Known*>& all) {
  if (!seen.insert(&shape).second) return;
  const auto members = [&](std::span<const Known> list) {
    for (const Known& known : list) {
      if (known.harmless.empty()) all.insert(&known);
      if (known.inside != nullptr) collect(*known.inside, seen, all);
    }
  };
  members(shape.members);
  for (const Variant& variant : shape.variants) members(variant.members);
}

// The other spelling of a member that stands beside it in the table.
bool is_other_spelling(std::string_view name) {
  return name.find('_') != std::string_view::npos;
}

TEST(LossesOfFields, TheBodiesHaveEveryMemberOfTheTables) {
  for (const Dialect dialect : kCodecDialects) {
    std::set<const Shape*> shapes;
    std::set<const Known*> all;
    collect(shape_of(dialect), shapes, all);
    for (const Body& body : kBodies) {
      if (body.dialect != dialect) continue;
      for (const Place& place : places_of(dialect, body.text)) all.erase(place.known);
    }
    for (const Known* known : all) {
      if (dialect == Dialect::gemini && is_other_spelling(known->name)) continue;
      ADD_FAILURE() << to_string(dialect) << ": no body has " << known->name;
    }
  }
}

// The body with another value in the place.
std::string with_value(std::string_view body, const Place& place, std::string_view value) {
  const size_t colon = body.find(':', place.key + place.name.size() + 1);
  std::string changed(body.substr(0, colon + 1));
  changed += value;
  return changed += body.substr(place.end);
}

struct Typed {
  std::string_view value;
  Takes types;
};

constexpr Typed kTyped[] = {{"5", Takes::number | Takes::whole},
                            {R"("x y")", Takes::text},
                            {"true", Takes::flag},
                            {R"({"q":1})", Takes::object},
                            {"[7]", Takes::list}};

TEST(LossesOfFields, AMemberOfAnotherTypeIsRefusedByItsName) {
  size_t tried = 0;
  for (const Body& body : kBodies) {
    for (const Place& place : places_of(body.dialect, body.text)) {
      // What tells variants apart says which table counts.
      if (place.known == nullptr || place.name == "type" || place.name == "role") continue;
      for (const Typed& typed : kTyped) {
        if (any_of(place.known->takes, typed.types)) continue;
        ++tried;
        const Conversion done =
            convert(body.dialect, with_value(body.text, place, typed.value), generous(body.dialect));
        EXPECT_FALSE(done.read) << to_string(body.dialect) << " " << place.path << ":" << typed.value << done.list();
      }
    }
  }
  constexpr size_t kTriedMin = 1500;
  EXPECT_GT(tried, kTriedMin);
}

// Of members that have no place in the tables, since they are read with the request itself, too.
TEST(LossesOfFields, AMemberOfAnotherTypeIsNeverLeftOutSilently) {
  std::set<std::string> lost;
  for (const Body& body : kBodies) {
    for (const Place& place : places_of(body.dialect, body.text)) {
      if (place.known != nullptr || place.holds_members) continue;
      for (const Typed& typed : kTyped) {
        const std::string changed = with_value(body.text, place, typed.value);
        const Conversion done = convert(body.dialect, changed, generous(body.dialect));
        if (!done.error.empty()) continue;
        const Conversion less = convert(body.dialect, without(body.text, place), generous(body.dialect));
        if (done.body != less.body || done.list() != less.list()) continue;
        lost.insert(std::string(to_string(body.dialect)) + " " + place.path + ":" + std::string(typed.value));
      }
    }
  }
  for (const std::string& line : lost) ADD_FAILURE() << line;
}

struct Wrong {
  Dialect dialect;
  std::string_view member;  // of the request
  std::string_view param;
};

constexpr Wrong kWrong[] = {
    {Dialect::openai_responses, R"("store":"false")", "store"},
    {Dialect::openai_responses, R"("store":0)", "store"},
    {Dialect::openai_responses, R"("background":"true")", "background"},
    {Dialect::openai_responses, R"("max_output_tokens":"5")", "max_output_tokens"},
    {Dialect::openai_responses, R"("max_output_tokens":5.5)", "max_output_tokens"},
    {Dialect::openai_responses, R"("previous_response_id":5)", "previous_response_id"},
    {Dialect::openai_responses, R"("conversation":{"id":7})", "conversation.id"},
    {Dialect::openai_responses, R"("conversation":[])", "conversation"},
    {Dialect::openai_responses, R"("conversation":5)", "conversation"},
    {Dialect::openai_responses, R"("reasoning":"high")", "reasoning"},
    {Dialect::openai_responses, R"("reasoning":{"effort":"banana"})", "reasoning.effort"},
    {Dialect::openai_responses, R"("text":"x")", "text"},
    {Dialect::openai_responses, R"("include":"x")", "include"},
    {Dialect::openai_chat, R"("reasoning_effort":"banana")", "reasoning_effort"},
    {Dialect::openai_chat, R"("reasoning":{"effort":"banana"})", "reasoning.effort"},
    {Dialect::openai_chat, R"("thinking":{"type":"banana"})", "thinking.type"},
    {Dialect::openai_chat, R"("stream_options":{"include_usage":"yes"})", "stream_options.include_usage"},
    {Dialect::anthropic, R"("thinking":"x")", "thinking.type"},
    {Dialect::anthropic, R"("thinking":{"type":"enabled"})", "thinking.budget_tokens"},
    {Dialect::anthropic, R"("thinking":{"type":"enabled","budget_tokens":"x"})", "thinking.budget_tokens"},
    {Dialect::anthropic, R"("thinking":{"type":"adaptive","display":"banana"})", "thinking.display"},
    {Dialect::anthropic, R"("stream":"true")", "stream"},
    {Dialect::gemini, R"("generationConfig":{"stopSequences":"END"})", "generationConfig.stopSequences"},
    {Dialect::gemini, R"("generationConfig":{"stopSequences":["END",5]})", "generationConfig.stopSequences"},
    {Dialect::gemini, R"("generationConfig":{"maxOutputTokens":"7x"})", "generationConfig.maxOutputTokens"},
    {Dialect::gemini, R"("generationConfig":{"thinkingConfig":{"thinkingLevel":"BANANA"}})",
     "generationConfig.thinkingConfig.thinkingLevel"},
    {Dialect::gemini, R"("generationConfig":{"thinkingConfig":{"thinkingBudget":"x"}})",
     "generationConfig.thinkingConfig.thinkingBudget"},
    {Dialect::gemini, R"("toolConfig":{"functionCallingConfig":{"mode":"BANANA"}})",
     "toolConfig.functionCallingConfig.mode"},
    {Dialect::cohere, R"("thinking":{"type":"banana"})", "thinking.type"},
    {Dialect::bedrock, R"("additionalModelRequestFields":5)", "additionalModelRequestFields"},
    {Dialect::bedrock, R"("additionalModelRequestFields":{"thinking":{"type":"enabled"}})",
     "additionalModelRequestFields.thinking.budget_tokens"},
    {Dialect::bedrock, R"("additionalModelRequestFields":{"thinking":{"type":"banana"}})",
     "additionalModelRequestFields.thinking.type"},
    {Dialect::bedrock, R"("additionalModelRequestFields":{"reasoning_effort":"banana"})",
     "additionalModelRequestFields.reasoning_effort"},
    {Dialect::bedrock, R"("inferenceConfig":{"temperature":"hot"})", "inferenceConfig.temperature"},
};

std::string request_with(Dialect dialect, std::string_view member) {
  std::string_view question = R"("messages":[{"role":"user","content":"q"}])";
  if (dialect == Dialect::openai_responses) question = R"("input":"q")";
  if (dialect == Dialect::anthropic) question = R"("max_tokens":9000,"messages":[{"role":"user","content":"q"}])";
  if (dialect == Dialect::gemini) question = R"("contents":[{"role":"user","parts":[{"text":"q"}]}])";
  if (dialect == Dialect::bedrock) question = R"("messages":[{"role":"user","content":[{"text":"q"}]}])";
  return "{" + std::string(question) + "," + std::string(member) + "}";
}

TEST(LossesOfFields, WhatNobodyCanMeanIsRefusedWithTheMembersName) {
  for (const Wrong& wrong : kWrong) {
    const Conversion done = convert(wrong.dialect, request_with(wrong.dialect, wrong.member), generous(wrong.dialect));
    EXPECT_FALSE(done.read) << wrong.member;
    EXPECT_TRUE(done.error.starts_with(std::string(wrong.param) + ":")) << wrong.member << " " << done.error;
  }
}

TEST(LossesOfFields, GoogleTakesNumbersInQuotes) {
  const std::string body = request_with(
      Dialect::gemini,
      R"("generationConfig":{"maxOutputTokens":"77","temperature":"0.5","thinkingConfig":{"thinkingBudget":"2000"}})");
  const Conversion done = convert(Dialect::gemini, body, generous(Dialect::gemini));
  EXPECT_TRUE(done.read) << done.error;
  for (const std::string_view part : {R"("maxOutputTokens":77)", R"("temperature":0.5)", R"("thinkingBudget":2000)"}) {
    EXPECT_NE(done.body.find(part), std::string::npos) << done.body;
  }
}

TEST(LossesOfFields, WordsThatSayNothingAreTaken) {
  constexpr Wrong kNothingSaid[] = {
      {Dialect::openai_chat, R"("reasoning_effort":"default")", ""},
      {Dialect::gemini, R"("toolConfig":{"functionCallingConfig":{"mode":"MODE_UNSPECIFIED"}})", ""},
      {Dialect::gemini, R"("generationConfig":{"thinkingConfig":{"thinkingLevel":"THINKING_LEVEL_UNSPECIFIED"}})", ""},
      {Dialect::openai_responses, R"("conversation":null,"store":null,"reasoning":null,"text":null)", ""},
      {Dialect::anthropic, R"("metadata":{"user_id":null},"thinking":null)", ""},
  };
  for (const Wrong& said : kNothingSaid) {
    const Conversion done = convert(said.dialect, request_with(said.dialect, said.member), generous(said.dialect));
    EXPECT_TRUE(done.read) << said.member << " " << done.error;
  }
}

}  // namespace
}  // namespace llmgw::dialects
