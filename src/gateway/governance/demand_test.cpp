#include "gateway/governance/demand.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace llmgw::gateway {
namespace {

TEST(Demand, TextByItsLengthAndMediaByThePiece) {
  EXPECT_EQ(estimate_prompt_tokens(""), 0u);
  const std::string prose = R"({"model":"m","messages":[{"role":"user","content":")" + [] {
    std::string text;
    for (int i = 0; i < 400; ++i) text += "word and ";
    return text;
  }() + R"("}]})";
  EXPECT_EQ(estimate_prompt_tokens(prose), prose.size() / 4);
  const std::string image(1 << 20, 'A');
  const std::string with_image = R"({"url":"data:image/png;base64,)" + image + R"(","text":"what is this?"})";
  EXPECT_NEAR(static_cast<double>(estimate_prompt_tokens(with_image)), kMediaTokens, 20);
  EXPECT_NEAR(static_cast<double>(estimate_prompt_tokens("[\"" + image + "\",\"" + image + "\"]")), 2 * kMediaTokens,
              20);
}

TEST(Demand, AnswersToPromptsAreBounded) {
  EXPECT_EQ(tokens_of_answers(10, 1, 1), 10u);
  EXPECT_EQ(tokens_of_answers(10, 50, 20), 10'000u);
  EXPECT_EQ(tokens_of_answers(0, UINT64_MAX, UINT64_MAX), 0u);
  EXPECT_EQ(tokens_of_answers(UINT64_MAX, 1, 1), kDemandTokensMax);
  EXPECT_EQ(tokens_of_answers(1, UINT64_MAX, UINT64_MAX), kDemandTokensMax);
  EXPECT_EQ(tokens_of_answers(uint64_t{1} << 40, uint64_t{1} << 40, 1), kDemandTokensMax);
}

TEST(Demand, NothingIsReadBeyondTheEnd) {
  for (size_t size : {0, 1, 2047, 2048, 2049}) {
    const std::string body = std::string(size, '"');
    EXPECT_EQ(estimate_prompt_tokens(body), size / 4);
    EXPECT_LE(estimate_prompt_tokens(std::string(size, 'A')), 1000u);
  }
}

// As a plain walk from mark to mark has it.
TEST(Demand, TextsAreToldFromMediaWhereverTheMarksStand) {
  std::minstd_rand random(7);
  for (int round = 0; round < 300; ++round) {
    std::string body;
    uint64_t media = 0;
    uint64_t text_bytes = 0;
    for (size_t pieces = random() % 6; pieces > 0; --pieces) {
      const bool spaced = random() % 2 == 0;
      const size_t size = random() % 5000;
      body += std::string(size, 'A');
      if (spaced && size > 0) body[body.size() - size] = ' ';
      const bool counts = !spaced && size >= 2048;
      media += counts ? 1 : 0;
      text_bytes += (counts ? 0 : size) + 1;
      body += '"';
    }
    const size_t tail = random() % 5000;
    body.append(tail, 'B');
    EXPECT_EQ(estimate_prompt_tokens(body), (text_bytes + tail) / 4 + media * kMediaTokens);
  }
}

}  // namespace
}  // namespace llmgw::gateway
