#include "control/governance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/snapshot.h"
#include "control/test_support.h"

namespace llmgw::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kGoverned = R"(
[[connections]]
name = "a"
provider = "vllm"
endpoint = "http://a"
[[connections]]
name = "b"
provider = "vllm"
endpoint = "http://b"
[[models]]
name = "gpt-4o"
connection = "a"
tpm = 1000
[[models]]
name = "gpt-4o"
connection = "b"
[[models]]
name = "o*"
connection = "b"
[[organizations]]
name = "acme"
models = ["gpt-*", "o3"]
budget = "100.00"
time_zone = "Europe/Berlin"
[[teams]]
name = "search"
organization = "acme"
concurrency = 3
[[teams]]
name = "free"
[[users]]
name = "kim"
email = "kim@example.com"
teams = ["search"]
[[keys]]
name = "frontend"
key = "frontend-key"
team = "search"
user = "kim"
tps = 2.5
rpm = 60
expires = "2027-01-31T12:00:00+02:00"
tags = ["product:search"]
[[keys]]
name = "kims"
key = "kims-key-1"
user = "kim"
models = []
[[keys]]
name = "open"
key = "open-key-1"
blocked = true
[[assignments]]
key = "frontend"
model = "gpt-4o"
alias = "fast"
tps = 5
[[assignments]]
key = "frontend"
model = "gpt-4o"
connection = "b"
alias = "backup"
[[assignments]]
key = "frontend"
model = "o1"
)";

std::shared_ptr<const Snapshot> build(std::string_view text) {
  const auto config = TestWorld{}.load(text);
  EXPECT_TRUE(config) << format_errors(config.error(), "test.toml");
  if (!config) return nullptr;
  auto snapshot = build_snapshot(*config, {});
  EXPECT_TRUE(snapshot);
  return snapshot ? *snapshot : nullptr;
}

TEST(Governance, AKeyIsUnderItsUserTeamAndOrganization) {
  const auto snapshot = build(kGoverned);
  const Principal& frontend = *snapshot->authenticate("frontend-key");
  EXPECT_EQ(snapshot->organizations[frontend.organization].name, "acme");
  EXPECT_EQ(snapshot->teams[frontend.team].name, "search");
  EXPECT_EQ(snapshot->users[frontend.user].email, "kim@example.com");
  EXPECT_EQ(frontend.expires.seconds, 1'801'389'600);
  EXPECT_THAT(frontend.tags, ElementsAre("product:search"));
  // The user has no limits of its own, and so no scope.
  ASSERT_EQ(frontend.governing_scopes().size(), 3u);
  const auto scope = [&](size_t i) -> const Scope& { return snapshot->scopes[frontend.scopes[i]]; };
  EXPECT_EQ(scope(0).kind, ScopeKind::organization);
  EXPECT_EQ(scope(0).limits().budget, base::NanoDollars{100'000'000'000});
  EXPECT_EQ(scope(0).limits().budget_period, BudgetPeriod::month);
  EXPECT_EQ(scope(0).limits().time_zone, "Europe/Berlin");
  EXPECT_EQ(scope(1).kind, ScopeKind::team);
  EXPECT_EQ(scope(1).limits().concurrency, 3u);
  EXPECT_EQ(scope(2).kind, ScopeKind::key);
  EXPECT_EQ(scope(2).limits().requests_per_second, 2.5);
  EXPECT_EQ(scope(2).limits().requests_per_minute, 60u);

  const Principal& kims = *snapshot->authenticate("kims-key-1");
  EXPECT_EQ(kims.team, frontend.team) << "a member's key is in the member's first team";
  EXPECT_TRUE(snapshot->authenticate("open-key-1")->blocked);
}

TEST(Governance, OneNameHasOneScope) {
  const auto snapshot = build(kGoverned);
  EXPECT_EQ(snapshot->models[0].scope, snapshot->models[1].scope);
  EXPECT_EQ(snapshot->scopes[snapshot->models[0].scope].limits().tokens_per_minute, 1000u);
  EXPECT_EQ(snapshot->models[2].scope, kNone);
}

TEST(Governance, AliasesComeFirst) {
  const auto snapshot = build(kGoverned);
  const Principal& frontend = *snapshot->authenticate("frontend-key");
  const auto fast = snapshot->resolve(frontend, "fast");
  ASSERT_TRUE(fast);
  EXPECT_EQ(fast->model, "gpt-4o");
  EXPECT_EQ(fast->group.targets.size(), 2u);
  EXPECT_EQ(snapshot->scopes[fast->assignment->scope].name, "frontend/fast");
  const auto backup = snapshot->resolve(frontend, "backup");
  ASSERT_EQ(backup->group.targets.size(), 1u);
  EXPECT_EQ(snapshot->models[backup->group.targets[0].id].connection, 1u);
  EXPECT_EQ(backup->assignment->scope, kNone);
  // Assigned, so nothing else may be called; and nobody else has the alias.
  EXPECT_FALSE(snapshot->resolve(frontend, "gpt-4o"));
  EXPECT_FALSE(snapshot->resolve(*snapshot->authenticate("open-key-1"), "fast"));
}

TEST(Governance, AFallbackIsAModelThatTheKeyMayUse) {
  const auto snapshot = build(kGoverned);
  const Principal& frontend = *snapshot->authenticate("frontend-key");
  const auto assigned = snapshot->resolve_fallback(frontend, "gpt-4o");
  ASSERT_TRUE(assigned) << "behind an alias";
  EXPECT_EQ(assigned->group.targets.size(), 2u) << "not those of the alias for one connection";
  EXPECT_EQ(assigned->assignment->alias, "fast");
  EXPECT_FALSE(snapshot->resolve_fallback(frontend, "fast")) << "an alias is no model";
  EXPECT_FALSE(snapshot->resolve_fallback(frontend, "o1")) << "assigned, but not among the organization's models";
  const auto open = snapshot->resolve_fallback(*snapshot->authenticate("open-key-1"), "o1");
  ASSERT_TRUE(open);
  EXPECT_EQ(open->assignment, nullptr);
  EXPECT_FALSE(snapshot->resolve_fallback(*snapshot->authenticate("kims-key-1"), "gpt-4o")) << "its list is empty";
}

TEST(Governance, NothingAllowsWhatIsForbiddenAbove) {
  const auto snapshot = build(kGoverned);
  const Principal& frontend = *snapshot->authenticate("frontend-key");
  EXPECT_FALSE(snapshot->resolve(frontend, "o1")) << "assigned, but not among the organization's models";
  const Principal& open = *snapshot->authenticate("open-key-1");
  EXPECT_TRUE(snapshot->resolve(open, "o1"));
  EXPECT_FALSE(snapshot->resolve(*snapshot->authenticate("kims-key-1"), "gpt-4o")) << "its list is empty";
}

TEST(Governance, IdentitiesStayTheSame) {
  const auto before = build(kGoverned);
  const auto after = build(std::string("[[organizations]]\nname = \"first\"\ntps = 1\n") +
                           std::string(kGoverned).replace(kGoverned.find("100.00"), 6, "200.00"));
  ASSERT_NE(before->scopes.size(), after->scopes.size());
  EXPECT_EQ(before->scopes[before->organizations[0].scope].identity,
            after->scopes[after->organizations[1].scope].identity);
  // Written down by other gateways and in ledgers: it must never change.
  EXPECT_EQ(scope_identity(ScopeKind::organization, "acme"), 473545707189991667u);
}

struct Fault {
  const char* name;
  const char* text;
  const char* message;
};

class GovernedFaults : public testing::TestWithParam<Fault> {};

TEST_P(GovernedFaults, AreNamedWithTheirPlace) {
  EXPECT_THAT(TestWorld{}.errors(GetParam().text), HasSubstr(GetParam().message));
}

constexpr Fault kFaults[] = {
    {"organization", "[[teams]]\nname = \"t\"\norganization = \"acme\"\n[[organizations]]\nname = \"acne\"\n",
     "test.toml:3:1: teams.organization: there is no organization 'acme'; did you mean 'acne'?\n"},
    {"team", "[[keys]]\nname = \"k\"\nkey = \"12345678\"\nteam = \"t\"\n",
     "test.toml:4:1: keys.team: there is no team 't'; add a [[teams]] entry of that name\n"},
    {"user", "[[keys]]\nname = \"k\"\nkey = \"12345678\"\nuser = \"u\"\n",
     "test.toml:4:1: keys.user: there is no user 'u'"},
    {"membership",
     "[[teams]]\nname = \"a\"\n[[teams]]\nname = \"b\"\n[[users]]\nname = \"u\"\nteams = [\"a\"]\n"
     "[[keys]]\nname = \"k\"\nkey = \"12345678\"\nuser = \"u\"\nteam = \"b\"\n",
     "test.toml:12:1: keys.team: its user 'u' is not a member of this team; add it to the user's teams\n"},
    {"twice", "[[teams]]\nname = \"a\"\n[[teams]]\nname = \"a\"\n",
     "test.toml:4:1: teams.name: 'a' is already the name of the team on line 1\n"},
    {"budget", "[[teams]]\nname = \"a\"\nbudget = 1.5\n",
     "test.toml:3:10: teams.budget: expected US dollars in quotes such as \"12.50\", found a number\n"},
    {"budget text", "[[teams]]\nname = \"a\"\nbudget = \"1,5\"\n",
     "test.toml:3:10: teams.budget: not an amount; write US dollars with at most nine decimals, such as \"12.50\"\n"},
    {"period", "[[teams]]\nname = \"a\"\nbudget_period = \"weekly\"\n",
     "test.toml:3:17: teams.budget_period: no such choice"},
    {"time zone", "[[teams]]\nname = \"a\"\ntime_zone = \"Europe/Atlantis\"\n",
     "test.toml:3:1: teams.time_zone: no such time zone on this machine"},
    {"expires", "[[keys]]\nname = \"k\"\nkey = \"12345678\"\nexpires = \"tomorrow\"\n",
     "test.toml:4:11: keys.expires: not a time; write a date and time with its zone"},
    {"tag", "[[keys]]\nname = \"k\"\nkey = \"12345678\"\ntags = [\"a,b\"]\n",
     "test.toml:4:1: keys.tags: a tag has at most"},
    {"assignment", "[[assignments]]\nkey = \"k\"\nmodel = \"m\"\n",
     "test.toml:2:1: assignments.key: there is no key 'k'; add a [[keys]] entry of that name\n"
     "test.toml:3:1: assignments.model: there is no model 'm'; add a [[models]] entry of that name\n"},
    {"assigned pattern", "[[assignments]]\nkey = \"k\"\nmodel = \"m*\"\nalias = \"n*\"\n",
     "test.toml:3:1: assignments.model: is a pattern; name one model, or write the pattern into the key's models\n"
     "test.toml:4:1: assignments.alias: is a pattern; an alias is one name\n"},
    {"alias twice",
     "[[assignments]]\nkey = \"k\"\nmodel = \"m\"\n[[assignments]]\nkey = \"k\"\nmodel = \"n\"\nalias = \"m\"\n",
     "test.toml:7:1: assignments.alias: the key 'k' has 'm' already, on line 1\n"},
    {"limits of a name",
     "[[models]]\nname = \"m\"\nconnection = \"c\"\ntps = 1\n[[models]]\nname = \"m\"\nconnection = \"d\"\ntps = 2\n",
     "test.toml:6:1: models.name: 'm' has other limits on line 1; limits belong to the name, so write them in one "
     "entry of it\n"},
};

INSTANTIATE_TEST_SUITE_P(All, GovernedFaults, testing::ValuesIn(kFaults), [](const auto& each) {
  std::string name = each.param.name;
  std::ranges::replace(name, ' ', '_');
  return name;
});

}  // namespace
}  // namespace llmgw::control
