#include "store/netstrings.h"

#include <gtest/gtest.h>

namespace llmgw::store {
namespace {

TEST(Netstrings, AreReadAsTheyWerePut) {
  std::string out;
  put_field(out, "a:b\n");
  put_field(out, "");
  put_field(out, uint64_t{UINT64_MAX});
  put_field(out, int64_t{7});
  EXPECT_EQ(out, "4:a:b\n0:20:184467440737095516151:7");
  FieldReader fields(out);
  EXPECT_EQ(fields.text(), "a:b\n");
  EXPECT_EQ(fields.text(), "");
  EXPECT_EQ(fields.number(), UINT64_MAX);
  EXPECT_FALSE(fields.whole()) << "something is left";
  EXPECT_EQ(fields.number(7), 7U);
  EXPECT_TRUE(fields.whole());
}

TEST(Netstrings, BrokenOnesStayBroken) {
  for (const char* text : {"", "3", ":", "x:a", "-1:a", "2:a", "99999999999999999999:a"}) {
    FieldReader fields(text);
    EXPECT_EQ(fields.text(), "") << text;
    EXPECT_TRUE(fields.broken()) << text;
    EXPECT_FALSE(fields.whole()) << text;
  }
  FieldReader above("1:81:7");
  EXPECT_EQ(above.number(7), 0U);
  EXPECT_EQ(above.number(7), 0U);
  EXPECT_TRUE(above.broken());
  FieldReader words("1:a");
  EXPECT_EQ(words.number(), 0U);
  EXPECT_FALSE(words.whole());
}

}  // namespace
}  // namespace llmgw::store
