#include "json/direct_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace llmgw::json {
namespace {

bool by_index(Parser& parser, std::string_view text) {
  const auto document = parser.parse(text);
  if (!document) return false;
  Reader reader(*document);
  reader.skip();
  return reader.finish().has_value();
}

bool directly(std::string_view text) {
  DirectReader reader(text);
  reader.skip();
  return reader.finish().has_value() && reader.is_utf8();
}

TEST(DirectReader, ReadsMembersAndValues) {
  DirectReader reader(R"( {"a" : "x\"y", "n":17,"list":[true , null,-1.5e3], "o":{}} )");
  std::string_view key;
  ASSERT_TRUE(reader.enter_object());
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(key, "a");
  EXPECT_EQ(reader.kind(), Kind::string);
  EXPECT_EQ(reader.string(), "x\\\"y");
  EXPECT_EQ(reader.consumed(), 14U);
  EXPECT_EQ(reader.position(), 14U);
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(reader.unsigned_integer(), 17U);
  ASSERT_TRUE(reader.next_member(key));
  ASSERT_TRUE(reader.enter_array());
  ASSERT_TRUE(reader.next_element());
  EXPECT_TRUE(reader.boolean());
  ASSERT_TRUE(reader.next_element());
  reader.null();
  ASSERT_TRUE(reader.next_element());
  EXPECT_EQ(reader.unsigned_integer(), std::nullopt);
  EXPECT_FALSE(reader.next_element());
  ASSERT_TRUE(reader.next_member(key));
  EXPECT_EQ(key, "o");
  reader.skip();
  EXPECT_FALSE(reader.next_member(key));
  EXPECT_TRUE(reader.finish());
}

TEST(DirectReader, ErrorsStick) {
  DirectReader reader(R"({"a":tru,"b":1})");
  std::string_view key;
  ASSERT_TRUE(reader.enter_object() && reader.next_member(key));
  reader.skip();
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.kind(), Kind::invalid);
  EXPECT_FALSE(reader.next_member(key));
  EXPECT_FALSE(reader.finish());
}

// Documents in a buffer of their exact size: a byte read behind it is found.
TEST(DirectReader, TakesWhatReaderTakes) {
  const std::vector<std::string> documents = {
      R"([{"a":[1,2,{"b":[[],{}]}],"c":"d"},-0.5e-7,true,false,null,"\u00e9\\"])",
      "[\"" + std::string(100, 'x') + "\xc3\xa9" + std::string(100, 'y') + "\\\\\", 1 , \"\\\"\"]",
      " 12 ",
      R"("text")",
      "{\"\xe6\xb5\xb7\":\"\xf0\x9f\x98\x80\"}",
  };
  constexpr std::string_view kBytes = "{}[]\",:\\ \n\t019-+.eEtrufalsn\x01\x1f\x7f\x80\xc3\xe6\xff";
  std::minstd_rand random(3);
  Parser parser;
  size_t taken = 0;
  for (int round = 0; round < 40'000; ++round) {
    const std::string& document = documents[random() % documents.size()];
    std::vector<char> bytes(document.begin(), document.end());
    for (size_t edits = random() % 3; edits > 0 && !bytes.empty(); --edits) {
      const auto at = bytes.begin() + static_cast<ptrdiff_t>(random() % bytes.size());
      if (random() % 2 == 0) {
        *at = kBytes[random() % kBytes.size()];
      } else {
        bytes.erase(at);
      }
    }
    const std::string_view text(bytes.data(), bytes.size());
    const bool expected = by_index(parser, text);
    ASSERT_EQ(directly(text), expected) << text;
    taken += expected ? 1 : 0;
  }
  EXPECT_GT(taken, 10'000U) << "both sides must be seen";
  EXPECT_LT(taken, 35'000U);
}

TEST(DirectReader, StringsStopAtTheSameByteHoweverLong) {
  for (size_t size = 0; size < 260; ++size) {
    for (const char stop : {'"', '\\', '\x1f', '\x00'}) {
      std::vector<char> text(size + 40, 'x');
      text[size] = stop;
      bool ascii = true;
      EXPECT_EQ(find_string_stop(text.data(), text.data() + text.size(), ascii), text.data() + size);
      EXPECT_TRUE(ascii);
      if (size == 0) continue;
      text[size / 2] = '\xc3';
      EXPECT_EQ(find_string_stop(text.data(), text.data() + text.size(), ascii), text.data() + size);
      EXPECT_FALSE(ascii) << size;
    }
    const std::vector<char> plain(size, 'y');
    bool ascii = true;
    EXPECT_EQ(find_string_stop(plain.data(), plain.data() + size, ascii), plain.data() + size);
  }
}

// The rule a byte at a time: what follows a backslash is hidden by it.
const char* end_bytewise(const char* p, const char* end, bool& ascii) {
  for (; p < end; ++p) {
    if (*p == '\\' && p + 1 < end && static_cast<unsigned char>(p[1]) >= 0x20) {
      ++p;
    } else if (*p == '"' || static_cast<unsigned char>(*p) < 0x20) {
      return p;
    }
    if (static_cast<unsigned char>(*p) >= 0x80) ascii = false;
  }
  return end;
}

// In buffers of their exact size, with runs of backslashes over the borders of every block.
TEST(DirectReader, StringsWithEscapesEndAtTheSameByte) {
  constexpr std::string_view kRare = "\"\x1f\xc3";
  std::minstd_rand random(5);
  size_t inside = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<char> text(random() % 300, 'x');
    const size_t escapes = random() % (text.size() + 1);
    for (size_t i = 0; i < escapes; ++i) text[random() % text.size()] = '\\';
    for (size_t i = random() % 3; i > 0 && !text.empty(); --i) text[random() % text.size()] = kRare[random() % 3];
    const char* const begin = text.data();
    const char* const end = begin + text.size();
    bool ascii[] = {true, true, true};
    const char* const expected = end_bytewise(begin, end, ascii[0]);
    ASSERT_EQ(find_string_end(begin, end, ascii[1]) - begin, expected - begin) << std::string(begin, end);
    ASSERT_EQ(find_string_end_narrow(begin, end, ascii[2]) - begin, expected - begin) << std::string(begin, end);
    ASSERT_EQ(ascii[1], ascii[0]) << std::string(begin, end);
    ASSERT_EQ(ascii[2], ascii[0]) << std::string(begin, end);
    inside += expected != end ? 1 : 0;
  }
  EXPECT_GT(inside, 4'000U) << "both must be seen";
  EXPECT_LT(inside, 16'000U);
}

}  // namespace
}  // namespace llmgw::json
