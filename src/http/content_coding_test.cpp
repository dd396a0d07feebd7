#include "http/content_coding.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <utility>

namespace llmgw::http {
namespace {

std::string compress(std::string_view text, int window) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;
constexpr int kRaw = -15;
constexpr size_t kMax = 1 << 20;

TEST(ContentCoding, DecodesAnySplit) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "event " + std::to_string(i) + "\n";
  const std::pair<const char*, int> codings[] = {
      {"gzip", kGzip}, {"X-GZIP", kGzip}, {"deflate", kZlib}, {"deflate", kRaw}};
  for (const auto& [name, window] : codings) {
    const std::string coded = compress(text, window);
    for (const size_t step : {size_t{1}, size_t{7}, size_t{1000}, coded.size()}) {
      auto decoder = ContentDecoder::create(name, kMax);
      ASSERT_TRUE(decoder && *decoder);
      std::string out;
      for (size_t at = 0; at < coded.size(); at += step) {
        ASSERT_TRUE((*decoder)->feed(std::string_view(coded).substr(at, step), out)) << name << window;
      }
      EXPECT_EQ(out, text);
      EXPECT_TRUE((*decoder)->finished());
    }
  }
}

TEST(ContentCoding, MembersOfGzipAreOneBody) {
  const std::string coded = compress("one ", kGzip) + compress(std::string(40'000, 'x'), kGzip) + compress("", kGzip) +
                            compress(" two", kGzip) + "trailing garbage";
  for (size_t step = 1; step <= coded.size(); ++step) {
    auto decoder = ContentDecoder::create("gzip", kMax);
    std::string out;
    for (size_t at = 0; at < coded.size(); at += step) {
      ASSERT_TRUE((*decoder)->feed(std::string_view(coded).substr(at, step), out)) << step;
    }
    EXPECT_EQ(out, "one " + std::string(40'000, 'x') + " two") << step;
    EXPECT_TRUE((*decoder)->finished());
  }
  std::string out;
  auto bomb = ContentDecoder::create("gzip", kMax);
  const std::string member = compress(std::string(kMax / 2 + 1, 'x'), kGzip);
  EXPECT_EQ((*bomb)->feed(member + member, out).error().code, base::ErrorCode::too_large);
}

TEST(ContentCoding, NothingToDoAndNothingKnown) {
  EXPECT_EQ(*ContentDecoder::create("", kMax), nullptr);
  EXPECT_EQ(*ContentDecoder::create("identity", kMax), nullptr);
  EXPECT_EQ(ContentDecoder::create("zstd", kMax).error().code, base::ErrorCode::unsupported);
}

TEST(ContentCoding, RefusesBombsAndGarbage) {
  std::string out;
  auto bomb = ContentDecoder::create("gzip", kMax);
  EXPECT_EQ((*bomb)->feed(compress(std::string(8 * kMax, 'x'), kGzip), out).error().code, base::ErrorCode::too_large);
  EXPECT_LE(out.size(), kMax);
  auto garbage = ContentDecoder::create("gzip", kMax);
  EXPECT_EQ((*garbage)->feed("this is no gzip", out).error().code, base::ErrorCode::protocol);
  auto cut = ContentDecoder::create("gzip", kMax);
  ASSERT_TRUE((*cut)->feed(compress("hello", kGzip).substr(0, 12), out));
  EXPECT_FALSE((*cut)->finished());
}

}  // namespace
}  // namespace llmgw::http
