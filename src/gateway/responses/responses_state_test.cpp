#include "gateway/responses/responses_state.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <optional>

#include "json/tree.h"
#include "store/objects/object_store.h"

namespace llmgw::gateway {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kResponse =
    R"({"id":"resp_1","object":"response","status":"completed","output":[{"id":"msg_o","type":"message","role":"assistant",)"
    R"("status":"completed","content":[{"type":"output_text","text":"yo","annotations":[],"logprobs":[]}]}]})";

class ResponsesStateFor : public testing::Test {
 protected:
  ResponsesStateFor() {
    folder_ = std::filesystem::temp_directory_path() / ("llmgw-state-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    store_ = std::make_unique<store::ResponsesStore>(store::ResponsesStore::Settings{
        .connect = [path = (folder_ / "responses.db").string()] { return store::open_sqlite(path); },
        .clock = [] { return int64_t{1}; }});  // nothing is forgotten
  }
  ~ResponsesStateFor() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  template <class T>
  T wait(net::Task<T> task) {
    std::optional<T> result;
    auto run = [&]() -> net::Task<> { result.emplace(co_await std::move(task)); };
    auto running = run();
    running.start();
    EXPECT_TRUE(loop_.run_until([&] { return result.has_value(); }));
    return std::move(*result);
  }
  ResponsesState state(std::string_view owner = "me") {
    ids_.push_back("req" + std::to_string(ids_.size()));
    return ResponsesState({.store = *store_,
                           .loop = loop_,
                           .parser = parser_,
                           .arena = arena_,
                           .owner = owner,
                           .request_id = ids_.back(),
                           .wait = {},
                           .former = former_});
  }
  // The answer's body, or "<kind>: <message>".
  std::string ask(Operation operation, std::string_view method, std::string_view tail, std::string_view query = {},
                  std::string_view body = {}, std::string_view owner = "me") {
    ResponsesState asked = state(owner);
    auto answer = wait(asked.answer(operation, method, tail, query, body));
    if (answer) return *answer;
    return std::string(chat::to_string(answer.error().kind)) + ": " + std::string(answer.error().message);
  }
  dialects::Outcome<StateTurn> begin(std::string_view body, std::string_view owner = "me") {
    ResponsesState asked = state(owner);
    return wait(asked.begin(body));
  }
  void keep(std::string_view body, std::string_view response) {
    ResponsesState asked = state();
    auto turn = wait(asked.begin(body));
    ASSERT_TRUE(turn) << turn.error().message;
    const auto kept = wait(asked.keep(std::move(*turn), response));
    ASSERT_TRUE(kept) << kept.error().message;
  }
  std::string field(std::string_view json, std::string_view name) {
    const auto root = json::parse_tree(parser_, json, arena_);
    return root ? std::string((*root)[name].string(arena_)) : std::string("not JSON");
  }

  std::filesystem::path folder_;
  net::Loop loop_{net::make_epoll_poller(), 1};
  std::unique_ptr<store::ResponsesStore> store_;
  json::Parser parser_;
  base::Arena arena_;
  std::deque<std::string> ids_;  // of requests
  store::FormerOwner former_;
};

TEST(MemoryOwner, IsAnIdOrANameThatIsNoId) {
  const std::string id = store::make_object_id("vkey_", 1'700'000'000'000);
  EXPECT_EQ(memory_owner({.name = "frontend", .id = id, .models = control::ModelFilter({})}), id);
  EXPECT_EQ(memory_owner({.name = id, .id = {}, .models = control::ModelFilter({})}), "file\n" + id);
  const control::Principal named_later{
      .name = "frontend", .id = id, .named_since = 7, .models = control::ModelFilter({})};
  EXPECT_EQ(former_memory_owner(named_later).name, "frontend");
  EXPECT_EQ(former_memory_owner(named_later).since, 7);
  const control::Principal of_file{.name = "frontend", .id = {}, .models = control::ModelFilter({})};
  EXPECT_EQ(former_memory_owner(of_file).name, "") << "a key of the store may have had the name before";
}

TEST_F(ResponsesStateFor, WhatAnEarlierVersionKeptIsFoundByWhoHadTheName) {
  std::string response(kResponse);
  response.insert(1, R"("created_at":7,)");
  keep(R"({"model":"m","input":"hi"})", response);  // by a name: "me"
  former_ = {.name = "me", .since = 7};
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_2", {}, {}, "vkey_1"), StartsWith("not_found"));
  EXPECT_EQ(ask(Operation::responses_get, "GET", "responses/resp_1", {}, {}, "vkey_1"), response);
  EXPECT_TRUE(begin(R"({"model":"m","input":"more","previous_response_id":"resp_1"})", "vkey_1"));
  former_ = {};
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_1"), StartsWith("not_found")) << "it has moved";
}

TEST_F(ResponsesStateFor, AResponseIsKeptFetchedAndDeleted) {
  keep(R"({"model":"m","input":"hi"})", kResponse);
  EXPECT_EQ(ask(Operation::responses_get, "GET", "responses/resp_1"), kResponse);
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_1", {}, {}, "you"),
              StartsWith("not_found: Response with id 'resp_1' not found"));
  const std::string list = ask(Operation::responses_input_items, "GET", "responses/resp_1/input_items", "limit=1");
  EXPECT_THAT(list, HasSubstr(R"("text":"hi")"));
  EXPECT_THAT(list, HasSubstr(R"("has_more":false)"));
  EXPECT_THAT(ask(Operation::responses_input_items, "GET", "responses/resp_1/input_items", "limit=0"),
              StartsWith("invalid_request"));
  EXPECT_THAT(ask(Operation::responses_input_items, "GET", "responses/resp_1/input_items", "order=up"),
              StartsWith("invalid_request"));
  EXPECT_THAT(ask(Operation::responses_cancel, "POST", "responses/resp_1/cancel"), StartsWith("invalid_request"));
  EXPECT_THAT(ask(Operation::responses_delete, "DELETE", "responses/resp_1"), HasSubstr(R"("deleted":true)"));
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_1"), StartsWith("not_found"));
}

TEST_F(ResponsesStateFor, TheNextTurnStandsAlone) {
  keep(R"({"model":"m","input":"hi"})", kResponse);
  const auto turn = begin(R"({"model":"m","previous_response_id":"resp_1","input":"more"})");
  ASSERT_TRUE(turn);
  EXPECT_THAT(turn->body, HasSubstr(R"("text":"hi")"));
  EXPECT_THAT(turn->body, HasSubstr(R"("text":"yo")"));
  EXPECT_THAT(turn->body, HasSubstr(R"({"role":"user","content":"more"})"));
  EXPECT_THAT(turn->body, testing::Not(HasSubstr("previous_response_id")));
  // What is said of it names the client's own request.
  base::Arena arena;
  const auto places = places_in_request(*turn, arena);
  ASSERT_EQ(places.size(), 2U);
  EXPECT_EQ(places[0].field, "input[0]");
  EXPECT_EQ(places[0].client, "previous_response_id");
  EXPECT_EQ(places[1].field, "input[2]");
  EXPECT_EQ(places[1].client, "input");
  const auto referenced = begin(R"({"input":[{"type":"item_reference","id":"msg_o"}]})");
  ASSERT_TRUE(referenced);
  EXPECT_THAT(referenced->body, HasSubstr(R"("text":"yo")"));
  EXPECT_EQ(begin(R"({"input":"a","previous_response_id":"resp_1"})", "you").error().code,
            "previous_response_not_found");
  EXPECT_EQ(begin(R"({"input":[{"id":"msg_none"}]})").error().kind, chat::ErrorKind::not_found);
  EXPECT_EQ(begin(R"({"input":"a"})")->body, "");
}

TEST_F(ResponsesStateFor, WhatIsMissingIsNamed) {
  keep(R"({"model":"m","input":"hi"})", kResponse);
  keep(R"({"model":"m","previous_response_id":"resp_1","input":"more"})",
       R"({"id":"resp_2","object":"response","status":"completed","output":[]})");
  ask(Operation::responses_delete, "DELETE", "responses/resp_1");
  const auto broken = begin(R"({"model":"m","previous_response_id":"resp_2","input":"and"})");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message,
            "Previous response with id 'resp_2' cannot be continued: 'resp_1', which it builds on, was deleted or has "
            "expired.");
  EXPECT_EQ(broken.error().code, "previous_response_not_found");
  // Only what was not made here may be known to a provider.
  EXPECT_EQ(begin(R"({"previous_response_id":"resp_lgw1","input":"a"})").error().message,
            "Previous response with id 'resp_lgw1' not found.");
  for (const std::string_view body :
       {R"({"previous_response_id":"resp_9","input":"a"})", R"({"conversation":"conv_9","input":"a"})"}) {
    EXPECT_THAT(begin(body).error().message, HasSubstr("not found. Responses and conversations that a provider keeps"));
  }
}

TEST_F(ResponsesStateFor, WhatIsNotToBeStoredIsNot) {
  keep(R"({"model":"m","input":"hi","store":false})", kResponse);
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_1"), StartsWith("not_found"));
}

TEST_F(ResponsesStateFor, ATurnOfAConversationIsKeptWithoutItsResponse) {
  const std::string id = field(ask(Operation::conversations, "POST", "conversations", {}, "{}"), "id");
  keep(R"({"model":"m","input":"hi","store":false,"conversation":")" + id + "\"}", kResponse);
  EXPECT_THAT(ask(Operation::responses_get, "GET", "responses/resp_1"), StartsWith("not_found"));
  const auto turn = begin(R"({"input":"more","conversation":")" + id + "\"}");
  ASSERT_TRUE(turn);
  EXPECT_THAT(turn->body, HasSubstr(R"("text":"hi")"));
  EXPECT_THAT(turn->body, HasSubstr(R"("text":"yo")"));
}

TEST_F(ResponsesStateFor, NobodyGoesOnFromWhatIsNotOver) {
  constexpr std::string_view kAsked = R"({"model":"m","input":"hi","background":true})";
  keep(kAsked, R"({"id":"resp_p","object":"response","created_at":9999999999,"status":"in_progress","output":[]})");
  for (const std::string_view status : {"in_progress", "cancelled"}) {
    const auto next = begin(R"({"input":"more","previous_response_id":"resp_p"})");
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().kind, chat::ErrorKind::invalid_request);
    EXPECT_EQ(next.error().param, "previous_response_id");
    EXPECT_THAT(next.error().message, HasSubstr("its status is '" + std::string(status)));
    ask(Operation::responses_cancel, "POST", "responses/resp_p/cancel");
  }
}

TEST_F(ResponsesStateFor, WhatNobodyMakesAnyMoreHasFailed) {
  const int64_t now = std::chrono::duration_cast<std::chrono::seconds>(loop_.wall_now().time_since_epoch()).count();
  const auto look = [&](int64_t at, bool sign) {
    auto job = [](store::ResponsesStore& store, net::Loop& loop, int64_t time, bool gives) -> net::Task<bool> {
      const auto heard = co_await store.call(loop, {}, [=](store::Responses& responses) {
        return gives ? responses.keep_alive("me", "resp_p", time) : responses.get("me", "resp_p", time);
      });
      co_return heard.has_value();
    };
    EXPECT_TRUE(wait(job(*store_, loop_, at, sign)));
  };
  keep(R"({"model":"m","input":"hi","background":true})", R"({"id":"resp_p","object":"response","created_at":)" +
                                                              std::to_string(now) +
                                                              R"(,"status":"in_progress","error":null,"output":[]})");
  const auto status = [&] { return field(ask(Operation::responses_get, "GET", "responses/resp_p"), "status"); };
  look(now - 60, false);  // the database is there for long enough
  EXPECT_EQ(status(), "in_progress");
  look(now - 600, true);
  const std::string told = ask(Operation::responses_get, "GET", "responses/resp_p");
  EXPECT_EQ(field(told, "status"), "failed");
  EXPECT_THAT(told, HasSubstr(R"("code":"server_error")"));
  EXPECT_THAT(begin(R"({"input":"more","previous_response_id":"resp_p"})").error().message,
              HasSubstr("its status is 'failed'"));
  look(now, true);
  EXPECT_EQ(status(), "in_progress");
}

TEST_F(ResponsesStateFor, ConversationsFromBeginningToEnd) {
  const auto conversations = [this](std::string_view method, const std::string& tail, std::string_view body = {}) {
    return ask(Operation::conversations, method, tail, {}, body);
  };
  const std::string made =
      conversations("POST", "conversations", R"({"metadata":{"a":"b"},"items":[{"role":"user","content":"first"}]})");
  const std::string id = field(made, "id");
  ASSERT_THAT(id, StartsWith("conv_"));
  const std::string path = "conversations/" + id;
  EXPECT_EQ(conversations("GET", path), made);
  EXPECT_THAT(conversations("POST", path, R"({"metadata":{"c":"d"}})"), HasSubstr(R"({"c":"d"})"));
  keep(R"({"model":"m","input":"hi","conversation":")" + id + "\"}", kResponse);
  const auto turn = begin(R"({"input":"more","conversation":{"id":")" + id + "\"}}");
  ASSERT_TRUE(turn);
  EXPECT_THAT(turn->body, HasSubstr("first"));
  EXPECT_THAT(turn->body, HasSubstr(R"("text":"yo")"));
  EXPECT_THAT(conversations("GET", path + "/items"), HasSubstr(R"("first_id":"msg_o")"));
  EXPECT_THAT(conversations("GET", path + "/items/msg_o"), HasSubstr(R"("text":"yo")"));
  EXPECT_THAT(conversations("POST", path + "/items", R"({"items":[{"role":"user","content":"new"}]})"),
              HasSubstr(R"("text":"new")"));
  EXPECT_THAT(conversations("POST", path + "/items", "{}"), StartsWith("invalid_request"));
  EXPECT_EQ(field(conversations("DELETE", path + "/items/msg_o"), "id"), id);
  EXPECT_THAT(conversations("GET", path + "/items/msg_o"), StartsWith("not_found"));
  EXPECT_THAT(conversations("PUT", path + "/items"), StartsWith("method_not_allowed"));
  EXPECT_THAT(conversations("DELETE", path), HasSubstr("conversation.deleted"));
  EXPECT_THAT(conversations("GET", path), StartsWith("not_found: Conversation with id"));
  EXPECT_EQ(begin(R"({"input":"a","conversation":")" + id + "\"}").error().kind, chat::ErrorKind::not_found);
  EXPECT_THAT(id, StartsWith("conv_lgw"));
}

}  // namespace
}  // namespace llmgw::gateway
