#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <tuple>
#include <utility>

#include "base/rng.h"
#include "control/key_table.h"
#include "control/model_filter.h"
#include "control/siphash.h"
#include "control/toml_tree.h"
#include "control/units.h"

namespace llmgw::control {
namespace {

TEST(Units, Timestamps) {
  EXPECT_EQ(parse_timestamp("1970-01-01")->seconds, 0);
  EXPECT_EQ(parse_timestamp("2027-01-31T12:00:00Z")->seconds, 1'801'396'800);
  EXPECT_EQ(parse_timestamp("2027-01-31 14:00:00+02:00")->seconds, 1'801'396'800);
  EXPECT_EQ(parse_timestamp("2027-01-31T06:30:00-05:30")->seconds, 1'801'396'800);
  EXPECT_EQ(parse_timestamp("2027-01-31T12:00:00.000Z")->seconds, 1'801'396'800);
  EXPECT_EQ(parse_timestamp("2027-01-31T11:59:59.352Z")->seconds, 1'801'396'800);
  EXPECT_EQ(parse_timestamp("2027-01-31T13:59:59.000000001+02:00")->seconds, 1'801'396'800);
  EXPECT_EQ(format_timestamp({1'801'396'800}), "2027-01-31T12:00:00Z");
  EXPECT_EQ(parse_timestamp(format_timestamp({253'402'300'799}))->seconds, 253'402'300'799);
  for (const char* text :
       {"", "2027", "2027-1-1", "2027-13-01", "2027-02-29", "1969-12-31", "2027-01-31T12:00:00", "2027-01-31T24:00:00Z",
        "2027-01-31T12:60:00Z", "2027-01-31T12:00:00+2:00", "2027-01-31T12:00:00Zx", "1970-01-01T00:00:00+01:00",
        "2027-01-31T12:00Z", "2027-01-31T12:00:00.Z", "9999-12-31T23:59:59.5Z", "9999-12-31T23:59:59-00:01"}) {
    EXPECT_FALSE(parse_timestamp(text)) << text;
  }
}

TEST(Units, Durations) {
  using namespace std::chrono;
  const std::pair<const char*, base::Duration> good[] = {{"0s", seconds(0)},   {"250ms", milliseconds(250)},
                                                         {"30s", seconds(30)}, {"5m", minutes(5)},
                                                         {"2h", hours(2)},     {"7d", hours(168)}};
  for (const auto& [text, value] : good) {
    EXPECT_EQ(parse_duration(text), value) << text;
    EXPECT_EQ(format_duration(value), text);
  }
  for (const auto* bad : {"", "s", "30", "30 s", "-1s", "1.5s", "30S", "1s1", "99999999999999999999s", "106752d"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
}

TEST(Units, Sizes) {
  const std::tuple<const char*, uint64_t, const char*> good[] = {{"0", 0, "0"},
                                                                 {"512", 512, "512"},
                                                                 {"64KiB", 65536, "64KiB"},
                                                                 {"10MiB", 10 << 20, "10MiB"},
                                                                 {"1GiB", 1u << 30, "1GiB"},
                                                                 {"10MB", 10'000'000, "10000000"},
                                                                 {"2048", 2048, "2KiB"}};
  for (const auto& [text, bytes, formatted] : good) {
    EXPECT_EQ(parse_size(text), ByteSize{bytes}) << text;
    EXPECT_EQ(format_size({bytes}), formatted);
  }
  for (const auto* bad : {"", "KiB", "10 MiB", "10mib", "-1", "1.5MiB", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(Toml, KeepsTheOrderAndPlacesOfTheFile) {
  const auto document = parse_toml("z = 1\n[b]\ny = \"x\"\na = [true, 1.5]\n");
  ASSERT_TRUE(document);
  ASSERT_EQ(document->members.size(), 2u);
  EXPECT_EQ(document->members[0].key, "z");
  const auto& table = document->members[1].value;
  EXPECT_EQ(table.members[0].key, "y");
  EXPECT_EQ(table.members[1].at, (Location{4, 1}));
  EXPECT_EQ(table.members[1].value.items[1].at, (Location{4, 12}));
  EXPECT_EQ(table.members[1].value.items[1].number, 1.5);
}

TEST(Toml, RefusesWithAPlace) {
  for (const auto* text :
       {"a", "a = ", "a = 1\na = 2", "[a]\n[a]", "\xff", "a = \"\xc3\x28\"", "a = 99999999999999999999"}) {
    const auto document = parse_toml(text);
    ASSERT_FALSE(document) << text;
    EXPECT_GE(document.error().at.line, 1u);
    EXPECT_GE(document.error().at.column, 1u);
    EXPECT_FALSE(document.error().message.empty());
  }
  // Letters of every range the parser's tables treat apart, where only a key or a value may stand.
  for (const auto* letter :
       {"\u00a1", "\u00fc", "\u0436", "\u0499", "\u2e80", "\u3131", "\ufb86", "\ufefe", "\U0001f600"}) {
    for (const auto* place : {"%", "a%", "a = %", "a = 1 %", "[%]", "a.% = 1", "a = [1, %]"}) {
      std::string text = place;
      text.replace(text.find('%'), 1, letter);
      EXPECT_FALSE(parse_toml(text)) << text;
    }
    EXPECT_TRUE(parse_toml("a = \"" + std::string(letter) + "\" # " + letter)) << letter;
  }
  std::string deep = "a = ";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  EXPECT_FALSE(parse_toml(deep));
}

// The same in OpenSSL, for every length up to several blocks.
Hash128 openssl_siphash(const SipKey& key, std::string_view text) {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
  EVP_MAC_CTX* context = EVP_MAC_CTX_new(mac);
  unsigned int size = 16;
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_construct_end()};
  Hash128 hash;
  size_t written = 0;
  EXPECT_EQ(EVP_MAC_init(context, reinterpret_cast<const unsigned char*>(&key), sizeof key, parameters), 1);
  EXPECT_EQ(EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(text.data()), text.size()), 1);
  EXPECT_EQ(EVP_MAC_final(context, reinterpret_cast<unsigned char*>(&hash), &written, sizeof hash), 1);
  EVP_MAC_CTX_free(context);
  EVP_MAC_free(mac);
  return hash;
}

TEST(SipHash, AgreesWithOpenSsl) {
  base::Rng random(7);
  std::string text;
  for (size_t length = 0; length < 100; ++length) {
    const SipKey key{random.next(), random.next()};
    EXPECT_EQ(siphash128(key, text), openssl_siphash(key, text)) << length;
    text.push_back(static_cast<char>(random.next()));
  }
}

TEST(KeyTable, FindsWhatWasAddedAndNothingElse) {
  constexpr uint32_t kKeys = 5000;
  KeyTable table({3, 4}, kKeys);
  for (uint32_t i = 0; i < kKeys; ++i) EXPECT_TRUE(table.add("key-" + std::to_string(i), i));
  EXPECT_FALSE(table.add("key-7", 1));
  for (uint32_t i = 0; i < kKeys; ++i) EXPECT_EQ(table.find("key-" + std::to_string(i)), i);
  for (const auto* other : {"", "key-", "key-5000", "KEY-1", "key-1\n"}) EXPECT_FALSE(table.find(other)) << other;
  EXPECT_FALSE(KeyTable().find("x"));
}

TEST(ModelFilter, ExactNamesAndPatterns) {
  const ModelFilter filter({"gpt-4o", "claude-*", "b", "*-mini"});
  for (const auto* name : {"gpt-4o", "claude-", "claude-3", "b", "x-mini"}) EXPECT_TRUE(filter.allows(name)) << name;
  for (const auto* name : {"", "gpt-4", "gpt-4o-x", "claude", "mini", "c"}) EXPECT_FALSE(filter.allows(name)) << name;
  EXPECT_FALSE(filter.allows_everything());
  EXPECT_TRUE(ModelFilter({"a", "*"}).allows("z"));
  EXPECT_FALSE(ModelFilter({}).allows("z"));
  EXPECT_THAT(filter.patterns(), testing::UnorderedElementsAre("gpt-4o", "claude-*", "b", "*-mini"));
}

}  // namespace
}  // namespace llmgw::control
