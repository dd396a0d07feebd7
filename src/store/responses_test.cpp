#include "store/responses.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "store/sql/test_databases.h"

namespace llmgw::store {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kNow = 1'700'000'000;

std::vector<Item> items(std::initializer_list<std::string_view> ids) {
  std::vector<Item> list;
  for (const std::string_view id : ids) list.push_back({std::string(id), "{\"id\":\"" + std::string(id) + "\"}"});
  return list;
}

std::vector<std::string> ids(const std::vector<Item>& list) {
  std::vector<std::string> names;
  for (const Item& item : list) names.push_back(item.id);
  return names;
}

template <class T>
ErrorCode code(const base::Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorCode::internal : result.error().code;
}

class ResponsesStored : public BothDatabases {
 protected:
  ResponsesStored() { open({}); }
  void open(const ResponsesLimits& limits) {
    responses_.reset();
    auto opened = Responses::open(std::move(*database_.open()), limits);
    ASSERT_TRUE(opened) << opened.error().context;
    responses_.emplace(std::move(*opened));
  }
  void save(std::string id, std::string previous = {}, std::string conversation = {}, int64_t now = kNow) {
    const auto saved = responses_->save("me",
                                        {.id = id,
                                         .previous_id = previous,
                                         .conversation_id = conversation,
                                         .status = "completed",
                                         .body = "{}",
                                         .input = items({id + "-in"}),
                                         .output = items({id + "-out1", id + "-out2"})},
                                        now);
    ASSERT_TRUE(saved) << saved.error().context;
  }
  Responses& responses() { return *responses_; }

  std::optional<Responses> responses_;
};

INSTANTIATE_TEST_SUITE_P(Databases, ResponsesStored,
                         testing::Values(SqlSession::Kind::sqlite, SqlSession::Kind::postgres), database_name);

TEST_P(ResponsesStored, IsThereAfterAReopenForItsOwnerOnly) {
  save("r1");
  open({});
  EXPECT_EQ(responses().get("me", "r1", kNow)->body, "{}");
  EXPECT_EQ(code(responses().get("you", "r1", kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().input_items("you", "r1", {}, kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().context_of_response("you", "r1", kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().find_item("you", "r1-in", kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().remove("you", "r1", kNow)), ErrorCode::not_found);
  EXPECT_TRUE(responses().save("you", {.id = "r1", .status = "completed"}, kNow));
  EXPECT_EQ(responses().find_item("me", "r1-out2", kNow)->json, R"({"id":"r1-out2"})");
}

TEST_P(ResponsesStored, EventsOfAStream) {
  ASSERT_TRUE(responses().save("me", {.id = "r", .status = "in_progress", .background = true, .events = "0 1"}, kNow));
  ASSERT_TRUE(responses().add_events("me", "r", {.first = 2, .events = "2 3 4"}, kNow));
  ASSERT_TRUE(responses().add_events("me", "r", {.first = 5, .events = "5"}, kNow));
  const auto from = [this](uint64_t number) {
    std::string all;
    for (const EventBatch& batch : responses().events("me", "r", number, kNow)->batches) {
      all += "[" + std::to_string(batch.first) + ": " + batch.events + "]";
    }
    return all;
  };
  EXPECT_EQ(from(0), "[0: 0 1][2: 2 3 4][5: 5]");
  EXPECT_EQ(from(1), "[0: 0 1][2: 2 3 4][5: 5]");
  EXPECT_EQ(from(4), "[2: 2 3 4][5: 5]");
  EXPECT_EQ(from(5), "[5: 5]");
  EXPECT_EQ(from(UINT64_MAX), "[5: 5]");
  EXPECT_EQ(responses().events("me", "r", 0, kNow)->status, "in_progress");
  EXPECT_EQ(code(responses().events("you", "r", 0, kNow)), ErrorCode::not_found);
  // The last of them come with the end, and then no more.
  ASSERT_TRUE(responses().complete("me", {.id = "r", .status = "completed", .first_event = 6, .events = "6"}, kNow));
  EXPECT_EQ(from(6), "[6: 6]");
  EXPECT_EQ(code(responses().add_events("me", "r", {.first = 7, .events = "7"}, kNow)), ErrorCode::already_exists);
  save("plain");
  EXPECT_FALSE(responses().events("me", "plain", 0, kNow)->streamed);
  ASSERT_TRUE(responses().remove("me", "r", kNow));
  EXPECT_EQ(code(responses().events("me", "r", 0, kNow)), ErrorCode::not_found);
}

TEST_P(ResponsesStored, ManyEventsComeInPages) {
  ASSERT_TRUE(responses().save("me", {.id = "r", .status = "in_progress", .events = "0"}, kNow));
  for (uint64_t i = 1; i <= Responses::kEventPageMax; ++i) {
    ASSERT_TRUE(responses().add_events("me", "r", {.first = i, .events = std::to_string(i)}, kNow));
  }
  EXPECT_EQ(responses().events("me", "r", 0, kNow)->batches.size(), Responses::kEventPageMax);
  EXPECT_EQ(responses().events("me", "r", Responses::kEventPageMax, kNow)->batches.front().events,
            std::to_string(Responses::kEventPageMax));
}

TEST(Responses, TheFileIsForNobodyElse) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.path() + "/responses.db";
  ASSERT_TRUE(Responses::open(std::move(*open_sqlite(path)), {}));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_P(ResponsesStored, TheSameIdIsNotOverwritten) {
  save("r1");
  EXPECT_EQ(code(responses().save("me", {.id = "r1", .status = "completed", .body = "x"}, kNow)),
            ErrorCode::already_exists);
  EXPECT_EQ(responses().get("me", "r1", kNow)->body, "{}");
  EXPECT_THAT(ids(responses().context_of_response("me", "r1", kNow)->items),
              ElementsAre("r1-in", "r1-out1", "r1-out2"));
}

TEST_P(ResponsesStored, AContextIsTheWholeChain) {
  save("r1");
  save("r2", "r1");
  save("r3", "r2");
  EXPECT_THAT(ids(responses().context_of_response("me", "r3", kNow)->items),
              ElementsAre("r1-in", "r1-out1", "r1-out2", "r2-in", "r2-out1", "r2-out2", "r3-in", "r3-out1", "r3-out2"));
  // Deleting is deleting: what built on it cannot go on.
  ASSERT_TRUE(responses().remove("me", "r1", kNow));
  EXPECT_EQ(responses().context_of_response("me", "r3", kNow)->missing, "r1");
  EXPECT_EQ(code(responses().context_of_response("me", "r1", kNow)), ErrorCode::not_found);
  EXPECT_TRUE(responses().get("me", "r3", kNow));
  EXPECT_EQ(code(responses().find_item("me", "r1-in", kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().remove("me", "r1", kNow)), ErrorCode::not_found);
}

TEST_P(ResponsesStored, ARingOfIdsEnds) {
  ASSERT_TRUE(responses().save("me", {.id = "a", .previous_id = "b", .status = "completed"}, kNow));
  ASSERT_TRUE(responses().save("me", {.id = "b", .previous_id = "a", .status = "completed"}, kNow));
  EXPECT_EQ(code(responses().context_of_response("me", "a", kNow)), ErrorCode::too_large);
}

TEST_P(ResponsesStored, PagesOfInputItems) {
  ASSERT_TRUE(responses().save(
      "me", {.id = "r", .status = "completed", .input = items({"1", "2", "3", "4", "5"}), .output = items({"o"})},
      kNow));
  const auto page = [this](const PageQuery& query) { return *responses().input_items("me", "r", query, kNow); };
  EXPECT_THAT(ids(page({}).items), ElementsAre("5", "4", "3", "2", "1"));
  EXPECT_FALSE(page({}).has_more);
  EXPECT_THAT(ids(page({.limit = 2}).items), ElementsAre("5", "4"));
  EXPECT_TRUE(page({.limit = 2}).has_more);
  EXPECT_THAT(ids(page({.after = "4", .limit = 2}).items), ElementsAre("3", "2"));
  EXPECT_THAT(ids(page({.after = "2", .limit = 9, .ascending = true}).items), ElementsAre("3", "4", "5"));
  EXPECT_THAT(ids(page({.before = "3", .ascending = true}).items), ElementsAre("1", "2"));
  EXPECT_THAT(ids(page({.after = "1"}).items), IsEmpty());
  EXPECT_FALSE(page({.limit = 5}).has_more);
  EXPECT_EQ(code(responses().input_items("me", "r", {.after = "o"}, kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().input_items("me", "none", {}, kNow)), ErrorCode::not_found);
}

TEST_P(ResponsesStored, ConversationsTakeWhatResponsesBring) {
  ASSERT_TRUE(responses().create_conversation("me", {.id = "c", .created_at = kNow, .metadata = "{}"}, items({"i"})));
  save("r1", {}, "c");
  save("r2", {}, "c");
  EXPECT_THAT(ids(*responses().context_of_conversation("me", "c", kNow)),
              ElementsAre("i", "r1-in", "r1-out1", "r1-out2", "r2-in", "r2-out1", "r2-out2"));
  // To go on from the first one is to know what it knew.
  EXPECT_THAT(ids(responses().context_of_response("me", "r1", kNow)->items),
              ElementsAre("i", "r1-in", "r1-out1", "r1-out2"));
  EXPECT_EQ(responses().conversation_item("me", "c", "r1-in", kNow)->json, R"({"id":"r1-in"})");
  ASSERT_TRUE(responses().remove_item("me", "c", "r1-in", kNow));
  EXPECT_EQ(code(responses().conversation_item("me", "c", "r1-in", kNow)), ErrorCode::not_found);
  EXPECT_EQ(code(responses().remove_item("me", "c", "r1-in", kNow)), ErrorCode::not_found);
  ASSERT_TRUE(responses().add_items("me", "c", items({"n"}), kNow));
  EXPECT_THAT(ids(responses().conversation_items("me", "c", {.limit = 2}, kNow)->items), ElementsAre("n", "r2-out2"));
  ASSERT_TRUE(responses().update_conversation("me", "c", R"({"a":"b"})", kNow));
  EXPECT_EQ(responses().conversation("me", "c", kNow)->metadata, R"({"a":"b"})");
  EXPECT_EQ(code(responses().conversation("you", "c", kNow)), ErrorCode::not_found);
  ASSERT_TRUE(responses().remove_conversation("me", "c", kNow));
  EXPECT_EQ(code(responses().context_of_conversation("me", "c", kNow)), ErrorCode::not_found);
}

// Its answer has been paid for.
TEST_P(ResponsesStored, AResponseOutlivesItsConversation) {
  ASSERT_TRUE(responses().create_conversation("me", {.id = "c", .created_at = kNow}, {}));
  ASSERT_TRUE(
      responses().save("me", {.id = "b", .conversation_id = "c", .status = "queued", .background = true}, kNow));
  ASSERT_TRUE(responses().remove_conversation("me", "c", kNow));
  ASSERT_TRUE(responses().complete(
      "me", {.id = "b", .conversation_id = "c", .status = "completed", .body = "x", .output = items({"o"})}, kNow));
  EXPECT_EQ(responses().get("me", "b", kNow)->body, "x");
  save("r", {}, "c");
  for (const char* const id : {"b", "r"}) {
    EXPECT_EQ(responses().context_of_response("me", id, kNow)->missing, "c");
  }
}

TEST_P(ResponsesStored, WhatIsNotUsedIsForgotten) {
  open({.retention_seconds = 1000});
  save("old");
  save("base");
  save("next", "base", {}, kNow + 900);
  EXPECT_EQ(code(responses().get("me", "old", kNow + 1000)), ErrorCode::not_found);
  EXPECT_TRUE(responses().context_of_response("me", "next", kNow + 1800));
  ASSERT_TRUE(responses().sweep(kNow + 1000).has_value());
  // Gone for good, not only hidden.
  EXPECT_EQ(code(responses().get("me", "old", kNow)), ErrorCode::not_found);
  EXPECT_TRUE(responses().get("me", "base", kNow + 1000));
}

TEST_P(ResponsesStored, MakersOfWhatProvidersKeep) {
  open({.makers = 3});
  const auto maker = [](int64_t id, int64_t owner) { return Maker{.id = {-1, id}, .owner = {INT64_MIN, owner}}; };
  const std::vector<Maker> first{maker(1, 10), maker(2, 20), maker(2, 30)};
  ASSERT_TRUE(responses().note_makers(first));
  ASSERT_TRUE(responses().note_makers(std::vector<Maker>{maker(1, 40)}));
  open({.makers = 3});
  EXPECT_EQ(*responses().maker_of({-1, 1}), (Maker::Mark{INT64_MIN, 10}));
  EXPECT_EQ(*responses().maker_of({-1, 2}), (Maker::Mark{INT64_MIN, 20}));
  EXPECT_EQ(code(responses().maker_of({-2, 1})), ErrorCode::not_found);
  // The oldest go.
  ASSERT_TRUE(responses().note_makers(std::vector<Maker>{maker(3, 1), maker(4, 1), maker(5, 1)}));
  EXPECT_TRUE(responses().sweep(kNow));
  EXPECT_EQ(code(responses().maker_of({-1, 1})), ErrorCode::not_found);
  EXPECT_TRUE(responses().maker_of({-1, 5}));
}

TEST_P(ResponsesStored, LimitsHold) {
  open({.responses_per_owner = 2,
        .conversations_per_owner = 1,
        .items_per_conversation = 2,
        .context_bytes = 40,
        .record_bytes = 60});
  save("r1");
  save("r2");
  save("r3");
  EXPECT_EQ(code(responses().get("me", "r1", kNow)), ErrorCode::not_found);
  EXPECT_TRUE(responses().get("me", "r3", kNow));
  EXPECT_EQ(code(responses().context_of_response("me", "r3", kNow)), ErrorCode::too_large);
  EXPECT_EQ(code(responses().save("me", {.id = "big", .body = std::string(61, 'x')}, kNow)), ErrorCode::too_large);
  ASSERT_TRUE(responses().create_conversation("me", {.id = "c", .created_at = kNow}, items({"1", "2"})));
  EXPECT_EQ(code(responses().add_items("me", "c", items({"3"}), kNow)), ErrorCode::too_large);
  EXPECT_EQ(code(responses().create_conversation("me", {.id = "d", .created_at = kNow}, {})), ErrorCode::exhausted);
  EXPECT_TRUE(responses().create_conversation("you", {.id = "d", .created_at = kNow}, {}));
}

TEST_P(ResponsesStored, OnlyBackgroundResponsesAreCancelled) {
  save("r1");
  EXPECT_EQ(code(responses().cancel("me", "r1", kNow)), ErrorCode::invalid_argument);
  EXPECT_EQ(code(responses().cancel("me", "none", kNow)), ErrorCode::not_found);
  ASSERT_TRUE(responses().save("me", {.id = "b", .status = "in_progress", .background = true, .body = "{}"}, kNow));
  EXPECT_EQ(responses().cancel("me", "b", kNow)->status, "cancelled");
  EXPECT_EQ(responses().get("me", "b", kNow)->status, "cancelled");
  // What comes too late is not taken.
  EXPECT_EQ(code(responses().complete("me", {.id = "b", .status = "completed", .output = items({"o"})}, kNow)),
            ErrorCode::already_exists);
  ASSERT_TRUE(responses().save("me", {.id = "d", .status = "queued", .background = true, .input = items({"i"})}, kNow));
  ASSERT_TRUE(
      responses().complete("me", {.id = "d", .status = "completed", .body = "x", .output = items({"o"})}, kNow));
  EXPECT_EQ(responses().cancel("me", "d", kNow)->status, "completed");
  EXPECT_THAT(ids(responses().context_of_response("me", "d", kNow)->items), ElementsAre("i", "o"));
}

TEST_P(ResponsesStored, WhatNobodyIsHeardToMakeIsLost) {
  constexpr int64_t kSilence = Responses::kSilenceMax;
  const auto save = [&](std::string id, std::string status) {
    ASSERT_TRUE(responses().save(
        "me", {.id = std::move(id), .status = std::move(status), .background = true, .body = "{}"}, kNow));
  };
  const auto lost = [&](std::string_view id, int64_t now) {
    const auto state = responses().get("me", id, now);
    EXPECT_EQ(responses().events("me", id, 0, now)->lost, state->lost);
    return state->lost;
  };
  save("going", "in_progress");
  save("queued", "queued");
  save("over", "completed");
  EXPECT_FALSE(lost("going", kNow));
  EXPECT_FALSE(lost("going", kNow + kSilence));
  EXPECT_TRUE(lost("going", kNow + kSilence + 1));
  EXPECT_TRUE(lost("queued", kNow + kSilence + 1));
  EXPECT_FALSE(lost("over", kNow + kSilence + 1));
  // A sign is for itself only, and only of its owner.
  EXPECT_EQ(code(responses().keep_alive("you", "going", kNow + kSilence)), ErrorCode::not_found);
  EXPECT_TRUE(lost("going", kNow + kSilence + 1));
  EXPECT_FALSE(responses().keep_alive("me", "going", kNow + kSilence)->lost);
  EXPECT_FALSE(lost("going", kNow + 2 * kSilence));
  EXPECT_TRUE(lost("queued", kNow + 2 * kSilence));
  EXPECT_TRUE(lost("going", kNow + 2 * kSilence + 1));
  EXPECT_EQ(responses().keep_alive("me", "over", kNow)->status, "completed");
  // Late is not too late.
  EXPECT_TRUE(responses().complete("me", {.id = "going", .status = "completed", .body = "x"}, kNow + 3 * kSilence));
  EXPECT_FALSE(lost("going", kNow + 3 * kSilence));
}

TEST_P(ResponsesStored, WhoCouldNotBeHeardIsListenedToFirst) {
  constexpr int64_t kBack = kNow + 10 * Responses::kSilenceMax;
  ASSERT_TRUE(responses().save("me", {.id = "r", .status = "in_progress", .background = true, .body = "{}"}, kNow));
  open({});
  EXPECT_FALSE(responses().get("me", "r", kBack)->lost);
  EXPECT_FALSE(responses().get("me", "r", kBack + Responses::kListenMin - 1)->lost);
  EXPECT_TRUE(responses().get("me", "r", kBack + Responses::kListenMin)->lost);
  open({});
  ASSERT_TRUE(responses().sweep(kBack));
  EXPECT_TRUE(responses().get("me", "r", kBack + Responses::kListenMin)->lost);
}

// A database of an earlier version has no word of who makes its responses, and gets a place for it.
TEST_P(ResponsesStored, AnEarlierVersionSaysNothingOfItself) {
  ASSERT_TRUE(responses().save("me", {.id = "r", .status = "in_progress", .background = true, .body = "{}"}, kNow));
  ASSERT_TRUE((*database_.open())->query("DROP TABLE response_heartbeats"));
  open({});
  const int64_t later = kNow + 10 * Responses::kSilenceMax;
  EXPECT_FALSE(responses().get("me", "r", later)->lost);
  EXPECT_FALSE(responses().get("me", "r", later + Responses::kListenMin)->lost);
  EXPECT_TRUE(responses().keep_alive("me", "r", later));
}

TEST_P(ResponsesStored, WhatWasKeptUnderANameIsClaimedByWhoHadItThen) {
  const auto keep = [&](std::string id, std::string body) {
    ASSERT_TRUE(responses().save("name", {.id = id, .status = "completed", .body = body}, kNow));
  };
  const std::string since = std::to_string(kNow);
  const std::string before = std::to_string(kNow - 1);
  keep("old", R"({"id":"old","created_at":)" + before + R"(,"input":"\"created_at\": )" + since + R"("})");
  keep("new", R"({"id":"new","input":"\"created_at\":1","created_at": )" + since + "}");
  keep("odd", "{}");
  ASSERT_TRUE(responses().create_conversation("name", {.id = "before", .created_at = kNow - 1, .metadata = "{}"}, {}));
  ASSERT_TRUE(responses().create_conversation("name", {.id = "after", .created_at = kNow, .metadata = "{}"}, {}));
  EXPECT_TRUE(*responses().claim("vkey_1", {.name = "name", .since = kNow}));
  EXPECT_FALSE(*responses().claim("vkey_1", {.name = "name", .since = kNow})) << "nothing is left";
  EXPECT_TRUE(responses().get("vkey_1", "new", kNow));
  EXPECT_TRUE(responses().conversation("vkey_1", "after", kNow));
  for (const std::string_view id : {"old", "odd"}) {
    EXPECT_EQ(code(responses().get("vkey_1", id, kNow)), ErrorCode::not_found) << "somebody else's of that name";
  }
  EXPECT_EQ(code(responses().conversation("vkey_1", "before", kNow)), ErrorCode::not_found);
  EXPECT_TRUE(*responses().claim("vkey_2", {.name = "name", .since = kNow - 1}));
  EXPECT_TRUE(responses().get("vkey_2", "old", kNow));
  EXPECT_TRUE(responses().conversation("vkey_2", "before", kNow));
}

// A process that is killed in the middle of its work leaves everything it committed and nothing half done.
TEST_P(ResponsesStored, SurvivesAKill) {
  responses_.reset();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto opened = Responses::open(std::move(*database_.open()), {});
    for (int i = 0; opened; ++i) {
      const std::string id = "r" + std::to_string(i);
      const auto saved =
          opened->save("me", {.id = id, .status = "completed", .body = "{}", .input = items({"a", "b"})}, kNow);
      if (!saved || ::write(pipe_ends[1], "x", 1) != 1) break;
    }
    ::_exit(1);
  }
  ::close(pipe_ends[1]);
  constexpr size_t kSavedMin = 50;
  size_t saved = 0;
  char byte = 0;
  while (saved < kSavedMin && ::read(pipe_ends[0], &byte, 1) == 1) ++saved;
  ::kill(child, SIGKILL);
  while (::read(pipe_ends[0], &byte, 1) == 1) ++saved;
  ::close(pipe_ends[0]);
  ::waitpid(child, nullptr, 0);
  ASSERT_GE(saved, kSavedMin);
  open({});
  size_t there = 0;
  while (responses().get("me", "r" + std::to_string(there), kNow)) {
    EXPECT_THAT(ids(responses().context_of_response("me", "r" + std::to_string(there), kNow)->items),
                ElementsAre("a", "b"));
    ++there;
  }
  // The last one may have been committed without its byte being read.
  EXPECT_GE(there, saved);
  EXPECT_LE(there, saved + 1);
}

TEST(Responses, RefusesAFileThatIsNone) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.path() + "/responses.db";
  ASSERT_TRUE(Responses::open(std::move(*open_sqlite(path)), {}));
  std::filesystem::resize_file(path, 100);
  const auto session = open_sqlite(path);
  EXPECT_TRUE(!session || !Responses::open(std::move(*open_sqlite(path)), {}));
}

}  // namespace
}  // namespace llmgw::store
