#include "dialects/document_citations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/sequencer.h"
#include "dialects/codec_test_support.h"
#include "dialects/losses_test_support.h"

namespace llmgw::dialects {
namespace {

using chat::Dialect;
using namespace testing_support;
using testing::HasSubstr;
using testing::Not;

// A client's request, sent to a provider of another dialect, and that provider's answer.
class Exchange {
 public:
  Exchange(Dialect client, std::string_view body, Dialect provider)
      : client_(*find_codec(client)), provider_(*find_codec(provider)), world_(client_) {
    EXPECT_TRUE(world_.read_request(body)) << body;
    chat::Target target = generous(provider);
    target.tool_ids_unique = false;
    WriteContext context = world_.write_context();
    EXPECT_TRUE(provider_.write_request(world_.request, target, context, sent)) << body;
    documents_ = context.documents;
  }

  // What the client gets, streamed and not. `events`: their data.
  std::string answer(std::string_view document) {
    chat::Answer answer;
    const auto read = provider_.read_answer(world_.arena.copy(document), world_.provider(), answer);
    EXPECT_TRUE(read) << document;
    std::string out;
    client_.write_answer(answer, context(world_.parser), out);
    return out;
  }
  std::string stream(const std::vector<std::string_view>& events) {
    const auto reader = provider_.make_stream_reader(world_.provider());
    json::Parser parser;
    const auto writer = client_.make_stream_writer(context(parser));
    WireLog wire;
    Feed feed(*writer, wire);
    chat::Sequencer sequencer(feed);
    for (const std::string_view event : events) reader->read({.name = {}, .data = event}, sequencer);
    reader->transport_ended(sequencer);
    sequencer.transport_ended();
    std::string all;
    for (const WireText& event : wire.events) all += event.data + "\n";
    return all;
  }
  std::vector<std::string> warned() const { return world_.warned(); }

  std::string sent;

 private:
  AnswerContext context(json::Parser& parser) {
    AnswerContext context{.parser = parser, .arena = world_.arena, .request_id = "r", .model = "m"};
    context.request = &world_.request;
    context.documents = &documents_;
    return context;
  }

  const Codec& client_;
  const Codec& provider_;
  World world_;
  SentDocuments documents_;
};

// A document in chunks, one that is not to be cited, a search result, one that is text, and one that a tool gave.
constexpr std::string_view kToCohere = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[
  {"type":"document","citations":{"enabled":true},"source":{"type":"content","content":[{"type":"text","text":"One."},
   {"type":"text","text":"Two."}]}},
  {"type":"document","source":{"type":"text","media_type":"text/plain","data":"Unasked."}},
  {"type":"search_result","source":"https://a.b","title":"Map","content":[{"type":"text","text":"Found."}],
   "citations":{"enabled":true}},
  {"type":"document","title":"Leaf","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain",
   "data":"Grün ist es."}},{"type":"text","text":"q"}]},
  {"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"document","title":"Root",
   "citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain","data":"Deep."}}]}]}]})";

constexpr std::string_view kCohereSources =
    R"({"type":"document","id":"doc:0","document":{"id":"doc:0","text":"One.\nTwo."}},
       {"type":"document","id":"doc:1","document":{"id":"doc:1","text":"Found."}},
       {"type":"document","id":"doc:2","document":{"id":"doc:2","text":"Grün ist es.","title":"Leaf"}},
       {"type":"tool","id":"doc:3","tool_output":{"id":"doc:3","text":"Deep."}},
       {"type":"document","id":"doc:9","document":{}},{"type":"document","id":"doc:2x","document":{}})";

const std::vector<std::string> kWholeDocuments{
    R"({"type":"content_block_location","cited_text":"is.","document_index":0,"document_title":null,"start_block_index":0,"end_block_index":2})",
    R"({"type":"search_result_location","cited_text":"is.","search_result_index":0,"title":"Map","source":"https://a.b","start_block_index":0,"end_block_index":1})",
    R"({"type":"char_location","cited_text":"is.","document_index":2,"document_title":"Leaf","start_char_index":0,"end_char_index":12})",
    R"({"type":"char_location","cited_text":"is.","document_index":3,"document_title":"Root","start_char_index":0,"end_char_index":5})"};

TEST(DocumentCitations, OfCohereNameWhatTheClientSent) {
  Exchange exchange(Dialect::anthropic, kToCohere, Dialect::cohere);
  EXPECT_THAT(exchange.sent, HasSubstr(R"({"id":"doc:2","data":{"text":"Grün ist es.","title":"Leaf"}})"));
  EXPECT_THAT(exchange.sent, HasSubstr(R"({"id":"doc:3","data":{"text":"Deep.","title":"Root"}})"));
  const std::string citation =
      R"({"start":3,"end":6,"text":"is.","sources":[)" + std::string(kCohereSources) + R"(],"type":"TEXT_CONTENT"})";
  const std::string document =
      R"({"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"So is."}],
         "citations":[)" +
      citation + "]}}";
  const std::string cited = R"({"type":"citation-start","index":0,"delta":{"message":{"citations":)" + citation + "}}}";
  const std::string whole = exchange.answer(document);
  const std::string streamed = exchange.stream(
      {R"({"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}})",
       R"({"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}})",
       R"({"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"So is."}}}})", cited,
       R"({"type":"citation-end","index":0})", R"({"type":"message-end","delta":{"finish_reason":"COMPLETE"}})"});
  std::string list;
  for (const std::string& one : kWholeDocuments) {
    list += (list.empty() ? "" : ",") + one;
    EXPECT_THAT(streamed, HasSubstr(R"("delta":{"type":"citations_delta","citation":)" + one));
  }
  EXPECT_THAT(whole, HasSubstr(R"("citations":[)" + list + "]"));
}

TEST(DocumentCitations, OfCohereReachConverseClients) {
  // Its text in base64, as AWS's SDKs send all documents.
  Exchange exchange(Dialect::bedrock, R"({"messages":[{"role":"user","content":[{"document":{"format":"txt",
    "name":"Leaf","citations":{"enabled":true},"source":{"bytes":"R3LDvG4u"}}},{"text":"q"}]}]})",
                    Dialect::cohere);
  EXPECT_THAT(exchange.sent, HasSubstr(R"("documents":[{"id":"doc:0","data":{"text":"Grün.","title":"Leaf"}}])"));
  EXPECT_THAT(exchange.warned(), testing::ElementsAre("changed messages[0].content[0].document.citations"));
  const std::string whole = exchange.answer(
      R"({"id":"1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"So is."}],
         "citations":[{"start":3,"end":6,"text":"is.","sources":[{"type":"document","id":"doc:0","document":{}}]}]}})");
  EXPECT_THAT(
      whole,
      HasSubstr(
          R"({"title":"Leaf","sourceContent":[{"text":"is."}],"location":{"documentChar":{"documentIndex":0,"start":0,"end":5}}})"));
}

// The results in another order than the calls, as which they are sent.
constexpr std::string_view kFromCohere = R"({"model":"m","messages":[{"role":"user","content":"q"},
  {"role":"assistant","tool_calls":[{"id":"call_a","type":"function","function":{"name":"f","arguments":"{}"}},
   {"id":"call_b","type":"function","function":{"name":"f","arguments":"{}"}}]},
  {"role":"tool","tool_call_id":"call_b","content":[{"type":"document","document":{"data":"Deep."}}]},
  {"role":"tool","tool_call_id":"call_a","content":[{"type":"document","document":{"id":"own","data":{"k":1}}}]},
  {"role":"user","content":"so?"}],
  "documents":[{"id":"map","data":{"title":"Map","snippet":"One.","url":"https://a.b"}},"Two."]})";

// By its place in what is sent.
const std::vector<std::string> kNamedDocuments{
    R"({"type":"tool","id":"own","tool_output":{"id":"own","k":1}})",
    R"({"type":"tool","id":"call_b:0","tool_output":{"id":"call_b:0","content":"Deep."}})",
    R"({"type":"document","id":"map","document":{"id":"map","title":"Map","snippet":"One.","url":"https://a.b"}})",
    R"({"type":"document","id":"doc:1","document":{"id":"doc:1","text":"Two."}})"};

TEST(DocumentCitations, OfClaudeNameWhatCoheresClientSent) {
  for (const Dialect provider : {Dialect::anthropic, Dialect::bedrock}) {
    Exchange exchange(Dialect::cohere, kFromCohere, provider);
    EXPECT_THAT(exchange.warned(), testing::IsEmpty());
    for (size_t i = 0; i <= kNamedDocuments.size(); ++i) {
      const std::string index = std::to_string(i);
      const std::string citation =
          provider == Dialect::anthropic
              ? R"({"type":"char_location","cited_text":"It.","document_index":)" + index +
                    R"(,"document_title":"T","start_char_index":0,"end_char_index":3})"
              : R"({"title":"T","sourceContent":[{"text":"It."}],"location":{"documentChar":{"documentIndex":)" +
                    index + R"(,"start":0,"end":3}}})";
      const std::string whole = exchange.answer(
          provider == Dialect::anthropic
              ? R"({"type":"message","role":"assistant","stop_reason":"end_turn","content":[{"type":"text","text":"Grün. "},
                  {"type":"text","text":"So is.","citations":[)" +
                    citation + "]}]}"
              : R"({"output":{"message":{"role":"assistant","content":[{"text":"Grün. "},{"citationsContent":{"content":[
                  {"text":"So is."}],"citations":[)" +
                    citation + R"(]}}]}},"stopReason":"end_turn"})");
      if (i == kNamedDocuments.size()) {
        EXPECT_THAT(whole, Not(HasSubstr("citations")));  // of nothing that was sent
      } else {
        EXPECT_THAT(whole, HasSubstr(R"("citations":[{"start":6,"end":12,"text":"So is.","sources":[)" +
                                     kNamedDocuments[i] + R"(],"type":"TEXT_CONTENT"}])"));
      }
    }
  }
}

TEST(DocumentCitations, OfClaudesStreamNameWhatCoheresClientSent) {
  Exchange exchange(Dialect::cohere, kFromCohere, Dialect::anthropic);
  const std::string streamed =
      exchange.stream({R"({"type":"message_start","message":{"role":"assistant","content":[]}})",
                       R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"So is."}})",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":
          {"type":"char_location","cited_text":"It.","document_index":2,"start_char_index":0,"end_char_index":3}}})",
                       R"({"type":"content_block_stop","index":0})",
                       R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})", R"({"type":"message_stop"})"});
  EXPECT_THAT(
      streamed,
      HasSubstr(
          R"({"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":6,"text":"So is.","sources":[)" +
          kNamedDocuments[2]));
}

// As Anthropic has it, and Bedrock.
constexpr std::string_view kEarlierAtAnthropic = R"({"max_tokens":9,"messages":[{"role":"user","content":[
  {"type":"document","title":"Leaf","citations":{"enabled":true},"source":{"type":"text","media_type":"text/plain",
   "data":"Green."}},
  {"type":"search_result","source":"https://a.b","title":"Map","content":[{"type":"text","text":"Found."}],
   "citations":{"enabled":true}},{"type":"text","text":"q"}]},
  {"role":"assistant","content":[{"type":"text","text":"So.","citations":[
   {"type":"char_location","cited_text":"Green.","document_index":0,"document_title":"Leaf","start_char_index":0,"end_char_index":6},
   {"type":"search_result_location","cited_text":"Found.","search_result_index":0,"title":"Map","source":"https://a.b","start_block_index":0,"end_block_index":1}MORE]}]},
  {"role":"user","content":"so?"}]})";
constexpr std::string_view kEarlierAtBedrock = R"({"messages":[{"role":"user","content":[
  {"document":{"format":"txt","name":"Leaf","source":{"bytes":"R3JlZW4u"},"citations":{"enabled":true}}},
  {"searchResult":{"source":"https://a.b","title":"Map","content":[{"text":"Found."}],"citations":{"enabled":true}}},
  {"text":"q"}]},
  {"role":"assistant","content":[{"citationsContent":{"content":[{"text":"So."}],"citations":[
   {"title":"Leaf","sourceContent":[{"text":"Green."}],"location":{"documentChar":{"documentIndex":0,"start":0,"end":6}}},
   {"title":"Map","source":"https://a.b","sourceContent":[{"text":"Found."}],"location":{"searchResultLocation":{"searchResultIndex":0,"start":0,"end":1}}}MORE]}}]},
  {"role":"user","content":[{"text":"so?"}]}]})";

std::string with(std::string_view request, std::string_view more) {
  std::string whole(request);
  return whole.replace(whole.find("MORE"), 4, more);
}

// Without blanks and ends of lines between members, of which none is inside a text there.
std::string packed(std::string_view request, std::string_view from, std::string_view to) {
  std::string text(request.substr(request.find(from)));
  text.resize(text.find(to) + to.size());
  std::erase_if(text, [](char c) { return c == '\n' || c == ' '; });
  return text;
}

TEST(DocumentCitations, OfEarlierAnswersGoBackBetweenAnthropicAndBedrock) {
  const std::string anthropic = with(kEarlierAtAnthropic, "");
  const std::string bedrock = with(kEarlierAtBedrock, "");
  Exchange to_bedrock(Dialect::anthropic, anthropic, Dialect::bedrock);
  EXPECT_THAT(to_bedrock.sent, HasSubstr(packed(bedrock, R"({"citationsContent")", "]}}]}")));
  EXPECT_THAT(to_bedrock.sent, HasSubstr(packed(bedrock, R"({"searchResult")", R"("enabled":true}}})")));
  EXPECT_THAT(to_bedrock.warned(), testing::IsEmpty());
  Exchange to_anthropic(Dialect::bedrock, bedrock, Dialect::anthropic);
  EXPECT_THAT(to_anthropic.sent, HasSubstr(packed(anthropic, R"("citations":[)", "]}]}")));
  EXPECT_THAT(
      to_anthropic.sent,
      HasSubstr(
          R"({"type":"search_result","source":"https://a.b","title":"Map","content":[{"type":"text","text":"Found."}],"citations":{"enabled":true}})"));
  EXPECT_THAT(to_anthropic.warned(), testing::IsEmpty());
}

// What no document of the request is behind: of the web, and of one that is not there.
TEST(DocumentCitations, OfEarlierAnswersThatCannotGoBackAreToldOf) {
  const std::string anthropic = with(kEarlierAtAnthropic,
                                     R"(,{"type":"web_search_result_location","cited_text":"It.","url":"https://a.b/c",
                                        "title":"T","encrypted_index":"i"})");
  Exchange to_bedrock(Dialect::anthropic, anthropic, Dialect::bedrock);
  EXPECT_THAT(to_bedrock.sent, HasSubstr(packed(with(kEarlierAtBedrock, ""), R"({"citationsContent")", "]}}]}")));
  EXPECT_THAT(to_bedrock.warned(), testing::ElementsAre("dropped messages[1].content[0].citations"));
  const std::string bedrock =
      with(kEarlierAtBedrock, R"(,{"location":{"documentPage":{"documentIndex":1,"start":1,"end":2}}})");
  Exchange to_anthropic(Dialect::bedrock, bedrock, Dialect::anthropic);
  EXPECT_THAT(to_anthropic.sent, Not(HasSubstr("page_location")));
  EXPECT_THAT(to_anthropic.warned(), testing::ElementsAre("dropped messages[1].content[0].citationsContent.citations"));
  // Google's models cite no documents.
  EXPECT_THAT(Exchange(Dialect::bedrock, with(kEarlierAtBedrock, ""), Dialect::gemini).warned(),
              testing::Contains("dropped messages[1].content[0].citationsContent.citations"));
}

// A request to Anthropic cites all of its documents or none.
TEST(DocumentCitations, AreAskedForAsCoheresClientDoes) {
  std::string off(kFromCohere);
  off.insert(1, R"("citation_options":{"mode":"OFF"},)");
  EXPECT_THAT(Exchange(Dialect::cohere, off, Dialect::anthropic).sent, Not(HasSubstr("citations")));
}

}  // namespace
}  // namespace llmgw::dialects
