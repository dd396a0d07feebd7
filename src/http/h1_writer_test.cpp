#include "http/h1_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "http/h1_parser.h"

namespace llmgw::http {
namespace {

using base::ErrorCode;
using namespace std::string_view_literals;

TEST(HeadWriter, WritesARequest) {
  std::string out = "before";
  HeadWriter writer(out);
  writer.request_line("POST", "/v1/messages?beta=true").header(HeaderId::host, "api.example.com");
  writer.header("authorization", "Bearer ", "secret").framing(Framing::content_length, 18446744073709551615u);
  ASSERT_TRUE(writer.finish().has_value());
  EXPECT_EQ(out,
            "beforePOST /v1/messages?beta=true HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer secret\r\n"
            "content-length: 18446744073709551615\r\n\r\n");
}

TEST(HeadWriter, WritesAResponse) {
  std::string out;
  HeadWriter writer(out);
  writer.status_line(429).number(HeaderId::retry_after, 7).framing(Framing::chunked, 0).trusted_lines("a: b\r\n");
  writer.framing(Framing::none, 0).framing(Framing::until_close, 0);
  ASSERT_TRUE(writer.finish().has_value());
  EXPECT_EQ(out, "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ntransfer-encoding: chunked\r\na: b\r\n\r\n");
}

TEST(HeadWriter, WhatItWritesTheParserReads) {
  std::string out;
  HeadWriter writer(out);
  writer.status_line(200, "Fine \xc3\xa9").header("X-A", "caf\xc3\xa9\t!").framing(Framing::content_length, 3);
  ASSERT_TRUE(writer.finish().has_value());
  ResponseHead head;
  ASSERT_EQ(parse_response_head(out, {}, Method::get, head).status, ParseStatus::complete);
  EXPECT_EQ(head.reason, "Fine \xc3\xa9");
  EXPECT_EQ(head.headers.value("x-a"), "caf\xc3\xa9\t!");
  EXPECT_EQ(head.content_length, 3u);
}

TEST(HeadWriter, WritesNamesAndValuesOfAnyLength) {
  std::string letters;
  for (size_t i = 0; i < 60; ++i) letters += static_cast<char>('a' + i % 26);
  std::string out;
  std::string expected = "HTTP/1.1 200 OK\r\n";
  HeadWriter writer(out);
  writer.status_line(200);
  for (size_t name = 1; name < 40; name += 3) {
    for (size_t value = 0; value < 40; ++value) {
      const std::string_view prefix = value % 2 == 0 ? "" : "Bearer ";
      writer.header(letters.substr(0, name), prefix, letters.substr(7, value));
      expected += letters.substr(0, name) + ": " + std::string(prefix) + letters.substr(7, value) + "\r\n";
    }
  }
  EXPECT_TRUE(writer.finish());
  EXPECT_EQ(out, expected + "\r\n");
}

TEST(HeadWriter, RefusesInjection) {
  constexpr std::string_view kValues[] = {"a\r\nX: y", "a\nX: y", "a\rb", "a\0b"sv, "\x7f", "0123456789abcdef\r\n"};
  for (const std::string_view value : kValues) {
    std::string out = "before";
    HeadWriter as_value(out);
    as_value.status_line(200).header("x", value).header("y", "z");
    EXPECT_EQ(as_value.finish().error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(out, "before") << "nothing of a refused head may stay";
    HeadWriter as_prefix(out);
    EXPECT_FALSE(as_prefix.status_line(200).header("x", value, "z").finish().has_value());
    HeadWriter as_name(out);
    EXPECT_FALSE(as_name.status_line(200).header(value, "z").finish().has_value());
    HeadWriter as_reason(out);
    EXPECT_FALSE(as_reason.status_line(200, value).finish().has_value());
    HeadWriter as_target(out);
    EXPECT_FALSE(as_target.request_line("GET", value).finish().has_value());
    HeadWriter as_method(out);
    EXPECT_FALSE(as_method.request_line(value, "/").finish().has_value());
    EXPECT_EQ(out, "before");
  }
  std::string out;
  EXPECT_FALSE(HeadWriter(out).request_line("GET", "/a b").finish().has_value());
  EXPECT_FALSE(HeadWriter(out).request_line("GET", "").finish().has_value());
  EXPECT_FALSE(HeadWriter(out).status_line(200).header("", "x").finish().has_value());
  EXPECT_FALSE(HeadWriter(out).status_line(200).header("a:b", "x").finish().has_value());
  EXPECT_FALSE(HeadWriter(out).status_line(99).finish().has_value());
  EXPECT_FALSE(HeadWriter(out).status_line(600).finish().has_value());
}

// Only what the strict parser has read is written without another look; a copy with another value is not.
TEST(HeadWriter, TrustsOnlyWhatAParserHasRead) {
  ResponseHead head;
  ASSERT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nX-Some_Name: a b\r\n\r\n", {}, Method::get, head).status,
            ParseStatus::complete);
  EXPECT_TRUE(head.headers[0].checked);
  Headers made;
  made.append(head.headers[0]);
  made.append("x-made", "a\r\nb: c");
  EXPECT_TRUE(made[0].checked);
  EXPECT_FALSE(made[1].checked);
  std::string out;
  EXPECT_TRUE(HeadWriter(out).status_line(200).header(made[0]).finish().has_value());
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nX-Some_Name: a b\r\n\r\n");
  EXPECT_FALSE(HeadWriter(out).status_line(200).header(made[1]).finish().has_value());
}

TEST(HeadBuffer, SaysWhenAHeadDoesNotFit) {
  char memory[64];
  HeadBuffer buffer(memory);
  FixedHeadWriter fits(buffer);
  ASSERT_TRUE(fits.status_line(204).header("a", "b").finish().has_value());
  EXPECT_EQ(buffer.view(), "HTTP/1.1 204 No Content\r\na: b\r\n\r\n");
  FixedHeadWriter too_long(buffer);
  too_long.status_line(200).header("name", "0123456789012345678901234567890123456789");
  EXPECT_EQ(too_long.finish().error().code, ErrorCode::too_large);
  EXPECT_EQ(buffer.view(), "HTTP/1.1 204 No Content\r\na: b\r\n\r\n");
}

TEST(Trailers, AreWrittenOrRefusedWhole) {
  Headers trailers;
  trailers.append("X-Checksum", "1");
  std::string out = "0\r\n";
  ASSERT_TRUE(append_trailers(out, trailers));
  EXPECT_EQ(out, "0\r\nX-Checksum: 1\r\n\r\n");
  trailers.append("x", "a\r\nb");
  EXPECT_FALSE(append_trailers(out, trailers));
  trailers.clear();
  trailers.append("Content-Length", "5");
  EXPECT_FALSE(append_trailers(out, trailers));
  EXPECT_EQ(out, "0\r\nX-Checksum: 1\r\n\r\n");
}

}  // namespace
}  // namespace llmgw::http
