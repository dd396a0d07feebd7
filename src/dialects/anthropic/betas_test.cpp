#include "dialects/anthropic/betas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST(Betas, WhatConverseTakes) {
  EXPECT_TRUE(is_taken_by_converse("context-1m-2025-08-07"));
  EXPECT_TRUE(is_taken_by_converse("computer-use-2025-11-24"));
  EXPECT_FALSE(is_taken_by_converse("claude-code-20250219"));
  EXPECT_FALSE(is_taken_by_converse("context-management-2025-06-27"));
}

}  // namespace
}  // namespace llmgw::dialects::anthropic
