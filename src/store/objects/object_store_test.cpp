#include "store/objects/object_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tuple>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "store/objects/saved_objects.h"
#include "store/sql/test_databases.h"

namespace llmgw::store {
namespace {

using Action = ObjectChange::Action;

class ObjectStoreTest : public BothDatabases {
 protected:
  ObjectStore open() {
    auto session = database_.open();
    EXPECT_TRUE(session);
    auto store = ObjectStore::open(std::move(*session));
    EXPECT_TRUE(store) << store.error().context;
    return std::move(*store);
  }
  static Object object(const std::string& id, const std::string& name, const std::string& kind = "connection") {
    return {.id = id, .kind = kind, .name = name, .natural_key = name, .document = "{\"name\":\"" + name + "\"}"};
  }
  static Applied apply(ObjectStore& store, const ObjectChange& change, int64_t now = 1) {
    const auto result = store.apply({&change, 1}, {}, now);
    EXPECT_TRUE(result) << result.error().context;
    return result ? result->outcome : Applied::missing;
  }
};
INSTANTIATE_TEST_SUITE_P(Databases, ObjectStoreTest,
                         testing::Values(SqlSession::Kind::sqlite, SqlSession::Kind::postgres), database_name);

TEST_P(ObjectStoreTest, KeepsWhatWasWritten) {
  {
    auto store = open();
    const ObjectChange change{
        .action = Action::insert, .object = object("conn_1", "it's \"a\" $1 ? \u00fc"), .references = {}};
    const AuditEntry entry{.actor = "somebody", .address = "::1", .action = "create", .detail = "{}"};
    const auto result = store.apply({&change, 1}, {&entry, 1}, 42);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->outcome, Applied::done);
    EXPECT_EQ(result->objects.at(0).version, 1);
  }
  auto store = open();
  const auto found = store.get("conn_1");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->name, "it's \"a\" $1 ? \u00fc");
  EXPECT_EQ((*found)->created_ms, 42);
  const auto audit = store.audit(0, 10);
  ASSERT_TRUE(audit && audit->size() == 1);
  EXPECT_EQ(audit->at(0).actor, "somebody");
  EXPECT_EQ(audit->at(0).object_id, "conn_1");
  EXPECT_EQ(audit->at(0).kind, "connection");
  EXPECT_EQ(audit->at(0).at_ms, 42);
}

TEST_P(ObjectStoreTest, SaysWhyAChangeCannotBe) {
  auto store = open();
  EXPECT_EQ(apply(store, {.object = object("conn_1", "a")}), Applied::done);
  EXPECT_EQ(apply(store, {.object = object("conn_2", "a")}), Applied::taken);
  EXPECT_EQ(apply(store, {.object = object("mdl_1", "a", "model"), .references = {"conn_1"}}), Applied::done);
  EXPECT_EQ(apply(store, {.object = object("mdl_2", "b", "model"), .references = {"conn_9"}}), Applied::dangling);
  EXPECT_FALSE(*store.get("mdl_2")) << "a change that failed left something";
  EXPECT_EQ(apply(store, {.action = Action::update, .object = object("conn_9", "x")}), Applied::missing);
  EXPECT_EQ(apply(store, {.action = Action::update, .object = object("conn_1", "x"), .expected_version = 2}),
            Applied::version_mismatch);
  EXPECT_EQ(apply(store, {.action = Action::update, .object = object("conn_1", "x"), .expected_version = 1}),
            Applied::done);
  EXPECT_EQ(apply(store, {.action = Action::remove, .object = object("conn_1", "")}), Applied::referenced);
  EXPECT_EQ(store.referrers("conn_1")->size(), 1u);
  EXPECT_EQ(apply(store, {.action = Action::remove, .object = object("mdl_1", "")}), Applied::done);
  EXPECT_EQ(apply(store, {.action = Action::remove, .object = object("conn_1", ""), .expected_version = 1}),
            Applied::version_mismatch);
  EXPECT_EQ(apply(store, {.action = Action::remove, .object = object("conn_1", "")}), Applied::done);
  EXPECT_TRUE(store.load_all()->objects.empty());
}

TEST_P(ObjectStoreTest, ATextMayBeInOneDocumentAlone) {
  auto store = open();
  const auto with = [](const char* id, const char* document, const char* kind = "key") {
    Object made = object(id, id, kind);
    made.document = document;
    return made;
  };
  EXPECT_EQ(apply(store, {.object = with("vkey_1", R"(["a_b","older"])"), .unique_text = "a_b"}), Applied::done);
  EXPECT_EQ(apply(store, {.object = with("vkey_2", R"(["a_b"])"), .unique_text = "a_b"}), Applied::not_unique);
  EXPECT_FALSE(*store.get("vkey_2"));
  EXPECT_EQ(apply(store, {.object = with("vkey_2", R"(["axb"])"), .unique_text = "axb"}), Applied::done);
  EXPECT_EQ(apply(store, {.action = Action::update, .object = with("vkey_2", "{}"), .unique_text = "older"}),
            Applied::not_unique);
  EXPECT_EQ(apply(store, {.action = Action::update, .object = with("vkey_1", R"(["older"])"), .unique_text = "older"}),
            Applied::done)
      << "its own";
  EXPECT_EQ(apply(store, {.object = with("akey_1", R"(["older"])", "admin_key"), .unique_text = "older"}),
            Applied::done)
      << "of another kind";
}

TEST_P(ObjectStoreTest, ChangesTogetherOrNotAtAll) {
  auto store = open();
  const int64_t before = *store.revision();
  const std::vector<ObjectChange> changes = {{.object = object("conn_1", "a")},
                                             {.object = object("mdl_1", "m", "model"), .references = {"conn_1"}},
                                             {.object = object("conn_2", "a")}};
  const auto result = store.apply(changes, {}, 1);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->outcome, Applied::taken);
  EXPECT_EQ(result->failed, 2u);
  EXPECT_EQ(*store.revision(), before);
  EXPECT_TRUE(store.load_all()->objects.empty());
}

TEST_P(ObjectStoreTest, PagesInTheOrderOfIds) {
  auto store = open();
  for (int i = 0; i < 25; ++i) {
    const std::string number = (i < 10 ? "0" : "") + std::to_string(i);
    EXPECT_EQ(apply(store, {.object = object("conn_" + number, i % 5 == 0 ? "five" + number : "other" + number)}),
              Applied::done);
  }
  std::set<std::string> seen;
  std::string after;
  for (int pages = 0; pages < 3; ++pages) {
    const auto page = store.list({.kind = "connection", .after = after, .limit = 10});
    ASSERT_TRUE(page && !page->objects.empty());
    EXPECT_EQ(page->more, pages < 2);
    for (const Object& each : page->objects) EXPECT_TRUE(seen.insert(each.id).second);
    after = page->objects.back().id;
  }
  EXPECT_EQ(seen.size(), 25u);
  EXPECT_EQ(store.list({.kind = "connection", .name = "five05"})->objects.size(), 1u);
  EXPECT_TRUE(store.list({.kind = "model"})->objects.empty());
}

// A page of the largest size says, too, whether it is the last, and what refers to an object is never cut.
TEST_P(ObjectStoreTest, MoreThanTheLargestPage) {
  auto store = open();
  ASSERT_EQ(apply(store, {.object = object("conn_1", "c")}), Applied::done);
  std::vector<ObjectChange> changes;
  for (size_t i = 0; i <= ObjectStore::kPageMax; ++i) {
    const std::string number = std::to_string(10'000 + i);
    changes.push_back({.object = object("mdl_" + number, "m" + number, "model"), .references = {"conn_1"}});
  }
  const auto result = store.apply(changes, {}, 1);
  ASSERT_TRUE(result && result->outcome == Applied::done);
  const auto first = store.list({.kind = "model", .limit = ObjectStore::kPageMax});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->objects.size(), ObjectStore::kPageMax);
  EXPECT_TRUE(first->more);
  const auto rest = store.list({.kind = "model", .after = first->objects.back().id, .limit = ObjectStore::kPageMax});
  EXPECT_EQ(rest->objects.size(), 1u);
  EXPECT_FALSE(rest->more);
  EXPECT_EQ(store.referrers("conn_1")->size(), ObjectStore::kPageMax + 1);
}

TEST_P(ObjectStoreTest, TwoSessionsSeeEachOther) {
  auto a = open();
  auto b = open();
  const int64_t before = *b.revision();
  EXPECT_EQ(apply(a, {.object = object("conn_1", "a")}), Applied::done);
  EXPECT_GT(*b.revision(), before);
  EXPECT_EQ(apply(b, {.object = object("conn_2", "a")}), Applied::taken);
  const int64_t unchanged = *a.revision();
  EXPECT_TRUE(b.append_audit({.actor = "x", .action = "sign-in refused", .detail = "{}"}));
  EXPECT_EQ(*a.revision(), unchanged) << "a refused sign-in makes nobody load";
}

TEST_P(ObjectStoreTest, RefusesTheDatabaseOfANewerProgram) {
  auto store = open();
  ASSERT_TRUE(store.session().query("UPDATE store_state SET schema_version = 99"));
  auto session = database_.open();
  const auto second = ObjectStore::open(std::move(*session));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, base::ErrorCode::unsupported);
}

TEST_P(ObjectStoreTest, PipelinedStatementsStopAtTheFirstThatFails) {
  auto store = open();
  auto& session = store.session();
  const std::vector<SqlStatement> good(300, {"UPDATE store_state SET revision = revision + $1", {int64_t{1}}});
  EXPECT_TRUE(session.run_all(good));
  EXPECT_EQ(*store.revision(), 300);
  const std::vector<SqlStatement> bad = {{"SELECT nothing FROM nowhere"}, {"UPDATE store_state SET revision = 0"}};
  EXPECT_FALSE(session.run_all(bad));
  EXPECT_EQ(*store.revision(), 300);
  EXPECT_FALSE(session.broken());
}

// A store as simple as can be: what AgreesWithAPlainModel compares with.
struct PlainStore {
  struct Entry {
    Object object;
    std::set<std::string> references;
  };
  std::map<std::string, Entry> entries;

  Applied outcome(const ObjectChange& change) const {
    const auto found = entries.find(change.object.id);
    const bool exists = found != entries.end();
    if (change.action != Action::insert) {
      if (!exists) return Applied::missing;
      const int64_t version = found->second.object.version;
      if (change.expected_version != 0 && change.expected_version != version) return Applied::version_mismatch;
    }
    const auto refers = [&](const auto& each) { return each.second.references.contains(change.object.id); };
    if (change.action == Action::remove) {
      return std::ranges::any_of(entries, refers) ? Applied::referenced : Applied::done;
    }
    const std::string kind = exists ? found->second.object.kind : change.object.kind;
    for (const auto& [id, each] : entries) {
      const bool same = each.object.kind == kind && each.object.name == change.object.name;
      if (id != change.object.id && same) return Applied::taken;
    }
    for (const auto& reference : change.references) {
      if (!entries.contains(reference)) return Applied::dangling;
    }
    return Applied::done;
  }
  void apply(const ObjectChange& change, int64_t now) {
    if (change.action == Action::remove) {
      entries.erase(change.object.id);
      return;
    }
    Entry& entry = entries[change.object.id];
    const int64_t version = entry.object.version + 1;
    const int64_t created = change.action == Action::insert ? now : entry.object.created_ms;
    entry = {change.object, {change.references.begin(), change.references.end()}};
    entry.object.version = version;
    entry.object.created_ms = created;
    entry.object.updated_ms = now;
  }
  void expect_same(const ObjectStore::Everything& everything) const {
    ASSERT_EQ(everything.objects.size(), entries.size());
    for (const Object& each : everything.objects) {
      const Object& wanted = entries.at(each.id).object;
      ASSERT_EQ(
          std::tie(each.kind, each.name, each.document, each.version, each.created_ms, each.updated_ms),
          std::tie(wanted.kind, wanted.name, wanted.document, wanted.version, wanted.created_ms, wanted.updated_ms));
    }
  }
};

// Random changes: same outcome and content as the plain store's, also through another session and the saved file.
TEST_P(ObjectStoreTest, AgreesWithAPlainModel) {
  PlainStore plain;
  auto store = open();
  auto reader = open();
  base::Rng random(20261121);
  int done = 0;
  for (int step = 0; step < 400; ++step) {
    ObjectChange change;
    const auto number = std::to_string(random.below(12));
    const bool is_model = random.chance(0.5);
    change.object = object((is_model ? "mdl_" : "conn_") + number, "name" + std::to_string(random.below(10)),
                           is_model ? "model" : "connection");
    const bool exists = plain.entries.contains(change.object.id);
    change.action = !exists && random.chance(0.8) ? Action::insert
                    : random.chance(0.6)          ? Action::update
                                                  : Action::remove;
    if (is_model && random.chance(0.7)) change.references.push_back("conn_" + std::to_string(random.below(12)));
    if (random.chance(0.3)) change.expected_version = static_cast<int64_t>(random.below(4));
    const Applied wanted = plain.outcome(change);
    ASSERT_EQ(apply(store, change, step), wanted) << "step " << step;
    if (wanted != Applied::done) continue;
    ++done;
    plain.apply(change, step);
    const auto everything = reader.load_all();
    ASSERT_TRUE(everything);
    plain.expect_same(parse_saved(write_saved("here", *everything))->everything);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(done, 100);
}

TEST(ObjectId, SortsByAge) {
  const auto a = make_object_id("conn_", 1'763'740'000'000);
  const auto b = make_object_id("conn_", 1'763'740'000'001);
  EXPECT_LT(a, b);
  EXPECT_EQ(a.size(), 26u);
  EXPECT_NE(make_object_id("x_", 5), make_object_id("x_", 5));
  EXPECT_EQ(object_id_time(a), 1'763'740'000'000);
  for (const std::string_view none : {"", "anonymous", "conn_1", "conn_!!!!!!!!!!!!!!!!!!!!!"}) {
    EXPECT_EQ(object_id_time(none), 0) << none;
  }
}

TEST(SavedObjects, AreRefusedUnlessWhole) {
  const ObjectStore::Everything everything{.revision = 7, .objects = {{.id = "conn_1", .kind = "connection"}}};
  const std::string text = write_saved("postgresql://***@host/db", everything);
  EXPECT_EQ(parse_saved(text)->everything.revision, 7);
  EXPECT_EQ(parse_saved(text)->place, "postgresql://***@host/db");
  for (size_t length = 0; length < text.size(); ++length) EXPECT_FALSE(parse_saved(text.substr(0, length)));
  for (size_t at = 0; at < text.size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(parse_saved(changed)) << at;
  }
}

}  // namespace
}  // namespace llmgw::store
