#include "accounting/batch_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llmgw::accounting {
namespace {

struct Told {
  std::string batch;
  std::string model;
  chat::Usage usage;
  uint64_t requests;
  std::string tier;
};

using Count = std::optional<uint64_t>;

chat::Usage used(Count input, Count cache_read, Count cache_write, Count output, Count reasoning = {}) {
  return {.input = input,
          .cache_read = cache_read,
          .cache_write = cache_write,
          .cache_write_1h = {},
          .output = output,
          .reasoning = reasoning};
}

struct Reading {
  std::vector<Told> told;
  bool unreadable;
};

Reading read(BatchReader::Answer answer, std::string_view text, size_t cut) {
  Reading reading;
  BatchReader reader(answer, [&](const BatchUse& use) {
    reading.told.push_back({std::string(use.batch), std::string(use.model), use.usage, use.requests,
                            use.details != nullptr ? std::string(use.details->tier()) : ""});
  });
  for (; !text.empty(); text.remove_prefix(std::min(cut, text.size()))) reader.feed(text.substr(0, cut));
  reader.finish();
  reading.unreadable = reader.unreadable();
  return reading;
}

std::string batch(std::string_view id, std::string_view status, std::string_view rest) {
  return R"({"id":")" + std::string(id) + R"(","object":"batch","status":")" + std::string(status) +
         R"(","metadata":{"usage":"none","status":"in_progress"},)" + std::string(rest) + "}";
}

constexpr std::string_view kUsage =
    R"("model":"gpt-5-2025-08-07","output_file_id":"file-1","request_counts":{"total":3,"completed":2,"failed":1},)"
    R"("usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":200},"output_tokens":500,)"
    R"("output_tokens_details":{"reasoning_tokens":300},"total_tokens":1500})";

TEST(BatchReader, AFinishedBatchTellsItsSumInWhateverCuts) {
  const std::string text = batch("batch_1", "completed", kUsage);
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    const auto [told, unreadable] = read(BatchReader::Answer::objects, text, cut);
    ASSERT_EQ(told.size(), 1u);
    EXPECT_FALSE(unreadable);
    EXPECT_EQ(told[0].batch, "batch_1");
    EXPECT_EQ(told[0].model, "gpt-5-2025-08-07");
    EXPECT_EQ(told[0].requests, 2u);
    EXPECT_EQ(told[0].usage, used(800, 200, {}, 500, 300));
  }
}

TEST(BatchReader, OfAListThoseThatHaveEnded) {
  const std::string usage(kUsage);
  const std::string text = R"({"object":"list","data":[)" + batch("batch_a", "in_progress", usage) + "," +
                           batch("batch_b", "expired", usage) + "," + batch("batch_c", "cancelled", usage) + "," +
                           batch("batch_d", "cancelling", usage) + R"(],"has_more":false})";
  const auto [told, unreadable] = read(BatchReader::Answer::objects, text, 64);
  EXPECT_FALSE(unreadable);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].batch, "batch_b");
  EXPECT_EQ(told[1].batch, "batch_c");
}

TEST(BatchReader, ABatchHasItsIdBeforeItIsFinished) {
  const auto id_of = [](std::string_view text) {
    BatchReader reader(BatchReader::Answer::objects, [](const BatchUse&) { ADD_FAILURE(); });
    reader.feed(text);
    reader.finish();
    return reader.id();
  };
  EXPECT_EQ(id_of(batch("batch_1", "validating", R"("model":"m")")), "batch_1");
  EXPECT_EQ(id_of(R"({"id":"msgbatch_1","type":"message_batch","processing_status":"in_progress"})"), "msgbatch_1");
  EXPECT_EQ(id_of(R"({"object":"list","data":[{"id":"batch_1","status":"validating"}]})"), "");
}

TEST(BatchReader, AnsweredAndNoWordOfWhatItUsed) {
  for (const std::string usage :
       {R"("usage":null)", R"("usage":{"input_tokens":0,"output_tokens":0,"total_tokens":0})", R"("x":1)"}) {
    const auto some = read(BatchReader::Answer::objects,
                           batch("b", "completed", R"("request_counts":{"completed":4},)" + usage), 1000);
    ASSERT_EQ(some.told.size(), 1u) << usage;
    EXPECT_FALSE(some.told[0].usage.known());
    const auto none =
        read(BatchReader::Answer::objects,
             batch("b", "failed", R"("output_file_id":null,"request_counts":{"completed":0},)" + usage), 1000);
    EXPECT_TRUE(none.told.empty()) << "nothing was answered, so nothing is charged: " << usage;
  }
}

std::string result(std::string_view model, std::string_view usage) {
  return R"({"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","model":")" +
         std::string(model) + R"(","content":[{"type":"text","text":"a \"usage\" \n {"}],"usage":)" +
         std::string(usage) + "}}}";
}

TEST(BatchReader, EveryResultHasItsOwnModel) {
  const std::string text =
      result("claude-opus-4-5", R"({"input_tokens":10,"output_tokens":5,"service_tier":"batch"})") + "\n" +
      R"({"custom_id":"b","result":{"type":"errored","error":{"type":"invalid_request_error"}}})" + "\n" +
      R"({"custom_id":"c","result":{"type":"expired"}})" + "\r\n\n" +
      result("claude-haiku-4-5", R"({"input_tokens":7,"cache_read_input_tokens":3,"output_tokens":2,)"
                                 R"("cache_creation_input_tokens":4,"inference_geo":"us"})");
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    const auto [told, unreadable] = read(BatchReader::Answer::results, text, cut);
    EXPECT_FALSE(unreadable);
    ASSERT_EQ(told.size(), 2u) << cut;
    EXPECT_EQ(told[0].model, "claude-opus-4-5");
    EXPECT_EQ(told[0].usage, used(10, {}, {}, 5));
    EXPECT_EQ(told[0].tier, "batch");
    EXPECT_EQ(told[1].model, "claude-haiku-4-5");
    EXPECT_EQ(told[1].usage, used(7, 3, 4, 2));
    EXPECT_EQ(told[1].tier, "regional");
  }
}

TEST(BatchReader, WhatIsNoJsonIsToldAndTheRestRead) {
  const std::string text = result("m", R"({"input_tokens":10,"output_tokens":5})") + "\n{\"result\":\n" +
                           result("m", R"({"input_tokens":1,"output_tokens":1})") + "\n";
  const auto [told, unreadable] = read(BatchReader::Answer::results, text, 10);
  EXPECT_EQ(told.size(), 2u);
  EXPECT_TRUE(unreadable);
  const std::string line = std::string(BatchReader::kDocumentBytesMax + 1, 'x') + "\n" +
                           result("m", R"({"input_tokens":10,"output_tokens":5})");
  const auto after = read(BatchReader::Answer::results, line, 1 << 20);
  EXPECT_EQ(after.told.size(), 1u);
  EXPECT_TRUE(after.unreadable);
}

}  // namespace
}  // namespace llmgw::accounting
