#include "chat/turns.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "chat/arguments.h"

namespace llmgw::chat {
namespace {

class Turns : public testing::Test {
 protected:
  Message& say(Role role, std::string_view text = {}) {
    Message& message = request_.messages.push(arena_, {.role = role});
    if (!text.empty()) message.parts.push(arena_, {.kind = PartKind::text, .text = text});
    return message;
  }
  void call(Message& message, std::string_view id, std::string_view name) {
    message.parts.push(arena_, {.kind = PartKind::tool_call, .text = "{}", .id = id, .name = name});
  }
  void result(Message& message, std::string_view id, std::string_view text, std::string_view name = {}) {
    Part part{.kind = PartKind::tool_result, .id = id, .name = name};
    part.content.push(arena_, {.kind = PartKind::text, .text = text});
    message.parts.push(arena_, part);
  }
  // "S:.. U[...]": one letter a turn, parts in short.
  std::string shape() {
    conversation_ = arrange(request_, rules_, arena_, warnings_);
    std::string out;
    for (const Part& part : conversation_.system) out += "s(" + std::string(part.text) + ") ";
    for (const Turn& turn : conversation_.turns) {
      out += std::string(to_string(turn.role).substr(0, 1)) + "[";
      for (const Part& part : turn.parts) out += describe(part) + " ";
      if (!turn.parts.empty()) out.pop_back();
      out += "] ";
    }
    if (!out.empty()) out.pop_back();
    return out;
  }
  static std::string describe(const Part& part) {
    switch (part.kind) {
      case PartKind::tool_call: return "call:" + std::string(part.id);
      case PartKind::tool_result: {
        std::string text;
        for (const Part& inner : part.content)
          text += inner.kind == PartKind::text ? std::string(inner.text) : "<media>";
        return "result:" + std::string(part.id) + "=" + text + (part.is_error ? "!" : "");
      }
      case PartKind::thinking: return "think:" + std::string(part.text);
      case PartKind::image: return "<image>";
      default: return std::string(part.text);
    }
  }

  base::Arena arena_;
  Request request_;
  TurnRules rules_;
  Warnings warnings_{arena_};
  Conversation conversation_;
};

TEST_F(Turns, MergesRolesAndLiftsTheSystem) {
  say(Role::system, "one");
  say(Role::developer, "two");
  say(Role::user, "a");
  say(Role::user, "b");
  say(Role::assistant, "c");
  say(Role::assistant, "d  \n");
  EXPECT_EQ(shape(), "s(one) s(two) u[a b] a[c d]");
  EXPECT_TRUE(warnings_.empty());
}

TEST_F(Turns, LeavesNoEmptyTurnWhereAnotherProvidersItemsStood) {
  say(Role::user, "a");
  say(Role::assistant, "").parts.push(arena_, {.kind = PartKind::opaque, .origin = Dialect::openai_responses});
  say(Role::user, "").parts.push(arena_, {.kind = PartKind::opaque, .origin = Dialect::openai_responses});
  say(Role::assistant, "b");
  say(Role::user, "c").parts.push(arena_, {.kind = PartKind::opaque, .origin = Dialect::vertex});
  rules_.opaque_of = Dialect::gemini;
  const Conversation kept = arrange(request_, rules_, arena_, warnings_);
  ASSERT_EQ(kept.turns.size(), 3U);
  EXPECT_EQ(kept.turns.back().parts.size(), 2U);
  EXPECT_EQ(warnings_.list().size(), 1U);
}

// Nothing stands between the results and what the assistant says to them, so nothing has to be said there.
TEST_F(Turns, ResultsAloneAndAnotherProvidersItemsBehindThem) {
  say(Role::user, "q");
  call(say(Role::assistant, ""), "a", "f");
  result(say(Role::tool), "a", "1");
  say(Role::user, "").parts.push(arena_, {.kind = PartKind::opaque, .origin = Dialect::openai_responses});
  say(Role::developer, "").parts.push(arena_, {.kind = PartKind::opaque, .origin = Dialect::openai_responses});
  say(Role::assistant, "b");
  rules_.results_alone = rules_.alternate = true;
  rules_.opaque_of = Dialect::bedrock;
  EXPECT_EQ(shape(), "u[q] a[call:a] u[result:a=1] a[b]");
  EXPECT_EQ(warnings_.list().size(), 1U);
}

TEST_F(Turns, ResultsComeFirstInTheOrderOfTheCalls) {
  say(Role::user, "q");
  Message& calls = say(Role::assistant, "");
  call(calls, "a", "f");
  call(calls, "b", "g");
  say(Role::user, "meanwhile");
  result(say(Role::tool), "b", "2");
  result(say(Role::tool), "a", "1");
  say(Role::user, "then");
  EXPECT_EQ(shape(), "u[q] a[call:a call:b] u[result:a=1 result:b=2 meanwhile then]");
  rules_.results_in_user_turn = false;
  rules_.merge = false;
  EXPECT_EQ(shape(), "u[q] a[call:a call:b] t[result:a=1] t[result:b=2] u[meanwhile] u[then]");
}

TEST_F(Turns, CompletesAndSavesWhatDoesNotPair) {
  say(Role::user, "q");
  call(say(Role::assistant), "a", "f");
  result(say(Role::tool), "zzz", "lost");
  EXPECT_EQ(shape(),
            "u[q] a[call:a] u[result:a=The tool was not run: the conversation has no result for this call.! "
            "[result of an earlier tool call]: lost]");
  EXPECT_EQ(warnings_.list().size(), 2U);
}

TEST_F(Turns, CallsWithoutIdsPairByNameThenOrder) {
  say(Role::user, "q");
  Message& calls = say(Role::assistant);
  call(calls, "", "f");
  call(calls, "", "g");
  Message& results = say(Role::user);
  result(results, "", "of g", "g");
  result(results, "", "of f", "f");
  const std::string seen = shape();
  ASSERT_EQ(conversation_.turns.size(), 3U);
  const auto& parts = conversation_.turns[2].parts;
  EXPECT_EQ(parts[0].id, conversation_.turns[1].parts[0].id);
  EXPECT_EQ(parts[0].id.size(), 29U);
  EXPECT_EQ(parts[0].content[0].text, "of f") << seen;
  EXPECT_NE(parts[0].id, parts[1].id);
}

TEST_F(Turns, ReusedIdsBecomeDistinctAndPairWithTheNearestCall) {
  say(Role::user, "q");
  call(say(Role::assistant), "call_0", "f");
  result(say(Role::tool), "call_0", "first");
  call(say(Role::assistant), "call_0", "f");
  result(say(Role::tool), "call_0", "second");
  shape();
  const auto& turns = conversation_.turns;
  ASSERT_EQ(turns.size(), 5U);
  EXPECT_EQ(turns[1].parts[0].id, "call_0");
  EXPECT_NE(turns[3].parts[0].id, "call_0");
  EXPECT_EQ(turns[4].parts[0].id, turns[3].parts[0].id);
  EXPECT_EQ(turns[4].parts[0].content[0].text, "second");
}

TEST_F(Turns, SystemInTheMiddle) {
  say(Role::user, "a");
  say(Role::system, "now be brief");
  say(Role::user, "b");
  EXPECT_EQ(shape(), "u[a <system>\nnow be brief\n</system> b]");
  rules_.mid_system = true;
  EXPECT_EQ(shape(), "u[a] s[now be brief] u[b]");
}

TEST_F(Turns, BeginsWithTheUserAndEndsAsTheTargetAllows) {
  say(Role::assistant, "hi");
  EXPECT_EQ(shape(), "u[.] a[hi]");
  rules_.allow_prefill = false;
  EXPECT_EQ(shape(), "u[.] a[hi] u[Continue.]");
}

TEST_F(Turns, ThinkingGoesBackOnlyToItsMinter) {
  const Signature own{.minter = Minter::anthropic, .data = "s"};
  const Signature foreign{.minter = Minter::gemini, .data = "s"};
  say(Role::user, "q");
  Message& answer = say(Role::assistant);
  answer.parts.push(arena_, {.kind = PartKind::thinking, .text = "mine", .signature = &own});
  answer.parts.push(arena_, {.kind = PartKind::thinking, .text = "theirs", .signature = &foreign});
  answer.parts.push(arena_, {.kind = PartKind::thinking, .text = "unsigned"});
  answer.parts.push(arena_, {.kind = PartKind::text, .text = "a"});
  rules_.minter = Minter::anthropic;
  EXPECT_EQ(shape(), "u[q] a[think:mine a]");
  rules_.thinking_needs_signature = false;
  EXPECT_EQ(shape(), "u[q] a[think:mine think:theirs think:unsigned a]");
  rules_.keep_thinking = false;
  EXPECT_EQ(shape(), "u[q] a[a]");
}

TEST_F(Turns, MediaOfResultsMoves) {
  say(Role::user, "q");
  call(say(Role::assistant), "a", "f");
  Message& message = say(Role::tool);
  result(message, "a", "see");
  const Media media{.data = "AAAA", .media_type = "image/png"};
  message.parts[0].content.push(arena_, {.kind = PartKind::image, .media = &media});
  rules_.media_out_of_results = true;
  rules_.results_in_user_turn = false;
  EXPECT_EQ(shape(),
            "u[q] a[call:a] t[result:a=see[image: see the next user message]] u[[image returned by the tool call a] "
            "<image>]");
}

TEST_F(Turns, TextsThatBecomeOneStandApart) {
  rules_.one_text = true;
  const auto add = [&](Message& message, Part part) { message.parts.push(arena_, part); };
  say(Role::user, "q");
  Message& first = say(Role::assistant, "One.");
  add(first, {.kind = PartKind::text, .text = "Two. "});
  add(first, {.kind = PartKind::text, .text = "Three"});
  call(first, "a", "f");
  add(first, {.kind = PartKind::text, .text = "Four"});
  say(Role::user, "r");
  say(Role::assistant, "Five.");
  say(Role::assistant, "Six.");
  EXPECT_EQ(shape().substr(0, 72), "u[q] a[One. \n\nTwo.  Three call:a \n\nFour] u[result:a=The tool was not run");
  EXPECT_NE(shape().find("a[Five. \n\nSix.]"), std::string::npos) << shape();
}

TEST_F(Turns, PiecesOfASentenceStayTogether) {
  rules_.one_text = true;
  say(Role::user, "q");
  Message& cited = say(Role::assistant, "It is ");
  cited.parts.push(arena_, {.kind = PartKind::text, .text = "Bern", .citations = "[{}]"});
  cited.parts.push(arena_, {.kind = PartKind::text, .text = ", as"});
  const Signature signature{.minter = Minter::gemini, .data = "x"};
  cited.parts.push(arena_, {.kind = PartKind::text, .text = "sig", .signature = &signature});
  cited.parts.push(arena_, {.kind = PartKind::text, .text = "ned"});
  EXPECT_EQ(shape(), "u[q] a[It is  Bern , as sig ned]");
  // Gemini's SDKs keep the chunks of a stream, each as a content of its own.
  request_.messages.clear();
  request_.from = Dialect::gemini;
  say(Role::user, "q");
  say(Role::assistant, "Be");
  say(Role::assistant, "rn");
  EXPECT_EQ(shape(), "u[q] a[Be rn]");
}

TEST_F(Turns, AnEmptyMessageBehindTheAssistantsIsNoWishToGoOn) {
  say(Role::user, "q");
  say(Role::assistant, "a");
  say(Role::user).parts.push(arena_, {.kind = PartKind::text});
  EXPECT_EQ(shape(), "u[q] a[a] u[.]");
  ASSERT_EQ(warnings_.list().size(), 1U);
  EXPECT_EQ(warnings_.list()[0].field, "messages[2]");
  // The assistant's own last message is.
  request_.messages.pop();
  EXPECT_EQ(shape(), "u[q] a[a]");
}

TEST_F(Turns, ManyCallsTakeLinearTime) {
  say(Role::user, "q");
  constexpr size_t kCount = 20000;
  Message& calls = say(Role::assistant);
  for (size_t i = 0; i < kCount; ++i) call(calls, arena_.copy(std::to_string(i)), "f");
  Message& results = say(Role::user);
  for (size_t i = kCount; i-- > 0;) result(results, arena_.copy(std::to_string(i)), "r");
  shape();
  EXPECT_EQ(conversation_.turns[2].parts.size(), kCount);
}

TEST(ToolIds, FitTheRule) {
  base::Arena arena;
  EXPECT_EQ(fit_tool_id("toolu_1", ToolIdRule::word, 64, arena), "toolu_1");
  const std::string_view shortened = fit_tool_id("functions.name:0", ToolIdRule::word, 64, arena);
  EXPECT_TRUE(shortened.starts_with("call_"));
  EXPECT_EQ(shortened, fit_tool_id("functions.name:0", ToolIdRule::word, 64, arena));
  EXPECT_EQ(fit_tool_id("functions.name:0", ToolIdRule::bedrock, 64, arena), "functions.name:0");
  EXPECT_EQ(fit_tool_id("call_123", ToolIdRule::mistral, 64, arena).size(), 9U);
  EXPECT_LE(fit_tool_id(std::string(100, 'x'), ToolIdRule::any, 40, arena).size(), 40U);
  EXPECT_NE(mint_tool_id("s", 1, arena), mint_tool_id("s", 2, arena));
}

TEST(Warnings, MakeAStructuredList) {
  base::Arena arena;
  Warnings warnings(arena);
  EXPECT_EQ(warnings.header(), "");
  warnings.dropped("top_k", "no \"such\" thing");
  warnings.dropped("top_k", "again");
  warnings.changed("messages[1]", "caf\xc3\xa9");
  EXPECT_EQ(warnings.header(),
            R"(dropped;field="top_k";reason="no \"such\" thing", changed;field="messages[1]";reason="caf\\u00e9")");
  for (int i = 0; i < 100; ++i) warnings.dropped("field" + std::to_string(i), std::string(200, 'x'));
  const std::string header = warnings.header();
  EXPECT_LE(header.size(), Warnings::kHeaderBytesMax);
  EXPECT_NE(header.find("more;count="), std::string::npos);
}

TEST(Warnings, TellOncePerKindOfPlace) {
  base::Arena arena;
  Warnings warnings(arena);
  for (const char* place : {"messages[1]", "messages[1]", "messages[3]", "messages[12]", "messages[12]"}) {
    warnings.dropped(place, "a signature");
  }
  warnings.dropped("messages[4]", "another reason");
  warnings.dropped("messages[4].name", "a signature");
  EXPECT_EQ(warnings.header(), R"(dropped;field="messages[1]";reason="a signature; the same in 2 other places", )"
                               R"(dropped;field="messages[4]";reason="another reason", )"
                               R"(dropped;field="messages[4].name";reason="a signature")");
}

// The header is ASCII; a name is told as JSON may have it.
TEST(Warnings, NamesOfOtherAlphabets) {
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"\xc3\xbcn\xc3\xaf", R"(\\u00fcn\\u00ef)"},
      {"\xf0\x9f\x98\x80", R"(\\ud83d\\ude00)"},
      {"a\nb", R"(a\\u000ab)"},
      {"a\xff", "a?"},
      {"\xe2\x98\x83", R"(\\u2603)"},
  };
  for (const auto& [name, told] : rows) {
    base::Arena arena;
    Warnings warnings(arena);
    warnings.dropped(name, "x");
    EXPECT_EQ(warnings.header(), "dropped;field=\"" + std::string(told) + "\";reason=\"x\"");
  }
}

TEST(Arguments, BecomeObjects) {
  json::Parser parser;
  base::Arena arena;
  const auto object = [&](std::string_view text) { return std::string(arguments_object(text, parser, arena).json); };
  EXPECT_EQ(object(""), "{}");
  EXPECT_EQ(object(" null "), "{}");
  EXPECT_EQ(object(R"( {"a": 1.0} )"), R"({"a": 1.0})");
  EXPECT_EQ(object(R"("{\"a\":1}")"), R"({"a":1})");
  EXPECT_EQ(object("[1]"), R"({"value":[1]})");
  EXPECT_EQ(object(R"({"a":)"), R"({"value":"{\"a\":"})");
  EXPECT_EQ(std::string(result_object("text", "result", parser, arena)), R"({"result":"text"})");
  EXPECT_EQ(std::string(result_object("[1]", "result", parser, arena)), R"({"result":[1]})");
  EXPECT_EQ(std::string(result_object(R"({"x":1})", "result", parser, arena)), R"({"x":1})");
}

}  // namespace
}  // namespace llmgw::chat
