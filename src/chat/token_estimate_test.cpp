#include "chat/token_estimate.h"

#include <gtest/gtest.h>

#include <string>

#include "base/base64.h"
#include "chat/tokens/schema_script.h"

namespace llmgw::chat {
namespace {

using std::string_literals::operator""s;

TEST(TokenFamily, OfModels) {
  struct Row {
    const char* model;
    TokenFamily family;
  };
  const Row rows[] = {
      {"gpt-4o-mini", TokenFamily::openai},
      {"openai/gpt-5.2", TokenFamily::openai_reasoning},
      {"o3-mini", TokenFamily::openai_reasoning},
      {"openai/gpt-oss-120b", TokenFamily::gpt_oss},
      {"us.anthropic.claude-sonnet-4-5-20250929-v1:0", TokenFamily::claude_45},
      {"claude-sonnet-4-20250514", TokenFamily::claude_4},
      {"claude-3-7-sonnet-latest", TokenFamily::claude_35},
      {"anthropic.claude-3-sonnet-20240229-v1:0", TokenFamily::claude_3},
      {"claude-opus-4-8", TokenFamily::claude_5},
      {"claude-sonnet-9", TokenFamily::claude_5},
      {"publishers/google/models/gemini-2.5-flash", TokenFamily::gemini},
      {"gemini-2.0-flash", TokenFamily::gemini_2},
      {"gemini-3.1-pro-preview", TokenFamily::gemini_3},
      {"gemini-flash-latest", TokenFamily::gemini_3},
      {"claude-3-5-haiku-latest", TokenFamily::claude_35_haiku},
      {"us.anthropic.claude-opus-4-6-v1", TokenFamily::claude_opus_46},
      {"us.amazon.nova-2-lite-v1:0", TokenFamily::nova_2},
      {"us.amazon.nova-pro-v1:0", TokenFamily::nova},
      {"grok-4.3", TokenFamily::grok_4_3},
      {"grok-4-1-fast", TokenFamily::grok},
      {"us.anthropic.claude-sonnet-4-6", TokenFamily::claude_46},
      {"claude-opus-4-5", TokenFamily::claude_46},
      {"llama-3.3-70b", TokenFamily::llama},
      {"voxtral-small-latest", TokenFamily::mistral},
      {"glm-4.7", TokenFamily::other},
      {"", TokenFamily::other},
  };
  for (const Row& row : rows) EXPECT_EQ(token_model(row.model, Dialect::openai_chat).family, row.family) << row.model;
}

// Token counts of tokenizers in the open (o200k and its kin), which do not depend on a provider's prompt.
TEST(Estimate, TextsWithinATenth) {
  struct Row {
    const char* text;
    double tokens;
  };
  const Row rows[] = {
      {"The quick brown fox jumps over the lazy dog.", 10},
      {"The capital of France is Paris, and its largest river is the Seine.", 15},
      {"Please write a short summary of the following article in three sentences.", 13},
  };
  for (const Row& row : rows) {
    const auto estimate = static_cast<double>(estimate_tokens(std::string_view(row.text), TokenVendor::openai));
    EXPECT_NEAR(estimate, row.tokens, row.tokens * 0.1) << row.text;
  }
  EXPECT_EQ(estimate_tokens(std::string_view(), TokenVendor::gemini), 0U);
}

// The same, where words are less alike: within a quarter.
TEST(Estimate, OtherLanguages) {
  struct Row {
    const char* text;
    double tokens;
  };
  const Row rows[] = {
      {"Die Gemeinde beschloss gestern, dass die neue Straßenbahnlinie über den Marktplatz geführt werden soll, obwohl "
       "viele Anwohner Bedenken äußerten. Wir möchten außerdem wissen, ob größere Änderungen nötig sind.",
       41},
      {"L'année dernière, le gouvernement a décidé d'augmenter les impôts sur les sociétés, ce qui a été très mal reçu "
       "par les chefs d'entreprise. Où est-ce que nous pourrions déjeuner près de la gare?",
       46},
      {"В прошлом году правительство решило повысить налоги для компаний, что вызвало большое недовольство "
       "предпринимателей. Где мы могли бы пообедать недалеко от вокзала?",
       41},
      {"في العام الماضي قررت الحكومة زيادة الضرائب على الشركات، وهو ما أثار استياء كبيرا بين رجال الأعمال. أين يمكننا "
       "تناول الغداء بالقرب من المحطة؟",
       35},
      {"पिछले साल सरकार ने कंपनियों पर कर बढ़ाने का फैसला किया, जिससे उद्यमियों में काफी असंतोष फैल गया। हम स्टेशन के "
       "पास दोपहर का भोजन कहाँ कर सकते हैं?",
       42},
      {"ปีที่แล้วรัฐบาลตัดสินใจขึ้นภาษีบริษัท ซึ่งทำให้ผู้ประกอบการไม่พอใจอย่างมาก", 26},
      {"去年政府决定提高企业税，这引起了企业家们的强烈不满。我们可以在车站附近哪里吃午饭？请用三句话总结下面的文章。",
       39},
      {"지난해 정부는 기업에 대한 세금을 인상하기로 결정했고 이는 기업가들 사이에서 큰 불만을 불러일으켰습니다.", 33},
  };
  for (const Row& row : rows) {
    const auto estimate = static_cast<double>(estimate_tokens(std::string_view(row.text), TokenVendor::openai));
    EXPECT_NEAR(estimate, row.tokens, row.tokens * 0.25) << row.text;
  }
}

class EstimateRequest : public testing::Test {
 protected:
  Message& say(std::string_view text) {
    Message message{.role = Role::user};
    message.parts.push(arena_, {.kind = PartKind::text, .text = text});
    return request_.messages.push(arena_, message);
  }
  uint64_t estimate(std::string_view model) { return estimate_tokens(request_, token_model(model, dialect_)); }
  PromptCounts count(std::string_view model) { return count_prompt(request_, token_model(model, dialect_)); }

  base::Arena arena_;
  Request request_;
  Dialect dialect_ = Dialect::openai_chat;
};

TEST_F(EstimateRequest, GrowsWithWhatIsAdded) {
  say("Hello there");
  const uint64_t plain = estimate("claude-sonnet-4-5");
  EXPECT_GE(plain, 7U);
  EXPECT_LE(plain, 11U);
  request_.tools.push(arena_, {.name = "weather",
                               .description = "The weather of a city.",
                               .schema = R"({"type":"object","properties":{"city":{"type":"string"}}})"});
  const uint64_t tools = estimate("claude-sonnet-4-5");
  EXPECT_GT(tools, plain + 480) << "Claude's own prompt for tools";
  EXPECT_LT(tools, plain + 640);
  EXPECT_LT(estimate("gemini-2.5-flash"), 60U);
  request_.reasoning.mode = ReasoningMode::on;
  EXPECT_NEAR(static_cast<double>(estimate("claude-sonnet-4-5")), static_cast<double>(tools + 28), 3);
  request_.reasoning.mode = ReasoningMode::unset;
  request_.tool_choice.mode = ToolChoiceMode::required;
  EXPECT_GT(estimate("claude-sonnet-4-5"), tools + 50) << "a longer one where a tool must be called";
  request_.tool_choice.mode = ToolChoiceMode::automatic;
  request_.parallel_tool_calls = false;
  EXPECT_LT(estimate("claude-sonnet-4-5"), tools - 150) << "and a shorter one without parallel calls";
}

TEST_F(EstimateRequest, ImagesByTheirSize) {
  // The head of a PNG of 1000 x 500.
  Media media{
      .source = MediaSource::base64, .data = "iVBORw0KGgoAAAANSUhEUgAAA+gAAAH0CAYAAAAx", .media_type = "image/png"};
  Message& message = say("");
  message.parts.push(arena_, {.kind = PartKind::image, .media = &media});
  const auto tokens = [this](std::string_view model) { return count(model).media_tokens; };
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 667U + 6);
  EXPECT_EQ(tokens("gemini-2.5-flash"), 258U);
  EXPECT_EQ(tokens("gpt-4o"), 85U + 170 * 2);
  EXPECT_EQ(tokens("gpt-4o-mini"), 2833U + 5667 * 2);
  EXPECT_EQ(tokens("gpt-5"), 70U + 140 * 2);
  EXPECT_EQ(tokens("gpt-5-mini"), 615U) << "512 patches";
  EXPECT_EQ(tokens("gpt-5-nano"), 768U);
  EXPECT_EQ(tokens("gpt-4.1-mini"), 830U);
  EXPECT_EQ(tokens("gpt-5.4"), 615U);
  media.detail = "low";
  EXPECT_EQ(tokens("gpt-4o"), 85U);
  EXPECT_EQ(tokens("gpt-5-mini"), 615U) << "has no effect there";
  // WebP (VP8X) of 300 x 200, GIF of 320 x 240.
  media = {.source = MediaSource::base64, .data = "UklGRgAAAABXRUJQVlA4WAoAAAAAAAAAKwEAxwAA"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 80U + 6);
  media.data = "R0lGODlhQAHwAA==";
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 103U + 6);
  media = {.source = MediaSource::url, .data = "https://example.com/x.png"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 787U + 6) << "unknown: as a usual one";
  media = {.source = MediaSource::base64, .data = "!!!"};
  EXPECT_EQ(tokens("claude-sonnet-4-5"), 787U + 6);
}

TEST_F(EstimateRequest, DocumentsByWhatTheySay) {
  const std::string_view text = base::base64_encode(
      "%PDF-1.4 << /Type /Pages >> << /Type /Page >> << /Type/Page >> stream\n"
      "BT (Hello, \\(round\\) world) Tj ET\nendstream",
      arena_);
  Media media{.source = MediaSource::base64, .data = text, .media_type = "application/pdf"};
  Message& message = say("");
  message.parts.push(arena_, {.kind = PartKind::document, .media = &media});
  EXPECT_EQ(count("gemini-2.5-flash").media_tokens, 2 * 258U);
  EXPECT_EQ(count("gemini-3-flash-preview").media_tokens, 2 * 560U);
  dialect_ = Dialect::vertex;
  EXPECT_EQ(count("gemini-2.5-flash").media_tokens, 5 * 2 * 258U);
  EXPECT_EQ(count("gemini-3-flash-preview").media_tokens, 2 * 560U);
  dialect_ = Dialect::openai_chat;
  EXPECT_EQ(count("claude-sonnet-4-5").media_tokens, 2 * 1570U + 8);
  dialect_ = Dialect::openai_responses;
  EXPECT_EQ(count("gpt-5").media_tokens, 4 + 6U);
  const std::string plain(base::base64_encode("One two three.", arena_));
  media = {.source = MediaSource::base64, .data = plain, .media_type = "text/plain"};
  EXPECT_EQ(count("gpt-5").media_tokens, 0U);
  EXPECT_EQ(count("gpt-5").prose.words, 3U);
}

TEST(SchemaCounts, NamesAndDescriptions) {
  SchemaCounts counts;
  counts.add(R"({"type":"object","required":["kind"],"properties":{
    "description":{"type":"string","description":"The \"whole\" text"},"kind":{"enum":["big","small one"],"title":"Kind"}}})");
  EXPECT_EQ(counts.members, 2U);
  EXPECT_EQ(counts.optional, 1U);
  EXPECT_EQ(counts.described, 1U) << "a member of that name is none";
  EXPECT_EQ(counts.enum_items, 2U);
  EXPECT_EQ(counts.titles, 1U);
  EXPECT_EQ(counts.objects, 1U);
  EXPECT_EQ(counts.words.words, 2 + 3 + 3U);
  EXPECT_EQ(counts.raw.lines, 0U) << "white space of JSON is nobody's";
  const SchemaCounts before = counts;
  counts.add(R"({"description":)");
  EXPECT_EQ(counts.described, before.described);
}

// What the model thought is in the prompt again as long as it goes on with the same turn.
TEST_F(EstimateRequest, ThoughtsOfTheTurnAtHand) {
  const std::string sealed(2000, 'A');
  const Signature signature{.minter = Minter::openai, .data = sealed};
  say("What now?");
  Message thinking{.role = Role::assistant};
  thinking.parts.push(arena_, {.kind = PartKind::thinking, .text = "one two three", .signature = &signature});
  thinking.parts.push(arena_, {.kind = PartKind::tool_call, .text = "{}", .id = "c", .name = "f"});
  request_.messages.push(arena_, thinking);
  Message result{.role = Role::user};
  result.parts.push(arena_, {.kind = PartKind::tool_result, .id = "c"});
  request_.messages.push(arena_, result);
  const PromptCounts live = count("gpt-5");
  EXPECT_EQ(live.calls, 1U);
  EXPECT_EQ(live.joined_calls, 0U);
  EXPECT_EQ(live.thoughts.words, 3U);
  EXPECT_EQ(live.sealed_bytes, 2000U);
  EXPECT_EQ(live.sealed_bytes_above, 1100U);
  const uint64_t during = estimate("gpt-5");
  say("And then?");
  const PromptCounts old = count("gpt-5");
  EXPECT_EQ(old.thoughts.words, 0U);
  EXPECT_EQ(old.old_thoughts.words, 3U);
  EXPECT_EQ(old.sealed_bytes, 0U);
  EXPECT_LT(estimate("gpt-5"), during);
  EXPECT_EQ(count("grok-4.3").sealed_bytes, 2000U) << "xAI keeps it";
}

// Templates of models in the open cut out what was thought aloud.
TEST_F(EstimateRequest, ThoughtsInTheText) {
  Message message{.role = Role::assistant};
  message.parts.push(arena_, {.kind = PartKind::text, .text = "<think>one two three</think>four"});
  request_.messages.push(arena_, message);
  EXPECT_EQ(count("qwen3-32b").prose.words, 6U) << "the turn goes on";
  say("Go");
  EXPECT_EQ(count("qwen3-32b").prose.words, 2U);
  EXPECT_EQ(count("gpt-4o").prose.words, 7U);
  request_.messages[0].role = Role::user;
  EXPECT_EQ(count("qwen3-32b").prose.words, 7U) << "who only speaks of it";
}

TEST(Scripts, AsTheModelSeesThem) {
  base::Arena arena;
  List<Tool> tools;
  tools.push(arena, {.name = "weather", .description = "The weather\nof a city.", .schema = R"({
      "type":"object","$defs":{"Unit":{"enum":["C","F"]}},"required":["city"],"properties":{
        "city":{"type":"string","description":"Its name"},"unit":{"$ref":"#/$defs/Unit","default":"C"},
        "days":{"type":["integer","null"]},"at":{"type":"array","items":{"type":"object","properties":{
          "hour":{"anyOf":[{"type":"number"},{"const":"noon"}]}}}},"rest":{"type":"object"}}})"});
  tools.push(arena, {.name = "ping"});
  tools.push(arena, {.kind = ToolKind::opaque, .name = "web_search"});
  EXPECT_EQ(tools_script(tools), R"(# Tools

## functions

namespace functions {

// The weather
// of a city.
type weather = (_: {
// Its name
city: string,
unit?: "C" | "F", // default: "C",
days?: number | null,
at?: {
hour?: number | "noon",
}[],
rest?: object,
}) => any;

type ping = () => any;

} // namespace functions)");
  EXPECT_EQ(format_script("Book", R"({"type": "object", "required": ["required"], "additionalProperties": false,
      "properties": {"required": {"type": "array", "items": [1, true]}}})"),
            "# Response Formats\n\n## Book\n\n"
            R"({"type":"object","properties":{"required":{"type":"array","items":[1,true]}}})");
}

// A circle of references ends, and so does a tree of them.
TEST(Scripts, OfSchemasWithoutEnd) {
  base::Arena arena;
  List<Tool> tools;
  tools.push(arena, {.name = "f", .schema = R"({"properties":{"a":{"$ref":"#/$defs/T"}},"$defs":{
      "T":{"properties":{"l":{"$ref":"#/$defs/T"},"m":{"$ref":"#/$defs/T"},"n":{"$ref":"#/$defs/T"}}}}})"});
  const size_t size = tools_script(tools).size();
  EXPECT_GT(size, 100U);
  EXPECT_LT(size, 4096U);
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += R"({"properties":{"a":)";
  deep += "{}" + std::string(1000, '}');
  tools.clear();
  tools.push(arena, {.name = "f", .schema = deep});
  EXPECT_LT(tools_script(tools).size(), 4096U);
}

TEST_F(EstimateRequest, MediaOfOtherVendors) {
  // The head of a PNG of 1000 x 500.
  Media media{
      .source = MediaSource::base64, .data = "iVBORw0KGgoAAAANSUhEUgAAA+gAAAH0CAYAAAAx", .media_type = "image/png"};
  Message& message = say("");
  Part& part = message.parts.push(arena_, {.kind = PartKind::image, .media = &media});
  const auto tokens = [this](std::string_view model) { return count(model).media_tokens; };
  EXPECT_EQ(tokens("amazon.nova-pro-v1:0"), 300U + 618) << "500 x 1000 is larger than 450 x 900";
  EXPECT_EQ(tokens("gemini-3-flash-preview"), 1120U);
  // 32,000 bytes a second for two of them.
  std::string wav = "RIFF....WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3E\0\0\0\x7D\0\0"s;
  wav.resize(63'990);
  const std::string sound(base::base64_encode(wav, arena_));
  media = {.source = MediaSource::base64, .data = sound, .media_type = "audio/wav"};
  part.kind = PartKind::audio;
  EXPECT_EQ(tokens("gemini-2.5-flash"), 64U);
  EXPECT_EQ(tokens("gpt-4o-audio-preview"), 20U);
  EXPECT_EQ(tokens("voxtral-small-latest"), 375U);
  const std::string compressed(base::base64_encode(std::string(47'990, 'x'), arena_));
  media.data = compressed;
  EXPECT_EQ(tokens("gemini-2.5-flash"), 96U) << "three seconds of 128 kbit/s";
}

// Bedrock passes no document to Claude that stands alone in a result.
TEST_F(EstimateRequest, DocumentsInResults) {
  dialect_ = Dialect::bedrock;
  Media media{.source = MediaSource::url, .data = "s3://a/b.pdf", .media_type = "application/pdf"};
  Part result{.kind = PartKind::tool_result, .id = "c"};
  result.content.push(arena_, {.kind = PartKind::document, .media = &media});
  say("").parts.push(arena_, result);
  EXPECT_EQ(count("anthropic.claude-sonnet-4-5").media_tokens, 0U);
  EXPECT_GT(count("mistral.pixtral-large").media_tokens, 100U);
  Part& kept = request_.messages[0].parts[1];
  kept.content.push(arena_, {.kind = PartKind::text, .text = "Here it is."});
  EXPECT_GT(count("anthropic.claude-sonnet-4-5").media_tokens, 1500U);
}

}  // namespace
}  // namespace llmgw::chat
