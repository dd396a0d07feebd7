#include "dialects/anthropic/betas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace llmgw::dialects::anthropic {
namespace {

using testing::ElementsAre;

TEST(Betas, OfTheHeader) {
  base::Arena arena;
  Betas betas;
  add_betas(" a, b ,,a,", arena, betas);
  EXPECT_THAT(std::vector<std::string_view>(betas.begin(), betas.end()), ElementsAre("a", "b"));
  EXPECT_EQ(betas_header(betas, arena), "a,b");
  EXPECT_EQ(betas_member(betas, arena), R"(["a","b"])");
}

TEST(Betas, OfAMember) {
  base::Arena arena;
  json::Parser parser;
  Betas betas;
  EXPECT_TRUE(add_betas(*json::parse_tree(parser, R"(["a","b","a",1])", arena), arena, betas));
  EXPECT_TRUE(add_betas(*json::parse_tree(parser, R"("b,c")", arena), arena, betas));
  EXPECT_FALSE(add_betas(*json::parse_tree(parser, R"({"d":true})", arena), arena, betas));
  EXPECT_EQ(betas_header(betas, arena), "a,b,c");
}

TEST(Betas, OnlyThoseOfTheHeadMayBeLeftOut) {
  base::Arena arena;
  Betas head;
  Betas body;
  add_betas("context-1m-2025-08-07,claude-code-20250219,context-management-2025-06-27,own-1", arena, head);
  add_betas("own-1,context-1m-2025-08-07,own-2", arena, body);
  const auto chosen = [&](const TakenBetas* taken) {
    const ChosenBetas betas = choose_betas(head, body, taken, arena);
    return std::string(betas_header(betas.taken, arena)) + " without " +
           std::string(betas_header(betas.refused, arena));
  };
  EXPECT_EQ(chosen(&kConverseBetas),
            "context-1m-2025-08-07,own-1,own-2 without claude-code-20250219,context-management-2025-06-27");
  EXPECT_EQ(chosen(&kInvokeBetas),
            "context-1m-2025-08-07,context-management-2025-06-27,own-1,own-2 without claude-code-20250219");
  EXPECT_EQ(chosen(nullptr),
            "context-1m-2025-08-07,claude-code-20250219,context-management-2025-06-27,own-1,own-2 without ");
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
