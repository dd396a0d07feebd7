#include "dialects/openai_responses/state.h"

#include <gmock/gmock.h>

#include "dialects/codec_test_support.h"
#include "dialects/openai_responses/codec.h"
#include "dialects/openai_responses/test_support.h"

namespace llmgw::dialects::openai_responses {
namespace {

using testing::ElementsAre;
using testing_support::canonical;

class ResponsesStateTest : public testing::Test {
 protected:
  json::Parser parser_;
  base::Arena arena_;
  StateBodies bodies_{parser_, arena_, "req-1"};
  Samples samples_;
};

TEST_F(ResponsesStateTest, ReadsWhatIsAskedOfTheMemory) {
  const auto request = bodies_.read(
      R"({"conversation":{"id":"conv_1"},"store":false,"background":true,"stream":true,
          "input":[{"role":"user","content":"a"},{"type":"item_reference","id":"rs_1"},{"id":"msg_2"}]})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->conversation_id, "conv_1");
  EXPECT_FALSE(request->store);
  EXPECT_TRUE(request->background);
  EXPECT_THAT(request->references, ElementsAre("rs_1", "msg_2"));
  EXPECT_TRUE(bodies_.read(R"({"input":"a"})")->store);
  EXPECT_EQ(bodies_.read(R"({"conversation":"conv_2"})")->conversation_id, "conv_2");
  EXPECT_EQ(bodies_.read(R"({"conversation":"c","previous_response_id":"r"})").error().param, "previous_response_id");
  EXPECT_FALSE(bodies_.read("[]").has_value());
}

TEST_F(ResponsesStateTest, WhatWasMadeHereIsToldByItsId) {
  EXPECT_TRUE(is_minted(minted_id("conv_", "0123")));
  EXPECT_FALSE(is_minted("resp_68af2c1e") || is_minted("lgw") || is_minted(""));
  for (const std::string_view body :
       {R"({"previous_response_id":"resp_lgw1"})", R"({"conversation":"conv_lgw1"})",
        R"({"conversation":{"id":"conv_lgw1"}})", R"({"input":[{"type":"item_reference","id":"msg_lgw1_0"}]})"}) {
    EXPECT_TRUE(builds_on_minted(body, parser_)) << body;
  }
  for (const std::string_view body :
       {R"({"previous_response_id":"resp_1","input":"what is resp_lgw1?"})", R"({"conversation":"conv_1"})",
        R"({"input":[{"id":"msg_lgw1_0","role":"user","content":"a"}]})", "_lgw", "[]"}) {
    EXPECT_FALSE(builds_on_minted(body, parser_)) << body;
  }
}

TEST_F(ResponsesStateTest, InputItemsAreWhole) {
  const std::vector<StateItem> known{{"rs_1", R"({"id":"rs_1","type":"reasoning","summary":[]})"}};
  const auto items = bodies_.input_items(
      R"({"input":[{"role":"user","content":"hi"},
          {"role":"assistant","content":[{"type":"output_text","text":"yo"}],"phase":"commentary"},
          {"role":"user","content":[{"type":"input_image","image_url":"https://a/b.png"}],"id":"msg_own"},
          {"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
          {"type":"function_call_output","call_id":"c","output":"x","status":null},
          {"type":"item_reference","id":"rs_1"}]})",
      known);
  ASSERT_TRUE(items);
  ASSERT_EQ(items->size(), 6U);
  for (const StateItem& item : *items) samples_.add("ItemResource", "state_test", item.json);
  EXPECT_EQ(
      canonical((*items)[0].json),
      R"({"content":[{"text":"hi","type":"input_text"}],"id":"msg_lgwreq-1_0","role":"user","status":"completed","type":"message"})");
  EXPECT_EQ(canonical((*items)[1].json),
            R"({"content":[{"annotations":[],"logprobs":[],"text":"yo","type":"output_text"}],"id":"msg_lgwreq-1_1",)"
            R"("phase":"commentary","role":"assistant","status":"completed","type":"message"})");
  EXPECT_EQ((*items)[2].id, "msg_own");
  EXPECT_EQ((*items)[3].id, "fc_lgwreq-1_3");
  EXPECT_EQ(canonical((*items)[4].json),
            R"({"call_id":"c","id":"fco_lgwreq-1_4","output":"x","status":"completed","type":"function_call_output"})");
  EXPECT_EQ((*items)[5].id, "rs_1");
  const auto text = bodies_.input_items(R"({"input":"a\"b"})", {});
  EXPECT_EQ(
      canonical(text->front().json),
      R"({"content":[{"text":"a\"b","type":"input_text"}],"id":"msg_lgwreq-1_0","role":"user","status":"completed","type":"message"})");
  EXPECT_EQ(bodies_.input_items(R"({"input":[{"id":"rs_9"}]})", known).error().kind, chat::ErrorKind::not_found);
  EXPECT_EQ(bodies_.input_items(R"({"input":[7]})", known).error().param, "input[0]");
}

TEST_F(ResponsesStateTest, ARequestIsMadeToStandAlone) {
  const std::vector<StateItem> context{{"msg_lgwx_0", R"({"id":"msg_lgwx_0","role":"user","content":"a"})"},
                                       {"msg_2", R"({"id":"msg_2","role":"assistant","content":"b"})"}};
  const auto body = bodies_.stand_alone(
      R"({"model":"m","previous_response_id":"resp_1","conversation":null,"store":true,"input":"c","temperature":0.5})",
      context, {});
  ASSERT_TRUE(body);
  EXPECT_EQ(canonical(*body),
            R"({"input":[{"content":"a","role":"user"},{"content":"b","id":"msg_2","role":"assistant"},)"
            R"({"content":"c","role":"user"}],"model":"m","store":true,"temperature":0.5})");
  const auto references =
      bodies_.stand_alone(R"({"input":[{"id":"msg_2"},{"type":"item_reference","id":"msg_2"}]})", {}, context);
  ASSERT_TRUE(references);
  EXPECT_EQ(
      canonical(*references),
      R"({"input":[{"content":"b","id":"msg_2","role":"assistant"},{"content":"b","id":"msg_2","role":"assistant"}]})");
  EXPECT_EQ(bodies_.stand_alone(R"({"input":[{"id":"none"}]})", {}, context).error().kind, chat::ErrorKind::not_found);
}

// What is stored of one turn is what the next one reads.
TEST_F(ResponsesStateTest, OutputsComeBackAsContext) {
  const auto output = bodies_.output_items(
      R"({"output":[{"id":"fc_1","type":"function_call","call_id":"c","name":"f","arguments":"{}","status":"completed"}]})");
  ASSERT_EQ(output.size(), 1U);
  const auto body =
      bodies_.stand_alone(R"({"input":[{"type":"function_call_output","call_id":"c","output":"1"}]})", output, {});
  ASSERT_TRUE(body);
  testing_support::World world(codec());
  ASSERT_TRUE(world.read_request(*body));
  EXPECT_EQ(world.request.messages.size(), 2U);
  EXPECT_EQ(world.request.messages[0].parts[0].name, "f");
}

TEST_F(ResponsesStateTest, AnswersHaveTheirShape) {
  const std::vector<StateItem> items{{"a", R"({"id":"a","type":"reasoning","summary":[]})"},
                                     {"b", R"({"id":"b","type":"reasoning","summary":[]})"}};
  const std::string list = item_list(items, true);
  samples_.add("ResponseItemList", "state_test", list);
  samples_.add("ConversationItemList", "state_test", list);
  samples_.add("ResponseItemList", "state_test", item_list({}, false));
  EXPECT_EQ(canonical(list),
            R"({"data":[{"id":"a","summary":[],"type":"reasoning"},{"id":"b","summary":[],"type":"reasoning"}],)"
            R"("first_id":"a","has_more":true,"last_id":"b","object":"list"})");
  EXPECT_EQ(deleted_response("r"), R"({"id":"r","object":"response","deleted":true})");
  samples_.add("ConversationResource", "state_test", conversation_object("c", 7, R"({"a":"b"})"));
  samples_.add("DeletedConversationResource", "state_test", deleted_conversation("c"));
  EXPECT_EQ(with_status(R"({"id":"r","status":"in_progress","output":[]})", "cancelled", parser_),
            R"({"id":"r","status":"cancelled","output":[]})");
  EXPECT_EQ(missing_response("r", arena_).message, "Response with id 'r' not found.");
  EXPECT_EQ(missing_previous_response("r", arena_).code, "previous_response_not_found");
}

TEST_F(ResponsesStateTest, ConversationsAreMadeWithinTheirBounds) {
  EXPECT_EQ(*bodies_.conversation_metadata("", false), "{}");
  EXPECT_EQ(*bodies_.conversation_metadata(R"({"metadata":{"a":"b"}})", true), R"({"a":"b"})");
  EXPECT_FALSE(bodies_.conversation_metadata(R"({})", true).has_value());
  EXPECT_FALSE(bodies_.conversation_metadata(R"({"metadata":{"a":1}})", false).has_value());
  EXPECT_TRUE(bodies_.new_items("", false)->empty());
  EXPECT_FALSE(bodies_.new_items("{}", true).has_value());
  EXPECT_EQ(bodies_.new_items(R"({"items":"x"})", false).error().param, "items");
  EXPECT_TRUE(bodies_.new_items(R"({"items":null})", false)->empty());
  std::string many = R"({"items":[)";
  for (size_t i = 0; i <= kNewItemsMax; ++i) many += R"({"role":"user","content":"a"},)";
  many.back() = ']';
  EXPECT_EQ(bodies_.new_items(many + "}", true).error().param, "items");
}

}  // namespace
}  // namespace llmgw::dialects::openai_responses
