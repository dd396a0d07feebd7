#include "json/writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace llmgw::json {
namespace {

TEST(Writer, PutsCommasWhereTheyBelong) {
  std::string out;
  Writer w(out);
  w.begin_object().key("a").begin_array().value(1).value(2).begin_object().end_object().begin_array().end_array();
  w.end_array().member("b", "x").null_member("c").raw_member("d", R"({"e":1})").key("f").begin_object();
  w.member("g", true).end_object().text_or_null("h", "").end_object();
  EXPECT_EQ(out, R"({"a":[1,2,{},[]],"b":"x","c":null,"d":{"e":1},"f":{"g":true},"h":null})");
}

TEST(Writer, NumbersKeepTheirValue) {
  std::string out;
  Writer w(out);
  w.begin_array().value(std::numeric_limits<int64_t>::min()).value(std::numeric_limits<uint64_t>::max());
  w.value(0.1).value(1e300).value(-0.0).value(1.0).value(std::numeric_limits<double>::infinity());
  w.value(std::numeric_limits<double>::quiet_NaN()).value(uint8_t{7}).end_array();
  EXPECT_EQ(out, "[-9223372036854775808,18446744073709551615,0.1,1e+300,-0,1,null,null,7]");
}

TEST(Writer, EscapesKeysAndValues) {
  std::string out = "x";
  Writer(out).begin_object().member("k\"", std::string_view("v\n")).end_object();
  EXPECT_EQ(out, R"(x{"k\"":"v\n"})");
}

}  // namespace
}  // namespace llmgw::json
