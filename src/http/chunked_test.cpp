#include "http/chunked.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace llmgw::http {
namespace {

using base::ErrorCode;

struct Decoded {
  std::string data;
  std::optional<ErrorCode> error;
  bool done = false;
  size_t consumed = 0;
};

// Feeds pieces of `step` bytes, each in memory of its own.
Decoded decode(ChunkedDecoder& decoder, std::string_view bytes, size_t step) {
  Decoded out;
  for (size_t at = 0; at < bytes.size() && !out.done; at += step) {
    const std::string part(bytes.substr(at, step));
    std::string_view left = part;
    while (!left.empty() && !out.done) {
      const auto piece = decoder.feed(left);
      if (!piece) {
        EXPECT_FALSE(decoder.feed(left).has_value()) << "the error must stay";
        out.error = piece.error().code;
        return out;
      }
      EXPECT_GT(piece->consumed, 0u);
      out.data += piece->data;
      out.consumed += piece->consumed;
      out.done = piece->done;
      left.remove_prefix(piece->consumed);
    }
  }
  return out;
}

Decoded decode(std::string_view bytes, size_t step, const ChunkedLimits& limits = {}) {
  ChunkedDecoder decoder(limits);
  return decode(decoder, bytes, step);
}

TEST(ChunkedDecoder, ReadsChunksAtEverySplit) {
  const std::string_view bytes =
      "5\r\nhello\r\n6;name=value;q=\"a;\\\"\"\r\n world\r\n00A\r\n0123456789\r\n0\r\n\r\nGET /next";
  for (size_t step = 1; step <= bytes.size(); ++step) {
    const Decoded out = decode(bytes, step);
    EXPECT_FALSE(out.error.has_value());
    EXPECT_TRUE(out.done);
    EXPECT_EQ(out.data, "hello world0123456789");
    EXPECT_EQ(bytes.substr(out.consumed), "GET /next");
  }
}

TEST(ChunkedDecoder, HandsOutTheBytesItWasGiven) {
  ChunkedDecoder decoder;
  const std::string bytes = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  const auto first = decoder.feed(bytes);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->data.data(), bytes.data() + 3);
  EXPECT_EQ(first->data, "abc");
  const auto second = decoder.feed(std::string_view(bytes).substr(first->consumed));
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(second->data, "de");
  EXPECT_TRUE(second->done) << "the last piece brings the end of the body with it";
}

TEST(ChunkedDecoder, RefusesMalformedFramingAtEverySplit) {
  using namespace std::string_view_literals;
  struct Row {
    std::string_view what;
    std::string_view bytes;
    std::string_view data;  // what came before the mistake
    ErrorCode error;
  };
  constexpr auto kProtocol = ErrorCode::protocol;
  constexpr Row kRows[] = {
      {"no size", "\r\nhello", "", kProtocol},
      {"size not hexadecimal", "g\r\n", "", kProtocol},
      {"0x prefix", "0x5\r\nhello\r\n", "", kProtocol},
      {"plus", "+5\r\nhello\r\n", "", kProtocol},
      {"minus", "-5\r\nhello\r\n", "", kProtocol},
      {"space before the size", " 5\r\nhello\r\n", "", kProtocol},
      {"space behind the size", "5 \r\nhello\r\n", "", kProtocol},
      {"tab behind the size", "5\t\r\nhello\r\n", "", kProtocol},
      {"underscore", "1_0\r\n", "", kProtocol},
      {"dot", "5.0\r\n", "", kProtocol},
      {"NUL behind the size", "5\0\r\nhello\r\n"sv, "", kProtocol},
      {"LF behind the size", "5\nhello\r\n", "", kProtocol},
      {"CR behind the size", "5\rhello\r\n", "", kProtocol},
      {"CR CR LF behind the size", "5\r\r\nhello\r\n", "", kProtocol},
      {"17 digits", "00000000000000005\r\nhello\r\n", "", kProtocol},
      {"size 2^64", "10000000000000000\r\n", "", kProtocol},
      {"size 2^64 - 1", "ffffffffffffffff\r\n", "", ErrorCode::too_large},
      {"size 2^63", "8000000000000000\r\n", "", ErrorCode::too_large},
      {"sizes that add up to 2^63", "1\r\na\r\n7fffffffffffffff\r\n", "a", ErrorCode::too_large},
      {"data ended by LF", "5\r\nhello\n0\r\n\r\n", "hello", kProtocol},
      {"data ended by CR", "5\r\nhello\r0\r\n\r\n", "hello", kProtocol},
      {"data without an end", "5\r\nhello0\r\n\r\n", "hello", kProtocol},
      {"data too long", "5\r\nhello!\r\n0\r\n\r\n", "hello", kProtocol},
      {"data too short", "5\r\nhell\r\n0\r\n\r\n", "hell\r", kProtocol},
      {"second size missing", "5\r\nhello\r\n\r\n", "hello", kProtocol},
      {"extension with LF", "5;a\nb\r\nhello\r\n", "", kProtocol},
      {"extension with CR", "5;a\rb\r\nhello\r\n", "", kProtocol},
      {"extension with a NUL", "5;a=\"\0\"\r\nhello\r\n"sv, "", kProtocol},
      {"extension quoted with CRLF", "5;a=\"\r\nX: y\"\r\nhello\r\n", "", kProtocol},
      {"extension quoted with LF", "5;a=\"\n\"\r\nhello\r\n", "", kProtocol},
      {"extension escaped LF", "5;a=\"\\\n\"\r\nhello\r\n", "", kProtocol},
      {"extension without a name", "5;\r\nhello\r\n", "", kProtocol},
      {"extension without a value", "5;a=\r\nhello\r\n", "", kProtocol},
      {"extension with a space", "5; a\r\nhello\r\n", "", kProtocol},
      {"space before the extension", "5 ;a\r\nhello\r\n", "", kProtocol},
      {"extension behind a quote", "5;a=\"b\"c\r\nhello\r\n", "", kProtocol},
      {"extension without a semicolon", "5a=b\r\nhello\r\n", "", kProtocol},
      {"LF at the end", "0\r\n\n", "", kProtocol},
      {"LF behind the last size", "0\n\r\n", "", kProtocol},
      {"CR at the end", "0\r\n\rX\r\n", "", kProtocol},
      {"trailer with LF", "0\r\nX: y\n\r\n", "", kProtocol},
      {"trailer folded", "0\r\nX: y\r\n z\r\n\r\n", "", kProtocol},
      {"trailer with a space before the colon", "0\r\nX : y\r\n\r\n", "", kProtocol},
      {"trailer without a colon", "0\r\nX\r\n\r\n", "", kProtocol},
      {"trailer without a name", "0\r\n: x\r\n\r\n", "", kProtocol},
      {"trailer with a NUL", "0\r\nX: \0\r\n\r\n"sv, "", kProtocol},
      {"trailer with CR", "0\r\nX: a\rb\r\n\r\n", "", kProtocol},
      {"trailer Content-Length", "0\r\nContent-Length: 5\r\n\r\n", "", kProtocol},
      {"trailer Transfer-Encoding", "0\r\ntransfer-encoding: chunked\r\n\r\n", "", kProtocol},
      {"trailer Host", "0\r\nHost: a\r\n\r\n", "", kProtocol},
      {"next message where trailers end", "0\r\nGET / HTTP/1.1\r\n\r\n", "", kProtocol},
  };
  for (const Row& row : kRows) {
    for (size_t step = 1; step <= row.bytes.size(); ++step) {
      const Decoded out = decode(row.bytes, step);
      EXPECT_EQ(out.error, row.error) << row.what << " in steps of " << step;
      EXPECT_EQ(out.data, row.data) << row.what << " in steps of " << step;
    }
  }
}

TEST(ChunkedDecoder, KeepsItsLimits) {
  const ChunkedLimits limits{.extension_bytes_max = 20, .trailer_bytes_max = 40, .trailers_max = 2};
  EXPECT_TRUE(decode("1;abc\r\na\r\n1;abc\r\nb\r\n0\r\n\r\n", 3, limits).done);
  EXPECT_EQ(decode("1;abcdefgh\r\na\r\n1;abcdefghijkl\r\nb\r\n0\r\n\r\n", 3, limits).error, ErrorCode::too_large);
  EXPECT_TRUE(decode("0\r\na: b\r\nc: d\r\n\r\n", 3, limits).done);
  EXPECT_EQ(decode("0\r\na: b\r\nc: d\r\ne: f\r\n\r\n", 3, limits).error, ErrorCode::too_large);
  EXPECT_EQ(decode("0\r\na: " + std::string(40, 'x') + "\r\n\r\n", 3, limits).error, ErrorCode::too_large);
}

TEST(ChunkedDecoder, GivesTheTrailersThatMayBePassedOn) {
  ChunkedDecoder decoder;
  const std::string_view bytes =
      "1\r\na\r\n0\r\nX-Checksum: 1\r\nAuthorization: no\r\nETag: \"e\"\r\nSet-Cookie: no\r\n\r\nrest";
  const Decoded out = decode(decoder, bytes, 4);
  ASSERT_TRUE(out.done);
  EXPECT_EQ(bytes.substr(out.consumed), "rest");
  Headers trailers;
  decoder.trailers(trailers);
  ASSERT_EQ(trailers.size(), 2u);
  EXPECT_EQ(trailers.value("x-checksum"), "1");
  EXPECT_EQ(trailers.value(HeaderId::etag), "\"e\"");
}

TEST(ChunkHeader, WritesTheSize) {
  EXPECT_EQ(ChunkHeader(1).view(), "1\r\n");
  EXPECT_EQ(ChunkHeader(500).view(), "1f4\r\n");
  EXPECT_EQ(ChunkHeader(UINT64_MAX).view(), "ffffffffffffffff\r\n");
  const std::string body =
      std::string(ChunkHeader(5).view()) + "hello" + std::string(kChunkEnd) + std::string(kLastChunk);
  const Decoded out = decode(body, 2);
  EXPECT_TRUE(out.done);
  EXPECT_EQ(out.data, "hello");
  EXPECT_EQ(out.consumed, body.size());
}

}  // namespace
}  // namespace llmgw::http
