// A citation of an address on the web is one in every API, whoever wrote it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dialects/codec_test_support.h"
#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using namespace testing_support;
using testing::HasSubstr;

struct Provider {
  Dialect dialect;
  std::string_view answer;
};

const Provider kProviders[] = {
    {Dialect::openai_chat,
     R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"So it is.","annotations":[
        {"type":"url_citation","url_citation":{"start_index":0,"end_index":9,"url":"https://a.b/c","title":"T"}}]}}]})"},
    {Dialect::openai_responses,
     R"({"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[
        {"type":"output_text","text":"So it is.","annotations":[{"type":"url_citation","start_index":0,"end_index":9,
        "url":"https://a.b/c","title":"T"}]}]}]})"},
    {Dialect::anthropic,
     R"({"type":"message","role":"assistant","stop_reason":"end_turn","content":[{"type":"text","text":"So it is.",
        "citations":[{"type":"web_search_result_location","cited_text":"It.","url":"https://a.b/c","title":"T",
        "encrypted_index":"i"}]}]})"},
    {Dialect::gemini,
     R"({"candidates":[{"finishReason":"STOP","content":{"role":"model","parts":[{"text":"So it is."}]},
        "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.b/c","title":"T"}}],
        "groundingSupports":[{"segment":{"endIndex":9},"groundingChunkIndices":[0]}]}}]})"},
    {Dialect::bedrock,
     R"({"output":{"message":{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"So it is."}],
        "citations":[{"title":"T","sourceContent":[{"text":"It."}],
        "location":{"web":{"url":"https://a.b/c","domain":"a.b"}}}]}}]}},"stopReason":"end_turn"})"},
    {Dialect::cohere,
     R"({"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"So it is."}],
        "citations":[{"start":0,"end":9,"text":"So it is.","sources":[{"type":"document","id":"0","document":{}},
        {"type":"document","id":"1","document":{"url":"https://a.b/c","title":"T"}}]}]}})"},
};

// What a provider's answer becomes for a client.
std::string written(Dialect provider, Dialect client, std::string_view provided) {
  World world(*find_codec(provider));
  const auto answer = world.read_answer(provided);
  EXPECT_TRUE(answer) << provided;
  if (!answer) return {};
  world.request.from = client;
  std::string whole;
  find_codec(client)->write_answer(*answer, world.answer_context(), whole);
  return whole;
}

TEST(Citations, OfAddressesReachEveryClient) {
  for (const Provider& provider : kProviders) {
    for (const Dialect client : kCodecDialects) {
      const std::string whole = written(provider.dialect, client, provider.answer);
      EXPECT_THAT(whole, HasSubstr("https://a.b/c")) << to_string(provider.dialect) << " to " << to_string(client);
      EXPECT_THAT(whole, HasSubstr("\"T\"")) << to_string(provider.dialect) << " to " << to_string(client);
    }
  }
}

// What the events of a provider's stream become for a client, all in one text.
std::string streamed(Dialect provider, Dialect client, const std::vector<chat::WireEvent>& events) {
  World world(*find_codec(provider));
  world.request.from = client;
  const auto reader = find_codec(provider)->make_stream_reader(world.provider());
  json::Parser parser;
  AnswerContext context = world.answer_context();
  const auto writer = find_codec(client)->make_stream_writer(
      {.parser = parser, .arena = world.arena, .request_id = "r", .model = "m", .request = context.request});
  WireLog wire;
  Feed feed(*writer, wire);
  chat::Sequencer sequencer(feed);
  for (const chat::WireEvent& event : events) reader->read(event, sequencer);
  reader->transport_ended(sequencer);
  sequencer.transport_ended();
  std::string all;
  for (const WireText& event : wire.events) all += event.data + "\n";
  return all;
}

std::string streamed(Dialect provider, Dialect client, const std::vector<std::string_view>& events) {
  std::vector<chat::WireEvent> wire;
  for (const std::string_view event : events) wire.push_back({.name = {}, .data = event});
  return streamed(provider, client, wire);
}

// The same words, cited by everybody who says where they stand: as each of them counts.
struct Placed {
  Dialect dialect;
  std::string_view answer;
  std::vector<std::string_view> stream;
};

const Placed kPlaced[] = {
    {Dialect::openai_chat,
     R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Grüße. So ist es 🙂!",
        "annotations":[{"type":"url_citation","url_citation":{"start_index":7,"end_index":18,"url":"https://a.b/c",
        "title":"T"}}]}}]})",
     {R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"Grüße. "}}]})",
      R"({"choices":[{"index":0,"delta":{"content":"So ist es 🙂!"}}]})",
      R"({"choices":[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"start_index":7,"end_index":18,
         "url":"https://a.b/c","title":"T"}}]}}]})",
      R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})", "[DONE]"}},
    {Dialect::openai_responses,
     R"({"id":"resp_1","object":"response","status":"completed","output":[{"type":"message","role":"assistant","content":[
        {"type":"output_text","text":"Grüße. So ist es 🙂!","annotations":[{"type":"url_citation","start_index":7,"end_index":18,
        "url":"https://a.b/c","title":"T"}]}]}]})",
     {R"({"type":"response.output_item.added","output_index":0,"item":{"id":"m","type":"message","role":"assistant",
         "content":[]}})",
      R"({"type":"response.content_part.added","item_id":"m","output_index":0,"content_index":0,"part":{
         "type":"output_text","text":"","annotations":[]}})",
      R"({"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Grüße. "})",
      R"({"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"So ist es 🙂!"})",
      R"({"type":"response.output_text.annotation.added","item_id":"m","output_index":0,"content_index":0,
         "annotation_index":0,"annotation":{"type":"url_citation","start_index":7,"end_index":18,"url":"https://a.b/c",
         "title":"T"}})",
      R"({"type":"response.completed","response":{"id":"resp_1","status":"completed","output":[]}})"}},
    {Dialect::gemini,
     R"({"candidates":[{"finishReason":"STOP","content":{"role":"model","parts":[{"text":"Grüße. So ist es 🙂!"}]},
        "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.b/c","title":"T"}}],
        "groundingSupports":[{"segment":{"startIndex":9,"endIndex":23},"groundingChunkIndices":[0]}]}}]})",
     {R"({"candidates":[{"content":{"role":"model","parts":[{"text":"Grüße. "}]}}]})",
      R"({"candidates":[{"content":{"role":"model","parts":[{"text":"So ist es 🙂!"}]},"finishReason":"STOP",
         "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.b/c","title":"T"}}],
         "groundingSupports":[{"segment":{"startIndex":9,"endIndex":23},"groundingChunkIndices":[0]}]}}]})"}},
    {Dialect::cohere,
     R"({"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text",
        "text":"Grüße. So ist es 🙂!"}],"citations":[{"start":7,"end":18,"text":"So ist es 🙂","sources":[
        {"type":"document","id":"1","document":{"url":"https://a.b/c","title":"T"}}]}]}})",
     {R"({"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}})",
      R"({"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}})",
      R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Grüße. "}}}})",
      R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"So ist es 🙂!"}}}})",
      R"({"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":7,"end":18,"text":"So ist es 🙂",
         "sources":[{"type":"document","id":"1","document":{"url":"https://a.b/c","title":"T"}}]}}}})",
      R"({"type":"citation-end","index":0})", R"({"type":"content-end","index":0})",
      R"({"type":"message-end","delta":{"finish_reason":"COMPLETE"}})"}},
};

std::string_view placed_for(Dialect client) {
  switch (client) {
    case Dialect::openai_chat:
    case Dialect::openai_responses: return R"("start_index":7,"end_index":18)";
    case Dialect::gemini: return R"("startIndex":9,"endIndex":23)";
    case Dialect::cohere: return R"("start":7,"end":18,"text":"So ist es 🙂")";
    case Dialect::anthropic: return R"("cited_text":"So ist es 🙂")";
    default: return R"("sourceContent":[{"text":"So ist es 🙂"}])";
  }
}

TEST(Citations, StandWhereTheProviderPutThemInEveryCount) {
  for (const Placed& provider : kPlaced) {
    for (const Dialect client : kCodecDialects) {
      const std::string whole = written(provider.dialect, client, provider.answer);
      EXPECT_THAT(whole, HasSubstr(placed_for(client))) << to_string(provider.dialect) << " to " << to_string(client);
    }
  }
}

// Behind the text they speak of, which clients that show a stream have to have.
TEST(Citations, OfAStreamStandWhereTheProviderPutThem) {
  for (const Placed& provider : kPlaced) {
    for (const Dialect client : kCodecDialects) {
      const std::string all = streamed(provider.dialect, client, provider.stream);
      EXPECT_THAT(all, HasSubstr(placed_for(client))) << to_string(provider.dialect) << " to " << to_string(client);
      EXPECT_LT(all.find("So ist es 🙂!"), all.find("https://a.b/c"))
          << to_string(provider.dialect) << " to " << to_string(client) << "\n"
          << all;
    }
  }
}

// Anthropic's citations of documents, and the same as Bedrock has them.
struct InDocument {
  std::string_view anthropic;
  std::string_view bedrock;
};

const InDocument kInDocuments[] = {
    {R"({"type":"char_location","cited_text":"It.","document_index":1,"document_title":"T","start_char_index":0,"end_char_index":3})",
     R"({"title":"T","sourceContent":[{"text":"It."}],"location":{"documentChar":{"documentIndex":1,"start":0,"end":3}}})"},
    {R"({"type":"page_location","cited_text":"It.","document_index":0,"document_title":null,"start_page_number":2,"end_page_number":3})",
     R"({"sourceContent":[{"text":"It."}],"location":{"documentPage":{"documentIndex":0,"start":2,"end":3}}})"},
    {R"({"type":"content_block_location","cited_text":"","document_index":0,"document_title":"T","start_block_index":1,"end_block_index":2})",
     R"({"title":"T","sourceContent":[],"location":{"documentChunk":{"documentIndex":0,"start":1,"end":2}}})"},
    {R"({"type":"search_result_location","cited_text":"It.","search_result_index":3,"title":"T","source":"s","start_block_index":0,"end_block_index":1})",
     R"({"title":"T","source":"s","sourceContent":[{"text":"It."}],"location":{"searchResultLocation":{"searchResultIndex":3,"start":0,"end":1}}})"},
};

std::string answer_of(Dialect provider, std::string_view citation) {
  const std::string cited(citation);
  if (provider == Dialect::anthropic) {
    return R"({"type":"message","role":"assistant","stop_reason":"end_turn","content":[{"type":"text","text":"So.","citations":[)" +
           cited + "]}]}";
  }
  return R"({"output":{"message":{"role":"assistant","content":[{"citationsContent":{"content":[{"text":"So."}],"citations":[)" +
         cited + R"(]}}]}},"stopReason":"end_turn"})";
}

TEST(Citations, OfDocumentsGoBetweenAnthropicAndBedrock) {
  for (const InDocument& row : kInDocuments) {
    for (const bool to_bedrock : {false, true}) {
      const Dialect provider = to_bedrock ? Dialect::anthropic : Dialect::bedrock;
      const Dialect client = to_bedrock ? Dialect::bedrock : Dialect::anthropic;
      const std::string provided = answer_of(provider, to_bedrock ? row.anthropic : row.bedrock);
      EXPECT_THAT(written(provider, client, provided), HasSubstr(to_bedrock ? row.bedrock : row.anthropic));
    }
  }
}

TEST(Citations, OfDocumentsGoFromAnthropicsStreamsToBedrock) {
  for (const InDocument& row : kInDocuments) {
    const std::string cited =
        R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":)" +
        std::string(row.anthropic) + "}}";
    const std::vector<std::string_view> events{
        R"({"type":"message_start","message":{"role":"assistant","content":[]}})",
        R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
        R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"So."}})",
        cited,
        R"({"type":"content_block_stop","index":0})",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})",
        R"({"type":"message_stop"})"};
    EXPECT_THAT(streamed(Dialect::anthropic, Dialect::bedrock, events),
                HasSubstr(R"({"contentBlockIndex":0,"delta":{"citation":)" + std::string(row.bedrock) + "}}"));
  }
}

TEST(Citations, OfDocumentsGoFromBedrocksStreamsToAnthropic) {
  for (const InDocument& row : kInDocuments) {
    const std::string cited = R"({"contentBlockIndex":0,"delta":{"citation":)" + std::string(row.bedrock) + "}}";
    const std::vector<chat::WireEvent> events{
        {.name = "messageStart", .data = R"({"role":"assistant"})"},
        {.name = "contentBlockDelta", .data = R"({"contentBlockIndex":0,"delta":{"text":"So."}})"},
        {.name = "contentBlockDelta", .data = cited},
        {.name = "contentBlockStop", .data = R"({"contentBlockIndex":0})"},
        {.name = "messageStop", .data = R"({"stopReason":"end_turn"})"}};
    EXPECT_THAT(streamed(Dialect::bedrock, Dialect::anthropic, events),
                HasSubstr(R"("delta":{"type":"citations_delta","citation":)" + std::string(row.anthropic) + "}}"));
  }
}

// Google's come with the last chunk, when the text may be over.
TEST(Citations, OfAStreamAreNotLateForGoogle) {
  constexpr std::string_view kText = R"({"candidates":[{"content":{"role":"model","parts":[{"text":"So it is."}]}}]})";
  constexpr std::string_view kSigned =
      R"({"candidates":[{"content":{"role":"model","parts":[{"text":"So it is.","thoughtSignature":"c2ln"}]}}]})";
  constexpr std::string_view kCall =
      R"({"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]}}]})";
  constexpr std::string_view kLast =
      R"({"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP",
          "groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://a.b/c","title":"T"}}],
          "groundingSupports":[{"segment":{"endIndex":9},"groundingChunkIndices":[0]}]}}]})";
  for (const Dialect client : kCodecDialects) {
    for (const auto& events : {std::vector<std::string_view>{kText, kLast}, {kText, kCall, kLast}, {kSigned, kLast}}) {
      const std::string all = streamed(Dialect::gemini, client, events);
      EXPECT_THAT(all, HasSubstr("https://a.b/c")) << to_string(client);
      EXPECT_THAT(all, HasSubstr("So it is.")) << to_string(client);
    }
  }
}

}  // namespace
}  // namespace llmgw::dialects
