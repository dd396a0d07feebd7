#include "store/spool/responses_spool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/temporary_directory.h"
#include "store/spool/spooled_save.h"

namespace llmgw::store {
namespace {

class ResponsesSpoolTest : public testing::Test {
 protected:
  std::string only_file() const {
    const auto files = spool_files(folder());
    return files.size() == 1 ? files.front() : std::string();
  }
  std::string folder() const { return directory_.path() + "/responses"; }

  base::TemporaryDirectory directory_;
};

std::vector<std::string> drain(ResponsesSpool& spool) {
  std::vector<std::string> all;
  while (auto text = spool.front()) {
    all.push_back(std::move(*text));
    spool.pop();
  }
  return all;
}

TEST_F(ResponsesSpoolTest, OldestFirstAndNothingLeftBehind) {
  {
    ResponsesSpool spool(folder());
    EXPECT_EQ(spool.front().error().code, base::ErrorCode::not_found);
    EXPECT_TRUE(spool_files(folder()).empty()) << "no file before there is something";
    for (const std::string text : {"one", "two", "three"}) ASSERT_TRUE(spool.append(text));
    EXPECT_EQ(*spool.front(), "one");
    spool.pop();
    ASSERT_TRUE(spool.append("four"));
    EXPECT_EQ(drain(spool), (std::vector<std::string>{"two", "three", "four"}));
    EXPECT_TRUE(spool.empty());
    EXPECT_EQ(std::filesystem::file_size(only_file()), ResponsesSpool::kHeadBytes) << "what is done takes no room";
    ASSERT_TRUE(spool.append("five"));
    spool.sync();
    EXPECT_EQ(drain(spool), std::vector<std::string>{"five"});
  }
  EXPECT_TRUE(spool_files(folder()).empty());
}

TEST_F(ResponsesSpoolTest, WhatAProcessLeftIsTakenOverFromWhereItWas) {
  {
    ResponsesSpool spool(folder());
    for (const std::string text : {"one", "two", "three"}) ASSERT_TRUE(spool.append(text));
    spool.pop();
    EXPECT_EQ(ResponsesSpool::adopt(only_file()).error().code, base::ErrorCode::already_exists) << "it lives";
  }
  const std::string path = only_file();
  {
    auto left = ResponsesSpool::adopt(path);
    ASSERT_TRUE(left);
    EXPECT_EQ(*left->front(), "two");
    left->pop();
  }
  {
    auto left = ResponsesSpool::adopt(path);
    ASSERT_TRUE(left);
    EXPECT_EQ(drain(*left), std::vector<std::string>{"three"});
  }
  EXPECT_EQ(ResponsesSpool::adopt(path).error().code, base::ErrorCode::not_found);
}

TEST_F(ResponsesSpoolTest, ATornEndIsTheEnd) {
  {
    ResponsesSpool spool(folder());
    for (const std::string text : {"one", "two"}) ASSERT_TRUE(spool.append(text));
  }
  const std::string path = only_file();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  {
    auto left = ResponsesSpool::adopt(path);
    ASSERT_TRUE(left);
    EXPECT_EQ(drain(*left), std::vector<std::string>{"one"});
  }
  std::ofstream(folder() + "/0-1.spool") << "something else that is long enough";
  EXPECT_EQ(ResponsesSpool::adopt(folder() + "/0-1.spool").error().code, base::ErrorCode::protocol);
  EXPECT_TRUE(std::filesystem::exists(folder() + "/0-1.spool")) << "what is not ours is left alone";
  std::ofstream(folder() + "/0-2.spool") << "LLMGW";
  EXPECT_EQ(ResponsesSpool::adopt(folder() + "/0-2.spool").error().code, base::ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(folder() + "/0-2.spool")) << "its process died before there was anything";
}

// A disk without room: what does not fit is refused whole, and what was there before stays.
TEST_F(ResponsesSpoolTest, AFullDisk) {
  ResponsesSpool spool(folder());
  ASSERT_TRUE(spool.append("one"));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto refused = spool.append(std::string(8192, 'x'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(refused);
  ASSERT_TRUE(spool.append("two"));
  EXPECT_EQ(drain(spool), (std::vector<std::string>{"one", "two"}));
}

TEST(SpooledSave, ComesBackAsItWentAndNoPartOfIt) {
  const SpooledSave save{.kind = SpooledSave::Kind::complete,
                         .owner = "me",
                         .now = 4'000'000'000,
                         .record = {.id = "r",
                                    .previous_id = "p",
                                    .conversation_id = "c",
                                    .status = "completed",
                                    .background = true,
                                    .body = "{\"a\":\"1:2\"}",
                                    .input = {{"i1", "{}"}, {"i2", ""}},
                                    .output = {{"o", "{\"b\":1}"}},
                                    .first_event = 7,
                                    .events = "data: x\n\n"}};
  const std::string text = write_spooled(save);
  const auto read = parse_spooled(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(write_spooled(*read), text);
  EXPECT_EQ(read->kind, save.kind);
  EXPECT_EQ(read->record.input.at(0).id, "i1");
  EXPECT_EQ(read->record.events, save.record.events);
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_spooled(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_spooled(text + "1:x"));
}

}  // namespace
}  // namespace llmgw::store
