#include "chat/signature.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace llmgw::chat {
namespace {

const Signature kSigned{.minter = Minter::vertex,
                        .place = SignaturePlace::next_part,
                        .model = "gemini:3",
                        .id = "rs_1",
                        .data = "AbC+/=:x"};

void expect_same(const Signature& a, const Signature& b) {
  EXPECT_EQ(a.minter, b.minter);
  EXPECT_EQ(a.place, b.place);
  EXPECT_EQ(a.model, b.model);
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.data, b.data);
}

TEST(Signature, ComesHomeThroughAForeignDialect) {
  base::Arena arena;
  expect_same(unwrap_signature(wrap_signature(kSigned, arena), Minter::anthropic), kSigned);
  const std::string_view coded = wrap_signature_base64(kSigned, arena);
  expect_same(unwrap_signature_base64(coded, Minter::gemini, arena), kSigned);
  std::string url_safe(coded);
  for (char& c : url_safe) c = c == '+' ? '-' : c == '/' ? '_' : c;
  expect_same(unwrap_signature_base64(url_safe, Minter::gemini, arena), kSigned);
}

TEST(Signature, WithoutATagItIsTheDialectsOwn) {
  base::Arena arena;
  for (const std::string_view text : {"EqQBCg", "lgw1:", "lgw1:vertex:n:9:0:short", "lgw1:nobody:t:0:0:x",
                                      "lgw1:vertex:n:99999999999999999999:0:x"}) {
    const Signature signature = unwrap_signature(text, Minter::anthropic);
    EXPECT_EQ(signature.minter, Minter::anthropic) << text;
    EXPECT_EQ(signature.data, text);
  }
  EXPECT_EQ(unwrap_signature_base64("bGd3MT!!", Minter::gemini, arena).data, "bGd3MT!!");
}

TEST(Signature, GoesBackOnlyToItsMinterAndModel) {
  EXPECT_TRUE(may_return(kSigned, Minter::vertex, "gemini:3"));
  EXPECT_FALSE(may_return(kSigned, Minter::vertex, "gemini:4"));
  EXPECT_FALSE(may_return(kSigned, Minter::gemini, "gemini:3"));
  EXPECT_TRUE(may_return({.minter = Minter::gemini, .data = "x"}, Minter::gemini, "any"));
  EXPECT_FALSE(may_return({.minter = Minter::gemini}, Minter::gemini, "any"));
}

}  // namespace
}  // namespace llmgw::chat
