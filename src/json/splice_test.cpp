#include "json/splice.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace llmgw::json {
namespace {

std::vector<std::string> texts(const Pieces& pieces) {
  return {pieces.parts().begin(), pieces.parts().end()};
}

TEST(Splice, ReplacesOneSpanWithoutCopying) {
  const std::string body = R"({"model":"a","x":1})";
  const std::string_view span = std::string_view(body).substr(9, 3);
  const Edit edit{span, "\"bb\""};
  const auto pieces = splice(body, {&edit, 1});
  ASSERT_TRUE(pieces);
  EXPECT_EQ(texts(*pieces), (std::vector<std::string>{R"({"model":)", "\"bb\"", R"(,"x":1})"}));
  EXPECT_EQ(pieces->parts()[0].data(), body.data());
  EXPECT_EQ(pieces->parts()[2].data(), body.data() + 12);
  EXPECT_EQ(pieces->size_bytes(), body.size() + 1);
  base::Arena arena;
  EXPECT_EQ(pieces->joined(arena), R"({"model":"bb","x":1})");
}

TEST(Splice, SortsEditsAndLeavesEmptyPiecesOut) {
  const std::string body = "0123456789";
  const std::string_view view = body;
  const Edit edits[] = {
      {view.substr(8, 2), ""}, {view.substr(0, 2), "ab"}, {view.substr(2, 1), "c"}, {view.substr(5, 0), "-"}};
  const auto pieces = splice(body, edits);
  ASSERT_TRUE(pieces);
  EXPECT_EQ(texts(*pieces), (std::vector<std::string>{"ab", "c", "34", "-", "567"}));
}

TEST(Splice, NoEditIsTheBodyItself) {
  const auto pieces = splice("body", {});
  ASSERT_TRUE(pieces);
  EXPECT_EQ(texts(*pieces), std::vector<std::string>{"body"});
}

TEST(Splice, RefusesWhatCannotBeDone) {
  const std::string body = "0123456789";
  const std::string other = "elsewhere";
  const std::string_view view = body;
  const Edit overlap[] = {{view.substr(0, 3), ""}, {view.substr(2, 3), ""}};
  EXPECT_FALSE(splice(body, overlap));
  const Edit outside[] = {{other, ""}};
  EXPECT_FALSE(splice(body, outside));
  const Edit absent[] = {{{}, "x"}};
  EXPECT_FALSE(splice(body, absent));
  const Edit past_the_end[] = {{view.substr(5), ""}};
  EXPECT_FALSE(splice(view.substr(0, 7), past_the_end));
  const std::vector<Edit> many(kEditsMax + 1, Edit{view.substr(0, 0), ""});
  EXPECT_EQ(splice(body, many).error().code, base::ErrorCode::too_large);
}

TEST(Splice, QuotesReplacements) {
  base::Arena arena;
  EXPECT_EQ(quoted(arena, "gpt-4"), "\"gpt-4\"");
  EXPECT_EQ(quoted(arena, "a\"b\\\n\xFF"), "\"a\\\"b\\\\\\n\xEF\xBF\xBD\"");
  EXPECT_EQ(quoted(arena, ""), "\"\"");
}

}  // namespace
}  // namespace llmgw::json
