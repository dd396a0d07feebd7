#include "gateway/demand.h"

#include <gtest/gtest.h>

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

TEST(Demand, NothingIsReadBeyondTheEnd) {
  for (size_t size : {0, 1, 2047, 2048, 2049}) {
    const std::string body = std::string(size, '"');
    EXPECT_EQ(estimate_prompt_tokens(body), size / 4);
    EXPECT_LE(estimate_prompt_tokens(std::string(size, 'A')), 1000u);
  }
}

}  // namespace
}  // namespace llmgw::gateway
