#include "routing/model_table.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <utility>

#include "base/rng.h"
#include "routing/pattern.h"

namespace llmgw::routing {
namespace {

// The definition, written the slow way.
bool reference_match(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] != '*')
    return !name.empty() && pattern[0] == name[0] && reference_match(pattern.substr(1), name.substr(1));
  for (size_t i = 0; i <= name.size(); ++i) {
    if (reference_match(pattern.substr(1), name.substr(i))) return true;
  }
  return false;
}

TEST(Pattern, Matches) {
  struct Case {
    std::string_view pattern, name;
    bool match;
  };
  const Case cases[] = {
      {"gpt-4", "gpt-4", true},
      {"gpt-4", "gpt-4o", false},
      {"gpt-*", "gpt-", true},
      {"gpt-*", "gpt-4o", true},
      {"gpt-*", "xgpt-4", false},
      {"*-mini", "o3-mini", true},
      {"*-mini", "-mini", true},
      {"*-mini", "o3-mini2", false},
      {"*", "", true},
      {"*", "anything/at:all", true},
      {"a*b*c", "abc", true},
      {"a*b*c", "axbxbxc", true},
      {"a*b*c", "acb", false},
      {"", "", true},
      {"", "a", false},
      {"**", "x", true},
      {"a**c", "abc", true},
      {"*a*", "bab", true},
      {"*a*", "bbb", false},
      {"?", "a", false},
      {"GPT-4", "gpt-4", false},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
  };
  for (const auto& c : cases) EXPECT_EQ(matches(c.pattern, c.name), c.match) << c.pattern << " " << c.name;
}

TEST(Pattern, AgreesWithTheDefinition) {
  base::Rng rng(11);
  const auto random_text = [&rng](std::string_view alphabet, size_t max) {
    std::string text;
    for (uint64_t n = rng.below(max); n > 0; --n) text += alphabet[rng.below(alphabet.size())];
    return text;
  };
  size_t matched = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string pattern = random_text("ab*", 8);
    const std::string name = random_text("ab", 8);
    ASSERT_EQ(matches(pattern, name), reference_match(pattern, name)) << pattern << " " << name;
    matched += matches(pattern, name) ? 1 : 0;
  }
  EXPECT_GT(matched, 1000U);
}

TEST(Pattern, Overlaps) {
  struct Pair {
    std::string_view a, b;
    bool overlap;
  };
  constexpr Pair kPairs[] = {
      {"gpt-*", "gpt-4*", true},    {"gpt-*", "gpt-4o", true},  {"gpt-4o", "gpt-4o", true}, {"*", "", true},
      {"*-mini", "gpt-*", true},    {"a*c", "*b*", true},       {"*a", "a*", true},         {"**", "x", true},
      {"gpt-*", "claude-*", false}, {"*-mini", "*-max", false}, {"gpt-4o", "gpt-4", false}, {"a*b", "a*c", false},
      {"gpt-4*", "gpt-", false},    {"", "a*", false},
  };
  for (const Pair& pair : kPairs) {
    EXPECT_EQ(overlap(pair.a, pair.b), pair.overlap) << pair.a << " " << pair.b;
    EXPECT_EQ(overlap(pair.b, pair.a), pair.overlap) << pair.b << " " << pair.a;
  }
}

TEST(Pattern, HostilePatternsStayCheap) {
  std::string pattern;
  for (int i = 0; i < 170; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", std::string(512, 'a')));
}

TEST(Pattern, Allowed) {
  const std::string_view patterns[] = {"gpt-4", "claude-*"};
  EXPECT_TRUE(allowed(patterns, "gpt-4"));
  EXPECT_TRUE(allowed(patterns, "claude-3"));
  EXPECT_FALSE(allowed(patterns, "gpt-4o"));
  EXPECT_FALSE(allowed({}, "gpt-4"));
}

ModelTable table_of(std::initializer_list<ModelEntry> entries) {
  auto table = ModelTable::build({entries.begin(), entries.size()});
  EXPECT_TRUE(table);
  return std::move(*table);
}

std::vector<uint32_t> ids(const std::optional<Group>& group) {
  std::vector<uint32_t> result;
  if (group) {
    for (const auto& target : group->targets) result.push_back(target.id);
  }
  return result;
}

TEST(ModelTable, PrecedenceIsExactThenPrefixThenLiterals) {
  const ModelTable table = table_of({{"*", "", 1},
                                     {"gpt-*", "", 2},
                                     {"gpt-4*", "", 3},
                                     {"gpt-4o", "", 4},
                                     {"*-mini", "", 5},
                                     {"gpt-4*-mini", "", 6},
                                     {"gpt-4*o*", "", 7},
                                     {"*-embedding-mini", "", 8}});
  const std::pair<std::string_view, uint32_t> cases[] = {
      {"gpt-4o", 4},     {"gpt-4", 3},   {"gpt-4o-mini", 6},         {"gpt-4xo", 7}, {"gpt-5", 2},
      {"gpt-5-mini", 2}, {"o3-mini", 5}, {"text-embedding-mini", 8}, {"claude", 1},  {"", 1},
  };
  for (const auto& [name, id] : cases) EXPECT_EQ(ids(table.lookup(name)), std::vector<uint32_t>{id}) << name;
}

TEST(ModelTable, SameNameMakesAGroupInOrder) {
  const ModelTable table = table_of({{"m", "vllm", 3}, {"n", "", 9}, {"m", "sglang", 1}, {"m", "vllm", 2}});
  EXPECT_EQ(ids(table.lookup("m")), (std::vector<uint32_t>{3, 1, 2}));
  EXPECT_EQ(table.groups().size(), 2U);
  EXPECT_EQ(table.groups()[0].name, "m");
  EXPECT_EQ(table.groups()[1].name, "n");
  EXPECT_EQ(table.exact_count(), 2U);
}

TEST(ModelTable, OwnedByPassesOverGroupsWithoutThatOwner) {
  const ModelTable table =
      table_of({{"llama", "vllm", 1}, {"llama", "sglang", 2}, {"llama*", "cloud", 3}, {"*", "vllm", 4}});
  EXPECT_EQ(ids(table.lookup("llama")), (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(ids(table.lookup("llama", "sglang")), (std::vector<uint32_t>{1, 2}));
  EXPECT_EQ(ids(table.lookup("llama", "cloud")), std::vector<uint32_t>{3});
  EXPECT_EQ(ids(table.lookup("other", "vllm")), std::vector<uint32_t>{4});
  EXPECT_FALSE(table.lookup("llama", "nobody"));
}

TEST(ModelTable, EmptyAndBrokenInput) {
  const ModelTable empty;
  EXPECT_FALSE(empty.lookup("m"));
  const ModelTable none = table_of({});
  EXPECT_FALSE(none.lookup(""));
  EXPECT_TRUE(none.suggest("m", 3, {}).empty());
  const ModelEntry unnamed{"", "", 1};
  EXPECT_FALSE(ModelTable::build({&unnamed, 1}));
  const std::string long_name(ModelTable::kNameBytesMax + 1, 'x');
  const ModelEntry too_long{long_name, "", 1};
  EXPECT_FALSE(ModelTable::build({&too_long, 1}));
}

TEST(ModelTable, ViewsSurviveAMove) {
  ModelTable first = table_of({{"a", "owner", 1}});
  const ModelTable second = std::move(first);
  const auto group = second.lookup("a");
  ASSERT_TRUE(group);
  EXPECT_EQ(group->name, "a");
  EXPECT_EQ(group->targets[0].owned_by, "owner");
}

TEST(ModelTable, AgreesWithAMapOnManyNames) {
  base::Rng rng(3);
  std::map<std::string, uint32_t, std::less<>> expected;
  while (expected.size() < 5000) {
    std::string name = "m";
    for (uint64_t n = rng.below(24); n > 0; --n) name += static_cast<char>('a' + rng.below(3));
    expected.emplace(std::move(name), static_cast<uint32_t>(expected.size()));
  }
  std::vector<ModelEntry> entries;
  for (const auto& [name, id] : expected) entries.push_back({name, "", id});
  const auto table = ModelTable::build(entries);
  ASSERT_TRUE(table);
  for (const auto& [name, id] : expected) ASSERT_EQ(ids(table->lookup(name)), std::vector<uint32_t>{id});
  for (int i = 0; i < 20'000; ++i) {
    std::string name = "m";
    for (uint64_t n = rng.below(24); n > 0; --n) name += static_cast<char>('a' + rng.below(3));
    ASSERT_EQ(table->lookup(name).has_value(), expected.contains(name));
  }
}

TEST(ModelTable, SuggestsWhatWasMeant) {
  const ModelTable table = table_of({{"gpt-4-turbo", "", 1},
                                     {"gpt-4o", "", 2},
                                     {"claude-sonnet-4-5", "", 3},
                                     {"gemini-2.0-flash", "", 4},
                                     {"llama-*", "", 5}});
  const std::string_view all[] = {"*"};
  EXPECT_EQ(table.suggest("gpt-4-trubo", 2, all), std::vector<std::string_view>{"gpt-4-turbo"});
  EXPECT_EQ(table.suggest("GPT4O", 2, all), std::vector<std::string_view>{"gpt-4o"});
  EXPECT_EQ(table.suggest("claude-sonnet", 2, all), std::vector<std::string_view>{"claude-sonnet-4-5"});
  EXPECT_EQ(table.suggest("gpt", 5, all), (std::vector<std::string_view>{"gpt-4o", "gpt-4-turbo"}));
  EXPECT_EQ(table.suggest("qqqqqqqqqqqq", 2, all), (std::vector<std::string_view>{"gpt-4-turbo", "gpt-4o"}));
  const std::string_view only_claude[] = {"claude-*"};
  EXPECT_EQ(table.suggest("gpt-4", 3, only_claude), std::vector<std::string_view>{"claude-sonnet-4-5"});
  EXPECT_TRUE(table.suggest("gpt-4", 3, {}).empty());
  EXPECT_EQ(table.suggest(std::string(10'000, 'x'), 1, all).size(), 1U);
}

}  // namespace
}  // namespace llmgw::routing
