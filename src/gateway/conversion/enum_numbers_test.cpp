#include "gateway/conversion/enum_numbers.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

TEST(EnumNumbers, AreAskedForHoweverItIsEscaped) {
  for (const char* const query :
       {"$alt=json;enum-encoding=int", "%24alt=json%3Benum-encoding%3Dint", "alt=json;enum-encoding=int",
        "key=k&%24alt=json;enum-encoding=int", "$%61lt=json%3benum-encoding=int&x", "alt=sse;enum-encoding=int"}) {
    EXPECT_TRUE(wants_enum_numbers(query)) << query;
  }
  for (const char* const query : {"", "alt=sse", "$alt=json", "salt=json;enum-encoding=int", "alt=json;enum-encoding=i",
                                  "x=alt=json;enum-encoding=int", "alt=json%3Benum-encoding%3Dint%", "alt", "&&="}) {
    EXPECT_FALSE(wants_enum_numbers(query)) << query;
  }
}

}  // namespace
}  // namespace llmgw::gateway
