#include "base/base64.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llmgw::base {
namespace {

std::string encode(std::string_view bytes) {
  std::string out(base64_size(bytes.size()), '\0');
  base64_encode(bytes, out.data());
  return out;
}

std::string decode(std::string_view text) {
  std::string out(text.size(), '\0');
  const auto size = base64_decode(text, out.data());
  return size ? out.substr(0, *size) : "bad";
}

// RFC 4648, section 10.
TEST(Base64, TestVectors) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(encode(bytes), text);
    EXPECT_EQ(decode(text), bytes);
  }
}

TEST(Base64, TakesBothAlphabetsWithAndWithoutPadding) {
  const std::string bytes("\xfb\xff\xfe\x00", 4);
  EXPECT_EQ(encode(bytes), "+//+AA==");
  EXPECT_EQ(decode("+//+AA"), bytes);
  EXPECT_EQ(decode("-__-AA=="), bytes);
  EXPECT_EQ(decode("-_ \r\n_-AA"), bytes);
}

TEST(Base64, RefusesWhatItIsNot) {
  for (const std::string_view text : {"a", "ab=c", "ab===", "a*bc", "Zg=", "=", "Zm9vY"}) {
    EXPECT_EQ(decode(text), "bad") << text;
  }
}

TEST(Base64, TellsWhatItIs) {
  for (const std::string_view text : {"", "Zg==", "Zg", "Zm9v", "Zm 9v\nZg==\n", "_-8", "+/8="}) {
    EXPECT_TRUE(is_base64(text)) << text;
  }
  for (const std::string_view text : {"Z", "Zm9vZ", "Zm9!", "Zg==Zg", "\x01Zm9", "Zm9\xff", "Zm9v,", "[`{@"}) {
    EXPECT_FALSE(is_base64(text)) << text;
  }
}

TEST(Base64, AllLengthsRoundTrip) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(decode(encode(bytes)), bytes);
    bytes += static_cast<char>(i * 7);
  }
}

}  // namespace
}  // namespace llmgw::base
