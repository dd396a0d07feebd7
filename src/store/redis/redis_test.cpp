#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "store/redis/redis_url.h"
#include "store/redis/resp.h"

namespace llmgw::store {
namespace {

using Kind = RespValue::Kind;

TEST(Resp, CommandsAreArraysOfTexts) {
  std::string text;
  append_command(text, std::array<std::string_view, 3>{"SET", "a\r\nb", ""});
  EXPECT_EQ(text, "*3\r\n$3\r\nSET\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
}

TEST(Resp, AnswersWhateverTheirCuts) {
  const std::string bytes =
      "+OK\r\n-ERR no\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n*-1\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n*0\r\n";
  for (size_t cut = 1; cut <= bytes.size(); ++cut) {
    RespReader reader;
    std::vector<RespValue> answers;
    for (size_t at = 0; at < bytes.size(); at += cut) {
      reader.feed(std::string_view(bytes).substr(at, cut));
      while (true) {
        auto answer = reader.next();
        ASSERT_TRUE(answer);
        if (!*answer) break;
        answers.push_back(std::move(**answer));
      }
    }
    ASSERT_EQ(answers.size(), 8u) << cut;
    EXPECT_EQ(answers[0].text, "OK");
    EXPECT_TRUE(answers[1].is_error());
    EXPECT_EQ(answers[2].integer, -42);
    EXPECT_EQ(answers[3].text, "a\r\nbc");
    EXPECT_EQ(answers[4].kind, Kind::null);
    EXPECT_EQ(answers[5].kind, Kind::null);
    EXPECT_EQ(answers[6].items.at(0).items.at(0).integer, 1);
    EXPECT_EQ(answers[7].items.size(), 0u);
  }
}

TEST(Resp, NonsenseIsRefused) {
  for (const char* bytes : {"hello\r\n", "\r\n", ":x\r\n", "$-2\r\n", "$2\r\nabc\r\n", "*1\r\n?1\r\n",
                            "$9999999999\r\n", "*99999\r\n", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"}) {
    RespReader reader;
    reader.feed(bytes);
    EXPECT_FALSE(reader.next()) << bytes;
  }
}

TEST(RedisUrl, EveryForm) {
  const auto all = parse_redis_url("rediss://me:p%40ss@redis.internal:6380/3");
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->tls);
  EXPECT_EQ(all->host, "redis.internal");
  EXPECT_EQ(all->port, 6380);
  EXPECT_EQ(all->database, 3u);
  EXPECT_EQ(all->user, "me");
  EXPECT_EQ(all->password.reveal(), "p@ss");
  EXPECT_EQ(parse_redis_url("redis://[::1]:7000")->host, "::1");
  EXPECT_EQ(parse_redis_url("redis://h")->port, 6379);
  EXPECT_EQ(parse_redis_url("redis://:secret@h/")->password.reveal(), "secret");
  EXPECT_EQ(parse_redis_url("unix:/run/redis.sock")->unix_path, "/run/redis.sock");
  for (const char* bad : {"", "h:6379", "http://h", "redis://", "redis://h:0", "redis://h:x", "redis://h/x",
                          "redis://[::1", "redis://%zz:p@h"}) {
    EXPECT_FALSE(parse_redis_url(bad)) << bad;
  }
}

}  // namespace
}  // namespace llmgw::store
