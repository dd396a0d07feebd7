// The estimate of prompt tokens beside what Google reported, where the machine has recorded traffic.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "chat/token_estimate.h"
#include "dialects/codec_test_support.h"
#include "dialects/gemini/codec.h"

namespace llmgw::dialects::gemini {
namespace {

using namespace testing_support;

// What Google counted beside the prompt's text: nothing here can be estimated from the request.
bool is_plain(const chat::Request& request) {
  for (const chat::Extra& extra : request.extras)
    if (extra.name == "cachedContent") return false;
  for (const chat::Tool& tool : request.tools)
    if (tool.kind == chat::ToolKind::opaque) return false;
  for (const chat::Message& message : request.messages) {
    for (const chat::Part& part : message.parts) {
      const bool plain = part.kind == chat::PartKind::text || part.kind == chat::PartKind::tool_call ||
                         part.kind == chat::PartKind::tool_result;
      if (!plain) return false;
    }
  }
  return true;
}

TEST(GeminiEstimate, RecordedPrompts) {
  std::vector<double> errors;
  for (const Case& one : recorded_cases("gemini")) {
    if (one.status != 200 || one.request.empty() || one.provenance != "recorded") continue;
    json::Parser parser;
    base::Arena arena;
    const auto root = json::parse_tree(parser, one.expected, arena);
    const json::Value usage = root ? (*root)["usage"] : json::Value();
    const uint64_t total = usage["input_total"].unsigned_integer().value_or(0);
    const uint64_t reported = total - usage["tool_use_prompt"].unsigned_integer().value_or(0);
    World world(codec());
    constexpr uint64_t kFewest = 6;  // of fewer, one token is more than a tenth
    if (reported < kFewest || !world.read_request(one.request) || !is_plain(world.request)) continue;
    const bool vertex = one.id.starts_with("vertex/");
    const uint64_t estimate = chat::estimate_tokens(world.request, chat::TokenFamily::gemini,
                                                    vertex ? chat::Dialect::vertex : chat::Dialect::gemini);
    const auto difference = static_cast<double>(estimate) - static_cast<double>(reported);
    errors.push_back(std::abs(difference) / static_cast<double>(reported));
  }
  if (errors.empty()) GTEST_SKIP() << "no recorded traffic: set LLMGW_CASES";
  std::ranges::sort(errors);
  const size_t within = static_cast<size_t>(std::ranges::count_if(errors, [](double e) { return e <= 0.1; }));
  const double median = errors[errors.size() / 2];
  std::cout << errors.size() << " prompts: median error " << median << ", 75 % below " << errors[errors.size() * 3 / 4]
            << ", " << within * 100 / errors.size() << " % within a tenth\n";
  EXPECT_LT(median, 0.1);
  EXPECT_LT(errors[errors.size() * 3 / 4], 0.3);
}

}  // namespace
}  // namespace llmgw::dialects::gemini
