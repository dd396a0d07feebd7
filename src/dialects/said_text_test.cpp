#include "dialects/said_text.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::dialects {
namespace {

using chat::Dialect;

void expect_place(const CitedPlace& place, uint64_t start, uint64_t end, std::string_view text) {
  EXPECT_TRUE(place.known);
  EXPECT_EQ(place.start, start);
  EXPECT_EQ(place.end, end);
  EXPECT_EQ(place.text, text);
}

// "Grüße. " is 9 bytes and 7 characters; "日本 so 🙂." is 15 bytes and 8 characters.
SaidText two_parts() {
  SaidText said;
  said.start_part();
  said.add("Grü");
  said.add("ße. ");
  said.start_part();
  said.add("日本 so ");
  said.add("🙂.");
  return said;
}

TEST(SaidText, EveryApiCountsInItsOwnWay) {
  struct Count {
    Dialect dialect;
    uint64_t start, end;
  };
  const Count counts[] = {{Dialect::gemini, 16, 23}, {Dialect::vertex, 16, 23},         {Dialect::openai_chat, 10, 14},
                          {Dialect::azure, 10, 14},  {Dialect::openai_responses, 3, 7}, {Dialect::cohere, 10, 14}};
  SaidText said = two_parts();
  for (const Count& from : counts) {
    for (const Count& to : counts) {
      expect_place(said.place(from.start, from.end, from.dialect, to.dialect), to.start, to.end, "so 🙂");
    }
  }
}

TEST(SaidText, NoStartIsTheBeginning) {
  SaidText said = two_parts();
  expect_place(said.place({}, 7, Dialect::gemini, Dialect::openai_chat), 0, 5, "Grüße");
  expect_place(said.place({}, 2, Dialect::openai_responses, Dialect::gemini), 9, 15, "日本");
}

// Also of those who say 0 to 0, or more than there is.
TEST(SaidText, WhoKnowsNoPlaceCitesThePart) {
  SaidText said = two_parts();
  for (const CitedPlace& place : {said.place({}, {}, Dialect::anthropic, Dialect::openai_chat),
                                  said.place(0, 0, Dialect::openai_chat, Dialect::openai_chat),
                                  said.place(3, 99, Dialect::gemini, Dialect::openai_chat)}) {
    EXPECT_FALSE(place.known);
    EXPECT_EQ(place.start, 7u);
    EXPECT_EQ(place.end, 15u);
    EXPECT_EQ(place.text, "日本 so 🙂.");
  }
  const CitedPlace earlier = said.place(0, 5, Dialect::openai_chat, Dialect::openai_responses);
  EXPECT_FALSE(earlier.known);
  EXPECT_EQ(earlier.end, 8u);
  EXPECT_EQ(said.place({}, {}, Dialect::bedrock, Dialect::gemini).end, 24u);
}

// A provider that cites in front of the text: nothing of it is seen, but the numbers mean the same.
TEST(SaidText, OfTextToComeOnlyCharactersCanBeTold) {
  SaidText said;
  said.start_part();
  said.add("Grüße. ");
  said.start_part();
  const CitedPlace place = said.place(2, 5, Dialect::openai_responses, Dialect::cohere);
  EXPECT_EQ(place.start, 9u);
  EXPECT_EQ(place.end, 12u);
  EXPECT_EQ(place.text, "");
  EXPECT_FALSE(said.place(2, 5, Dialect::openai_responses, Dialect::gemini).known);
}

// Across the marks that make searching short, and behind what is kept.
TEST(SaidText, LongTextsAreSearchedAndBounded) {
  SaidText said;
  said.start_part();
  constexpr uint64_t kCharacters = 400'000;
  for (uint64_t i = 0; i < kCharacters; i += 4) said.add("aé日🙂");  // 10 bytes
  for (const uint64_t at : {uint64_t{0}, uint64_t{408}, uint64_t{1636}, uint64_t{40'000}, uint64_t{400'000 - 4}}) {
    expect_place(said.place(at + 1, at + 3, Dialect::openai_chat, Dialect::gemini), at / 4 * 10 + 1, at / 4 * 10 + 6,
                 "é日");
    expect_place(said.place(at / 4 * 10 + 1, at / 4 * 10 + 6, Dialect::gemini, Dialect::cohere), at + 1, at + 3, "é日");
  }
  for (int i = 0; i < 10; ++i) said.add(std::string(10'000, 'b'));
  const CitedPlace place = said.place(1'090'000, 1'090'001, Dialect::gemini, Dialect::openai_chat);
  EXPECT_FALSE(place.known);
  EXPECT_EQ(place.end, 500'000u);
}

}  // namespace
}  // namespace llmgw::dialects
