#include "app/objects/object_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "app/objects/object_client.h"

namespace llmgw::app {
namespace {

using testing::HasSubstr;

const control::ObjectKind& kind(std::string_view name) {
  return *control::find_kind(name);
}

TEST(FieldOptions, EveryFieldOfEveryKindHasOne) {
  for (const control::ObjectKind& each : control::object_kinds()) {
    std::set<std::string> seen;
    for (const FieldOption& field : field_options(each)) {
      EXPECT_TRUE(seen.insert(field.options).second) << field.options;
      EXPECT_TRUE(field.options.starts_with("--"));
      EXPECT_EQ(field.options.find('_'), std::string::npos);
    }
    EXPECT_GE(seen.size(), control::section_table(each.section).settings.size());
  }
}

TEST(FieldsToJson, TypesAreTheSettings) {
  const auto json = [](const char* of, const FieldTexts& given, const std::vector<std::string>& unset = {}) {
    const auto made = fields_to_json(kind(of), given, unset);
    return made ? *made : "error: " + made.error();
  };
  EXPECT_EQ(json("key", {{"name", {"k"}}, {"tps", {"10"}}}), R"({"name":"k","tps":10})");
  EXPECT_EQ(json("key", {{"tps", {"0.5"}}}), R"({"tps":5E-1})");
  EXPECT_EQ(json("key", {{"blocked", {"true"}}}), R"({"blocked":true})");
  EXPECT_EQ(json("key", {{"models", {"a,b", "c"}}}), R"({"models":["a","b","c"]})");
  EXPECT_EQ(json("key", {{"models", {""}}}), R"({"models":[]})");
  EXPECT_EQ(json("connection", {{"headers", {"X-A: 1", "X-B:2"}}}), R"({"headers":{"X-A":"1","X-B":"2"}})");
  EXPECT_EQ(json("connection", {{"tls.verify", {"false"}}}), R"({"tls":{"verify":false}})");
  EXPECT_EQ(json("connection", {}, {"api-key", "tls-ca-file"}), R"({"api_key":null,"tls":{"ca_file":null}})");
  EXPECT_EQ(json("key", {{"tps", {"many"}}}), "error: --tps: expected a number, not 'many'");
  EXPECT_EQ(json("key", {{"blocked", {"maybe"}}}), "error: --blocked: expected true or false");
  EXPECT_EQ(json("connection", {{"priority", {"1.5"}}}), "error: --priority: expected a whole number, not '1.5'");
  EXPECT_EQ(json("key", {{"tps", {"nan"}}}), "error: --tps: expected a number, not 'nan'");
  EXPECT_EQ(json("key", {{"rpm", {"99999999999999999999"}}}), "error: --rpm: '99999999999999999999' is too large");
  EXPECT_EQ(json("connection", {{"headers", {"nothing"}}}), "error: --headers: expected 'Name: value'");
  EXPECT_THAT(json("key", {}, {"nonsense"}), HasSubstr("no field nonsense"));
}

TEST(Secrets, AreReadFromElsewhere) {
  setenv("LLMGW_TEST_SECRET", "from-the-environment", 1);
  EXPECT_EQ(read_secret_argument("env:LLMGW_TEST_SECRET"), "from-the-environment");
  EXPECT_EQ(read_secret_argument("as-it-is"), "as-it-is");
  EXPECT_FALSE(read_secret_argument("env:LLMGW_TEST_NOT_SET"));
  EXPECT_FALSE(read_secret_argument("file:/nowhere/at/all"));
}

TEST(Answers, AsLinesAndTables) {
  EXPECT_EQ(show_lines(R"({"id":"a","kind":"key","models":["x","y"],"tps":2.5,"team":null})"),
            "id      a\nmodels  x, y\ntps     2.5\n");
  EXPECT_EQ(show_lines(R"({"id":"a","previous_keys":[{"key_hint":"lgw...x","until":"2027"},{"until":"2026"}]})"),
            "id             a\nprevious_keys  lgw...x until 2027, until 2026\n");
  const std::string table =
      show_table(kind("model"), {R"({"id":"m","name":"n","connection":"c1","connection_name":"c"})"});
  EXPECT_THAT(table, HasSubstr("ID  NAME  CONNECTION"));
  EXPECT_THAT(table, HasSubstr("m   n     c\n"));
  EXPECT_THAT(show_table(kind("key"), {R"({"id":"k","source":"store","problem":"the file has one"})"}),
              HasSubstr("store, not used: the file has one\n"));
  // Columns stand below each other, whatever the alphabet; nothing is cut inside a character.
  const std::string wide = show_table(
      kind("model"), {R"({"id":"m","name":"鍵é","remote":"r"})", R"({"id":"m","name":"plain","remote":"r"})"});
  EXPECT_THAT(wide, HasSubstr("m   鍵é" + std::string(16, ' ') + "r\nm   plain" + std::string(14, ' ') + "r\n"));
  const std::string cut = show_table(kind("model"), {R"({"name":"x)" + std::string(55, 'y') + R"(鍵鍵鍵"})"});
  EXPECT_THAT(cut, HasSubstr(std::string(55, 'y') + "..."));
  EXPECT_EQ(error_message(R"({"error":{"message":"no","type":"x"}})"), "no");
  EXPECT_EQ(error_message("<html>"), "<html>");
  const auto page = read_page(R"({"data":[{"id":"a"}],"has_more":true,"last_id":"a"})");
  ASSERT_TRUE(page);
  EXPECT_EQ(page->next, "a");
  EXPECT_EQ(member_text(page->objects.at(0), "id"), "a");
  EXPECT_TRUE(read_page(R"({"data":[],"has_more":false,"last_id":null})")->next.empty());
  EXPECT_FALSE(read_page("{}"));
}

}  // namespace
}  // namespace llmgw::app
