#include "http/body_framing.h"

#include <gtest/gtest.h>

#include <string>

namespace llmgw::http {
namespace {

using base::ErrorCode;

TEST(BodyReader, OfNoBodyIsDone) {
  BodyReader body;
  EXPECT_TRUE(body.done());
  const auto piece = body.feed("next message");
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->consumed, 0u);
  EXPECT_TRUE(piece->done);
  EXPECT_TRUE(body.end_of_stream().has_value());
  EXPECT_TRUE(BodyReader(Framing::content_length, 0).done());
}

TEST(BodyReader, CountsAContentLength) {
  BodyReader body(Framing::content_length, 5);
  EXPECT_EQ(body.remaining(), 5u);
  auto piece = body.feed("he");
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->data, "he");
  EXPECT_FALSE(piece->done);
  piece = body.feed("lloGET");
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->data, "llo");
  EXPECT_EQ(piece->consumed, 3u);
  EXPECT_TRUE(piece->done);
  EXPECT_EQ(body.body_bytes(), 5u);
  EXPECT_TRUE(body.end_of_stream().has_value());
}

TEST(BodyReader, ReadsChunksAndTrailers) {
  BodyReader body(Framing::chunked, 0);
  const auto piece = body.feed("2\r\nab\r\n0\r\nX: y\r\n\r\nGET");
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->data, "ab");
  EXPECT_TRUE(piece->done);
  EXPECT_EQ(piece->consumed, 18u);
  Headers trailers;
  body.trailers(trailers);
  EXPECT_EQ(trailers.value("x"), "y");
}

TEST(BodyReader, ReadsUpToTheEndOfTheConnection) {
  BodyReader body(Framing::until_close, 0);
  const auto piece = body.feed("everything");
  ASSERT_TRUE(piece.has_value());
  EXPECT_EQ(piece->data, "everything");
  EXPECT_FALSE(body.done());
  EXPECT_TRUE(body.end_of_stream().has_value());
  EXPECT_TRUE(body.done());
}

TEST(BodyReader, CallsACutBodyAnError) {
  BodyReader counted(Framing::content_length, 5);
  ASSERT_TRUE(counted.feed("hell").has_value());
  EXPECT_EQ(counted.end_of_stream().error().code, ErrorCode::protocol);
  for (const std::string_view cut : {"", "5", "5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\nX: y\r\n"}) {
    BodyReader chunked(Framing::chunked, 0);
    ASSERT_TRUE(chunked.feed(cut).has_value());
    EXPECT_EQ(chunked.end_of_stream().error().code, ErrorCode::protocol) << cut;
  }
}

TEST(BodyReader, KeepsItsLimit) {
  EXPECT_TRUE(BodyReader(Framing::content_length, 5, 5).feed("hello").has_value());
  BodyReader counted(Framing::content_length, 6, 5);
  EXPECT_EQ(counted.feed("h").error().code, ErrorCode::too_large) << "refused before the first byte";
  BodyReader chunked(Framing::chunked, 0, 5);
  EXPECT_TRUE(chunked.feed("5\r\nhello\r\n").has_value());
  EXPECT_EQ(chunked.feed("1\r\n!").error().code, ErrorCode::too_large);
  EXPECT_EQ(chunked.body_bytes(), 5u);
  BodyReader announced(Framing::chunked, 0, 5);
  EXPECT_TRUE(announced.feed("2\r\nhe\r\n4").has_value());
  EXPECT_EQ(announced.feed("\r\n").error().code, ErrorCode::too_large) << "refused before its data";
  EXPECT_EQ(announced.feed("llo").error().code, ErrorCode::too_large);
  BodyReader open(Framing::until_close, 0, 5);
  EXPECT_TRUE(open.feed("hello").has_value());
  EXPECT_EQ(open.feed("!").error().code, ErrorCode::too_large);
  EXPECT_EQ(open.feed("!").error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace llmgw::http
