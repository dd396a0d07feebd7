#include "chat/schema.h"

#include <gtest/gtest.h>

#include <string>

#include "json/tree.h"

namespace llmgw::chat {
namespace {

struct Case {
  const char* name;
  SchemaSubset subset;
  const char* in;
  const char* out;           // "=": unchanged, the very text
  const char* warning = "";  // kinds, in order: c changed, d dropped
};

constexpr SchemaSubset kStrict = SchemaSubset::openai_strict;
constexpr SchemaSubset kAnthropic = SchemaSubset::anthropic;
constexpr SchemaSubset kOpenapi = SchemaSubset::gemini_openapi;
constexpr SchemaSubset kGeminiJson = SchemaSubset::gemini_json;

class Schema : public testing::Test {
 protected:
  json::Parser parser_;
  base::Arena arena_;
};

class SchemaTable : public Schema, public testing::WithParamInterface<Case> {};

TEST_P(SchemaTable, Converts) {
  const Case& c = GetParam();
  Warnings warnings(arena_);
  const std::string_view in = c.in;
  const std::string_view out = convert_schema(in, c.subset, "tools[0]", parser_, arena_, warnings);
  if (std::string_view(c.out) == "=") {
    EXPECT_EQ(out.data(), in.data()) << out;
  } else {
    EXPECT_EQ(out, c.out);
  }
  std::string kinds;
  for (const Warning& warning : warnings.list()) kinds += to_string(warning.kind)[0];
  EXPECT_EQ(kinds, c.warning);
  if (in != "nonsense") EXPECT_TRUE(json::parse_tree(parser_, out, arena_));
  // What was converted needs no more converting.
  const std::string once(out);
  Warnings again(arena_);
  const std::string_view twice = convert_schema(once, c.subset, "tools[0]", parser_, arena_, again);
  EXPECT_EQ(twice, once);
}

INSTANTIATE_TEST_SUITE_P(All, SchemaTable,
                         testing::
                             Values(
                                 Case{"any_is_untouched", SchemaSubset::any, R"j({"not":{}})j", "="},
                                 Case{
                                     "strict_already", kStrict,
                                     R"j({"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false})j",
                                     "="},
                                 Case{
                                     "strict_optional_becomes_nullable", kStrict,
                                     R"j({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer","enum":[1,2]}},"required":["a"]})j",
                                     R"j({"type":"object","properties":{"a":{"type":"string"},"b":{"type":["integer","null"],"enum":[1,2,null]}},"required":["a","b"],"additionalProperties":false})j"},
                                 Case{
                                     "strict_optional_reference", kStrict,
                                     R"j({"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"$defs":{"A":{"type":"string"}}})j",
                                     R"j({"type":"object","$defs":{"A":{"type":"string"}},"properties":{"a":{"anyOf":[{"$ref":"#/$defs/A"},{"type":"null"}]}},"required":["a"],"additionalProperties":false})j"},
                                 Case{
                                     "strict_constraints_move", kStrict,
                                     R"j({"type":"object","properties":{"a":{"type":"string","description":"A.","minLength":2,"default":"xy"}},"required":["a"],"additionalProperties":false})j",
                                     R"j({"type":"object","properties":{"a":{"type":"string","description":"A. (minLength: 2; default: xy)"}},"required":["a"],"additionalProperties":false})j",
                                     "c"},
                                 Case{
                                     "strict_one_of_and_reference_with_siblings", kStrict,
                                     R"j({"type":"object","required":["a"],"additionalProperties":false,"properties":{"a":{"oneOf":[{"type":"string"},{"$ref":"#/$defs/B","description":"b"}]}},"$defs":{"B":{"type":"null"}}})j",
                                     R"j({"type":"object","$defs":{"B":{"type":"null"}},"properties":{"a":{"anyOf":[{"type":"string"},{"description":"b","anyOf":[{"$ref":"#/$defs/B"}]}]}},"required":["a"],"additionalProperties":false})j"},
                                 Case{
                                     "strict_all_of_is_merged", kStrict,
                                     R"j({"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"$ref":"#/$defs/B"}],"$defs":{"B":{"properties":{"b":{"type":"number"}},"required":["b"]}}})j",
                                     R"j({"type":"object","$defs":{"B":{"type":"object","properties":{"b":{"type":"number"}},"required":["b"],"additionalProperties":false}},"properties":{"a":{"type":"string"},"b":{"type":"number"}},"required":["a","b"],"additionalProperties":false})j"},
                                 Case{"strict_free_form_stays", kStrict,
                                      R"j({"type":"object","additionalProperties":{"type":"string"}})j", "="},
                                 Case{
                                     "strict_root_reference", kStrict,
                                     R"j({"$ref":"#/definitions/N","definitions":{"N":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/definitions/N"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}}})j",
                                     R"j({"type":"object","$defs":{"N":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/N"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}},"properties":{"next":{"anyOf":[{"$ref":"#/$defs/N"},{"type":"null"}]}},"required":["next"],"additionalProperties":false})j"},
                                 Case{
                                     "anthropic_numbers_and_formats", kAnthropic,
                                     R"j({"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":9},"u":{"type":"string","format":"uri"},"p":{"type":"string","format":"byte"}},"required":["n"],"additionalProperties":false})j",
                                     R"j({"type":"object","properties":{"n":{"type":"integer","description":"(minimum: 1; maximum: 9)"},"u":{"type":"string","format":"uri"},"p":{"type":"string","description":"(format: byte)"}},"required":["n"],"additionalProperties":false})j",
                                     "c"},
                                 Case{
                                     "anthropic_min_items", kAnthropic,
                                     R"j({"type":"array","items":{"type":"string"},"minItems":1,"maxItems":3})j",
                                     R"j({"type":"array","description":"(maxItems: 3)","minItems":1,"items":{"type":"string"}})j",
                                     "c"},
                                 Case{"anthropic_map_is_closed", kAnthropic,
                                      R"j({"type":"object","additionalProperties":true})j",
                                      R"j({"type":"object","additionalProperties":false})j", "d"},
                                 Case{
                                     "anthropic_recursion_is_written_out", kAnthropic, R"j({"type":"object","properties":{"n":{"$ref":"#/$defs/N"}},"additionalProperties":false,"$defs":{"N":{"type":"object","properties":{"n":{"$ref":"#/$defs/N"}},"additionalProperties":false}}})j", R"j({"type":"object","properties":{"n":{"type":"object","properties":{"n":{"type":"object","properties":{"n":{"type":"object","additionalProperties":false}},"additionalProperties":false}},"additionalProperties":false}},"additionalProperties":false})j",
                                     "d"},
                                 Case{
                                     "openapi_plain", kOpenapi,
                                     R"j({"type":"object","properties":{"a":{"type":"string","minLength":1,"pattern":"^a"}},"required":["a"]})j",
                                     "="},
                                 Case{
                                     "openapi_type_list", kOpenapi,
                                     R"j({"type":"object","properties":{"a":{"type":["string","null"]},"b":{"type":["integer","string"],"maxLength":3,"description":"B"}}})j",
                                     R"j({"type":"object","properties":{"a":{"type":"string","nullable":true},"b":{"anyOf":[{"type":"integer","description":"B"},{"type":"string","description":"B","maxLength":3}]}}})j"},
                                 Case{
                                     "openapi_optional_of_pydantic", kOpenapi,
                                     R"j({"anyOf":[{"type":"integer"},{"type":"null"}],"default":null,"title":"N","description":"d"})j",
                                     R"j({"type":"integer","description":"d","nullable":true})j"},
                                 Case{"openapi_union", kOpenapi,
                                      R"j({"oneOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]})j",
                                      R"j({"nullable":true,"anyOf":[{"type":"integer"},{"type":"string"}]})j"},
                                 Case{
                                     "openapi_const_and_enum", kOpenapi,
                                     R"j({"type":"object","properties":{"k":{"const":"x"},"n":{"const":3},"e":{"enum":["a",null]},"i":{"type":"integer","enum":[1,2]}}})j",
                                     R"j({"type":"object","properties":{"k":{"type":"string","enum":["x"]},"n":{"type":"integer","description":"(const: 3)"},"e":{"type":"string","enum":["a"],"nullable":true},"i":{"type":"integer","description":"(enum: [1,2])"}}})j",
                                     "c"},
                                 Case{
                                     "openapi_references_inline", kOpenapi,
                                     R"j({"type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"here"}},"$defs":{"A":{"type":"string","description":"there"}}})j",
                                     R"j({"type":"object","properties":{"a":{"type":"string","description":"here"}}})j"},
                                 Case{
                                     "openapi_recursion", kOpenapi,
                                     R"j({"$ref":"#/$defs/T","$defs":{"T":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/T"}}}}}})j",
                                     R"j({"type":"object","properties":{"kids":{"type":"array","items":{"type":"object","properties":{"kids":{"type":"array","items":{"type":"object"}}}}}}})j",
                                     "d"},
                                 Case{
                                     "openapi_drops", kOpenapi,
                                     R"j({"$schema":"x","type":"object","additionalProperties":false,"properties":{"a":{"type":"string","format":"email","x-y":1,"examples":["e"]},"t":{"type":"array","prefixItems":[{"type":"string"},{"type":"integer"}]},"l":{"type":"array"},"m":{"type":"object","properties":{},"additionalProperties":{"type":"string"}}},"required":["a","zz"]})j",
                                     R"j({"type":"object","properties":{"a":{"type":"string","description":"(format: email; examples: [\"e\"])"},"t":{"type":"array","description":"(prefixItems: [{\"type\":\"string\"},{\"type\":\"integer\"}])","items":{"anyOf":[{"type":"string"},{"type":"integer"}]}},"l":{"type":"array","items":{"type":"string"}},"m":{"type":"object","description":"(additionalProperties: {\"type\":\"string\"})"}},"required":["a"]})j",
                                     "cd"},
                                 Case{
                                     "openapi_any_of_beside_properties", kOpenapi,
                                     R"j({"type":"object","properties":{"a":{"type":"string"}},"anyOf":[{"required":["a"]}]})j",
                                     R"j({"type":"object","description":"(anyOf: [{\"required\":[\"a\"]}])","properties":{"a":{"type":"string"}}})j",
                                     "c"},
                                 Case{
                                     "openapi_escapes_survive", kOpenapi,
                                     R"j({"type":"object","properties":{"a\"b":{"type":["string","null"],"description":"l\n\ud83d"}},"required":["a\"b"]})j",
                                     R"j({"type":"object","properties":{"a\"b":{"type":"string","description":"l\n\ud83d","nullable":true}},"required":["a\"b"]})j"},
                                 Case{
                                     "gemini_json_keeps_json_schema", kGeminiJson,
                                     R"j({"type":"object","properties":{"a":{"type":["string","null"]},"b":{"$ref":"#/$defs/B"},"t":{"type":"array","prefixItems":[{"type":"integer"}]}},"additionalProperties":false,"$defs":{"B":{"enum":[1,"x"]}},"required":["a"]})j",
                                     "="},
                                 Case{
                                     "gemini_json_changes", kGeminiJson,
                                     R"j({"$schema":"s","type":"object","properties":{"a":{"const":"x"},"b":{"type":"string","format":"uuid"},"c":{"oneOf":[{"type":"integer"},{"type":"string"}]},"d":{"const":true}},"definitions":{}})j",
                                     R"j({"type":"object","$defs":{},"properties":{"a":{"enum":["x"]},"b":{"type":"string","description":"(format: uuid)"},"c":{"anyOf":[{"type":"integer"},{"type":"string"}]},"d":{"description":"(const: true)"}}})j",
                                     "c"},
                                 Case{"no_object", kOpenapi, "[1]", "=", "c"},
                                 Case{"no_json", kOpenapi, "nonsense", "=", "c"},
                                 Case{"true_is_anything", kOpenapi, R"j({"type":"object","properties":{"a":true}})j",
                                      R"j({"type":"object","properties":{"a":{}}})j"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Schema, FromOpenapi) {
  struct Row {
    const char* in;
    const char* out;
  };
  const Row rows[] = {
      {R"j({"type":"OBJECT","properties":{"b":{"type":"STRING","nullable":true,"enum":["x"]},"a":{"type":"ARRAY","items":{"type":"INTEGER"},"maxItems":"5"}},"propertyOrdering":["a","b"],"required":["a"]})j",
       R"j({"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"},"maxItems":5},"b":{"type":["string","null"],"enum":["x",null]}},"required":["a"]})j"},
      {R"j({"type":6,"properties":{"l":{"type":1,"min_length":"2","format":"enum"}}})j",
       R"j({"type":"object","properties":{"l":{"type":"string","minLength":2}}})j"},
      {R"j({"any_of":[{"type":"STRING"},{"type":"NUMBER"}],"nullable":true,"example":3})j",
       R"j({"anyOf":[{"type":"string"},{"type":"number"},{"type":"null"}],"examples":[3]})j"},
      {R"j({"type":"object","properties":{"type":{"type":"string"}}})j",
       R"j({"type":"object","properties":{"type":{"type":"string"}}})j"},
      {R"j({"type":"TYPE_UNSPECIFIED"})j", R"j({})j"},
      {"7", "7"},
  };
  for (const Row& row : rows) EXPECT_EQ(schema_from_openapi(row.in, parser_, arena_), row.out);
}

TEST_F(Schema, Strictness) {
  struct Row {
    const char* in;
    bool strict;
  };
  const Row rows[] = {
      {R"j({"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false})j",
       true},
      {R"j({"type":"object","properties":{"a":{"type":"string"}},"required":[],"additionalProperties":false})j", false},
      {R"j({"type":"object","properties":{},"required":[]})j", false},
      {R"j({"type":"object","properties":{},"additionalProperties":false})j", true},
      {R"j({"type":"array","items":{"type":"string"}})j", false},
      {R"j({"type":"object","properties":{"a":{"type":"array"}},"required":["a"],"additionalProperties":false})j",
       false},
      {R"j({"type":"object","properties":{"a":{"type":"string","format":"uri"}},"required":["a"],"additionalProperties":false})j",
       false},
      {R"j({"type":"object","properties":{"a":{"$ref":"#/$defs/A"}},"required":["a"],"additionalProperties":false,"$defs":{"A":{"type":"string","pattern":"x"}}})j",
       true},
      {R"j({"type":"object","properties":{"a":{"$ref":"#","title":"t"}},"required":["a"],"additionalProperties":false})j",
       false},
      {R"j({"type":"object","properties":{"a":{"oneOf":[{"type":"null"}]}},"required":["a"],"additionalProperties":false})j",
       false},
      {"nonsense", false},
  };
  for (const Row& row : rows) EXPECT_EQ(is_openai_strict(row.in, parser_, arena_), row.strict) << row.in;
}

TEST_F(Schema, StrictConversionsAreStrict) {
  Warnings warnings(arena_);
  const std::string_view in =
      R"j({"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"x":{"const":1},"y":{"enum":["q"]}}}},"b":{"anyOf":[{"type":"integer","multipleOf":2},{"type":"object","properties":{"z":{"type":"string","minLength":3}}}]}}})j";
  EXPECT_FALSE(is_openai_strict(in, parser_, arena_));
  const std::string_view out = convert_schema(in, kStrict, "f", parser_, arena_, warnings);
  EXPECT_TRUE(is_openai_strict(out, parser_, arena_)) << out;
}

// References that double at every level would write out 2^40 schemas.
TEST_F(Schema, GrowthIsBounded) {
  std::string in = R"j({"$ref":"#/$defs/d0","$defs":{)j";
  for (int i = 0; i < 40; ++i) {
    const std::string next = R"j({"$ref":"#/$defs/d)j" + std::to_string(i + 1) + "\"}";
    in += "\"d" + std::to_string(i) + R"j(":{"type":"object","properties":{"l":)j" + next + R"j(,"r":)j" + next + "}},";
  }
  in += R"j("d40":{"type":"string"}}})j";
  Warnings warnings(arena_);
  const std::string_view out = convert_schema(in, kOpenapi, "f", parser_, arena_, warnings);
  EXPECT_LT(out.size(), size_t{2} << 20);
  EXPECT_FALSE(warnings.empty());
  EXPECT_TRUE(json::parse_tree(parser_, out, arena_));
}

TEST_F(Schema, DepthIsBounded) {
  std::string in;
  for (int i = 0; i < 120; ++i) in += R"j({"type":"array","items":)j";
  in += "{}";
  for (int i = 0; i < 120; ++i) in += "}";
  for (const SchemaSubset subset : {kStrict, kAnthropic, kOpenapi, kGeminiJson}) {
    Warnings warnings(arena_);
    EXPECT_TRUE(json::parse_tree(parser_, convert_schema(in, subset, "f", parser_, arena_, warnings), arena_));
  }
  EXPECT_TRUE(json::parse_tree(parser_, schema_from_openapi(in, parser_, arena_), arena_));
}

}  // namespace
}  // namespace llmgw::chat
