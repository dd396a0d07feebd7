#include "http/h1_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "http/h1_grammar.h"

namespace llmgw::http {
namespace {

ParseResult parse(std::string_view bytes, RequestHead& head, const HeadLimits& limits = {}) {
  return parse_request_head(bytes, limits, head);
}

TEST(RequestHead, ReadsAnOrdinaryRequest) {
  const std::string_view bytes =
      "POST /v1/chat/completions?a=1&b=%2F HTTP/1.1\r\n"
      "Host: gateway.example:8080\r\n"
      "authorization:Bearer abc\r\n"
      "X-API-KEY: \t key with spaces \t\r\n"
      "Empty:\r\n"
      "Content-Length: 12\r\n"
      "\r\n"
      "{\"body\":\"x\"}";
  RequestHead head;
  const ParseResult result = parse(bytes, head);
  ASSERT_EQ(result.status, ParseStatus::complete) << describe(result.error);
  EXPECT_EQ(bytes.substr(result.consumed), "{\"body\":\"x\"}");
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.method_text, "POST");
  EXPECT_EQ(head.target, "/v1/chat/completions?a=1&b=%2F");
  EXPECT_EQ(head.path, "/v1/chat/completions");
  EXPECT_EQ(head.query, "a=1&b=%2F");
  EXPECT_EQ(head.authority, "gateway.example:8080");
  EXPECT_EQ(head.version, Version::http_1_1);
  EXPECT_EQ(head.framing, Framing::content_length);
  EXPECT_EQ(head.content_length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  ASSERT_EQ(head.headers.size(), 5u);
  EXPECT_EQ(head.headers.value(HeaderId::authorization), "Bearer abc");
  EXPECT_EQ(head.headers.value(HeaderId::x_api_key), "key with spaces");
  EXPECT_EQ(head.headers[2].name, "X-API-KEY");
  ASSERT_NE(head.headers.find("empty"), nullptr);
  EXPECT_EQ(head.headers.find("empty")->value, "");
}

struct Refused {
  std::string_view what;
  std::string_view bytes;
  ParseError error;
};

// A request line and a Host, so that a row says only what is wrong.
#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
using enum ParseError;
using namespace std::string_view_literals;

constexpr Refused kRefusedRequests[] = {
    {"second empty line before the request", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"bare LF before the request", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", bare_line_feed},
    {"bare CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", bare_carriage_return},
    {"space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method with a colon", "G:T / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method with a control byte", "G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method with a NUL", "G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"sv, bad_method},
    {"method not ASCII", "G\xc3\x89T / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method in brackets", "[GET] / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method and a tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method longer than any", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\nHost: a\r\n\r\n", bad_method},
    {"method alone", "GET\r\n\r\n", bad_method},
    {"HTTP/0.9", "GET /\r\n\r\n", bad_request_line},
    {"HTTP/0.9 ended by LF", "GET /\n", bare_line_feed},
    {"two spaces before the target", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"two spaces behind the target", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", bad_version},
    {"tab behind the target", "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"space inside the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", bad_version},
    {"version without a target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", bad_request_line},
    {"space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", bad_request_line},
    {"more behind the version", "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n", bad_request_line},
    {"CR CR LF behind the version", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", bare_carriage_return},
    {"LF behind the version", "GET / HTTP/1.1\nHost: a\r\n\r\n", bare_line_feed},
    {"target not ASCII", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target with DEL", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target with a NUL", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"sv, bad_target},
    {"target with a control byte", "GET /\x1b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target with CR inside", "GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n", bad_request_line},
    {"target with a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target with a quote", "GET /a\"b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target with angle brackets", "GET /<b> HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"path with a backslash", "GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target without a slash", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"target is a query", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"asterisk for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"asterisk and more", "OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", connect_refused},
    {"CONNECT of a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", connect_refused},
    {"authority form for GET", "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", bad_target},
    {"absolute form, other host", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", host_differs_from_target},
    {"absolute form, other port", "GET http://a:81/ HTTP/1.1\r\nHost: a:80\r\n\r\n", host_differs_from_target},
    {"absolute form, default port left out of one", "GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
     host_differs_from_target},
    {"absolute form, user", "GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n", bad_target},
    {"absolute form, no host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"absolute form, other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"absolute form, one slash", "GET http:/a/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"absolute form, backslash in the authority", "GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"absolute form without Host", "GET http://a/ HTTP/1.1\r\n\r\n", missing_host},
    {"absolute form hidden in a query", "GET x?http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", bad_target},
    {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", bad_version},
    {"another protocol", "GET / RTSP/1.0\r\nHost: a\r\n\r\n", bad_version},
    {"version without a dot", "GET / HTTP/11\r\nHost: a\r\n\r\n", bad_version},
    {"version with a comma", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", bad_version},
    {"version with two minor digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", bad_request_line},
    {"version with a minus", "GET / HTTP/-1.1\r\nHost: a\r\n\r\n", bad_version},
    {"version cut", "GET / HTTP/1\r\nHost: a\r\n\r\n", bad_version},
    {"version 0.9 named", "GET / HTTP/0.9\r\nHost: a\r\n\r\n", unsupported_version},
    {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", unsupported_version},
    {"version 2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", unsupported_version},
    {"version 3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", unsupported_version},

    {"no Host", "GET / HTTP/1.1\r\n\r\n", missing_host},
    {"no Host but others", "GET / HTTP/1.1\r\nX: y\r\n\r\n", missing_host},
    {"two Hosts", GET "Host: b\r\n\r\n", repeated_host},
    {"the same Host twice", GET "host: a\r\n\r\n", repeated_host},
    {"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", repeated_host},
    {"empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", bad_host},
    {"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", bad_host},
    {"Host with a comma", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", bad_host},
    {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", bad_host},
    {"Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", bad_host},
    {"Host with a fragment", "GET / HTTP/1.1\r\nHost: a#b\r\n\r\n", bad_host},
    {"Host not ASCII", "GET / HTTP/1.1\r\nHost: \xc3\xa9\r\n\r\n", bad_host},
    {"Host with an empty port", "GET / HTTP/1.1\r\nHost: a:\r\n\r\n", bad_host},
    {"Host with a port not a number", "GET / HTTP/1.1\r\nHost: a:8o\r\n\r\n", bad_host},
    {"Host with too large a port", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n", bad_host},
    {"Host with two ports", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", bad_host},
    {"Host is a port", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n", bad_host},
    {"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", bad_host},
    {"Host with empty brackets", "GET / HTTP/1.1\r\nHost: []\r\n\r\n", bad_host},
    {"Host with a name in brackets", "GET / HTTP/1.1\r\nHost: [xyz]\r\n\r\n", bad_host},
    {"Host with more behind the bracket", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", bad_host},

    {"space before the colon", GET "X : y\r\n\r\n", space_before_colon},
    {"tab before the colon", GET "X\t: y\r\n\r\n", space_before_colon},
    {"space before the colon of a length", POST "Content-Length : 5\r\n\r\nhello", space_before_colon},
    {"space before the colon of an encoding", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", space_before_colon},
    {"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", folded_header},
    {"tab before the first header", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", folded_header},
    {"folded value", GET "X: y\r\n z\r\n\r\n", folded_header},
    {"folded value, tab", GET "X: y\r\n\tz\r\n\r\n", folded_header},
    {"folded encoding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", folded_header},
    {"folded empty line", GET "X: y\r\n \r\n\r\n", folded_header},
    {"line of one space", GET " \r\n\r\n", folded_header},
    {"line without a colon", GET "X\r\n\r\n", bad_header_name},
    {"empty name", GET ": y\r\n\r\n", bad_header_name},
    {"space inside a name", GET "X Y: z\r\n\r\n", space_before_colon},
    {"NUL in a name", GET "X\0Y: z\r\n\r\n"sv, bad_header_name},
    {"control byte in a name", GET "X\x0bY: z\r\n\r\n", bad_header_name},
    {"name not ASCII", GET "X\xe9: z\r\n\r\n", bad_header_name},
    {"name with a slash", GET "X/Y: z\r\n\r\n", bad_header_name},
    {"name with a parenthesis", GET "X(Y): z\r\n\r\n", bad_header_name},
    {"name with a comma", GET "X,Y: z\r\n\r\n", bad_header_name},
    {"name with a quote", GET "\"X\": z\r\n\r\n", bad_header_name},
    {"name with an equals sign", GET "X=Y: z\r\n\r\n", bad_header_name},
    {"name with an at sign", GET "X@Y: z\r\n\r\n", bad_header_name},
    {"name with brackets", GET "X[0]: z\r\n\r\n", bad_header_name},
    {"name with braces", GET "{X}: z\r\n\r\n", bad_header_name},
    {"name with a semicolon", GET "X;Y: z\r\n\r\n", bad_header_name},
    {"name with CR", GET "X\rY: z\r\n\r\n", bad_header_name},
    {"name ended by LF", GET "X\nY: z\r\n\r\n", bare_line_feed},
    {"NUL in a value", GET "X: a\0b\r\n\r\n"sv, bad_header_value},
    {"bell in a value", GET "X: a\x07\r\n\r\n", bad_header_value},
    {"vertical tab before an encoding",
     POST "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
     bad_header_value},
    {"form feed in a value", GET "X: a\x0c\r\n\r\n", bad_header_value},
    {"DEL in a value", GET "X: a\x7f\r\n\r\n", bad_header_value},
    {"escape far into a value", GET "X: 0123456789abcdef0123456789abcdef\x1b[0m\r\n\r\n", bad_header_value},
    {"bare CR in a value", GET "X: a\rb\r\n\r\n", bare_carriage_return},
    {"bare CR, then a header", POST "X: a\rContent-Length: 5\r\n\r\n", bare_carriage_return},
    {"CR CR LF behind a value", GET "X: a\r\r\n\r\n", bare_carriage_return},
    {"bare LF behind a value", GET "X: a\nY: b\r\n\r\n", bare_line_feed},
    {"bare LF, then an encoding", POST "X: a\nTransfer-Encoding: chunked\r\n\r\n", bare_line_feed},
    {"head ended by LF LF", "GET / HTTP/1.1\nHost: a\n\n", bare_line_feed},
    {"head ended by CRLF LF", GET "\n", bare_line_feed},
    {"head ended by CRLF CR x", GET "\rX", bare_carriage_return},
    {"head ended by CR CR", GET "\r\r", bare_carriage_return},

    {"CL.TE", POST "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", length_and_encoding},
    {"TE.CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n8\r\n", length_and_encoding},
    {"length 0 and an encoding", POST "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", length_and_encoding},
    {"length and identity", POST "Content-Length: 3\r\nTransfer-Encoding: identity\r\n\r\n", length_and_encoding},
    {"length and an empty encoding", POST "Content-Length: 3\r\nTransfer-Encoding:\r\n\r\n", length_and_encoding},
    {"CL.CL differing", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", repeated_content_length},
    {"CL.CL the same", POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", repeated_content_length},
    {"CL.CL apart", POST "Content-Length: 5\r\nX: y\r\nCONTENT-LENGTH: 5\r\n\r\n", repeated_content_length},
    {"length list", POST "Content-Length: 5, 5\r\n\r\n", bad_content_length},
    {"length list with a trailing comma", POST "Content-Length: 5,\r\n\r\n", bad_content_length},
    {"length empty", POST "Content-Length:\r\n\r\n", bad_content_length},
    {"length with a plus", POST "Content-Length: +5\r\n\r\n", bad_content_length},
    {"length with a minus", POST "Content-Length: -5\r\n\r\n", bad_content_length},
    {"length in hexadecimal", POST "Content-Length: 0x5\r\n\r\n", bad_content_length},
    {"length with letters", POST "Content-Length: 5a\r\n\r\n", bad_content_length},
    {"length with a space inside", POST "Content-Length: 5 5\r\n\r\n", bad_content_length},
    {"length with a dot", POST "Content-Length: 5.0\r\n\r\n", bad_content_length},
    {"length with an exponent", POST "Content-Length: 5e1\r\n\r\n", bad_content_length},
    {"length with an underscore", POST "Content-Length: 1_0\r\n\r\n", bad_content_length},
    {"length with a semicolon", POST "Content-Length: 5;\r\n\r\n", bad_content_length},
    {"length in quotes", POST "Content-Length: \"5\"\r\n\r\n", bad_content_length},
    {"length in other digits", POST "Content-Length: \xd9\xa5\r\n\r\n", bad_content_length},
    {"length of 2^63", POST "Content-Length: 9223372036854775808\r\n\r\n", body_too_large},
    {"length of 2^64 + 5", POST "Content-Length: 18446744073709551621\r\n\r\n", body_too_large},
    {"length of 25 digits", POST "Content-Length: 1000000000000000000000000\r\n\r\n", body_too_large},
    {"TE.TE", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", bad_transfer_encoding},
    {"TE.TE identity", POST "Transfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n\r\n", bad_transfer_encoding},
    {"TE.TE made-up", POST "Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n", bad_transfer_encoding},
    {"TE list of chunked twice", POST "Transfer-Encoding: chunked, chunked\r\n\r\n", bad_transfer_encoding},
    {"TE chunked not last", POST "Transfer-Encoding: chunked, gzip\r\n\r\n", bad_transfer_encoding},
    {"TE identity", POST "Transfer-Encoding: identity\r\n\r\n", bad_transfer_encoding},
    {"TE empty", POST "Transfer-Encoding:\r\n\r\n", bad_transfer_encoding},
    {"TE misspelt with an x", POST "Transfer-Encoding: xchunked\r\n\r\n", bad_transfer_encoding},
    {"TE with a trailing comma", POST "Transfer-Encoding: chunked,\r\n\r\n", bad_transfer_encoding},
    {"TE with a leading comma", POST "Transfer-Encoding: chunked, ,chunked\r\n\r\n", bad_transfer_encoding},
    {"TE with a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n", bad_transfer_encoding},
    {"TE in quotes", POST "Transfer-Encoding: \"chunked\"\r\n\r\n", bad_transfer_encoding},
    {"TE with a space inside", POST "Transfer-Encoding: chun ked\r\n\r\n", bad_transfer_encoding},
    {"TE gzip alone", POST "Transfer-Encoding: gzip\r\n\r\n", bad_transfer_encoding},
    {"TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", unsupported_transfer_encoding},
    {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", encoding_in_http_1_0},
    {"TE with a colon doubled", POST "Transfer-Encoding:: chunked\r\n\r\n", bad_transfer_encoding},
    {"TE with NUL behind", POST "Transfer-Encoding: chunked\0\r\n\r\n"sv, bad_header_value},
    {"TE name with a NUL", POST "Transfer-Encoding\0: chunked\r\n\r\n"sv, bad_header_name},
    {"TE name behind a control byte", POST "\x01Transfer-Encoding: chunked\r\n\r\n", bad_header_name},
    {"TE behind a bare CR", POST "X: y\r\rTransfer-Encoding: chunked\r\n\r\n", bare_carriage_return},

    {"TE with a tab behind", POST "Transfer-Encoding: chunked\t\r\n\r\n", bad_header_value},
    {"TE with a tab in front", POST "Transfer-Encoding:\tchunked\r\n\r\n", bad_header_value},
    {"length with a tab behind", POST "Content-Length: 5\t\r\n\r\n", bad_header_value},
    {"unknown expectation", POST "Expect: 200-ok\r\nContent-Length: 5\r\n\r\n", unknown_expectation},
    {"two expectations", POST "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", unknown_expectation},
};

TEST(RequestHead, RefusesWhatIsAmbiguousOrMalformed) {
  for (const Refused& row : kRefusedRequests) {
    RequestHead head;
    const ParseResult result = parse(row.bytes, head);
    EXPECT_EQ(result.status, ParseStatus::error) << row.what;
    EXPECT_EQ(result.error, row.error) << row.what << ": " << describe(result.error);
    EXPECT_GE(http_status(result.error), 400) << row.what;
  }
}

// A prefix says `incomplete` or what the whole says; the scanner never says "ready" too early or too late.
void expect_same_at_every_split(std::string_view bytes, std::string_view what) {
  RequestHead whole;
  const ParseResult final_result = parse(bytes, whole);
  HeadScanner scanner;
  for (size_t length = 0; length <= bytes.size(); ++length) {
    RequestHead head;
    const std::string prefix(bytes.substr(0, length));  // its own memory: reading past it is caught
    const ParseResult result = parse(prefix, head);
    if (scanner.ready(prefix)) EXPECT_NE(result.status, ParseStatus::incomplete) << what << " at " << length;
    if (result.status == ParseStatus::incomplete) continue;
    ASSERT_EQ(result.status, final_result.status) << what << " at " << length;
    ASSERT_EQ(result.error, final_result.error) << what << " at " << length;
    if (result.status == ParseStatus::complete) {
      ASSERT_EQ(result.consumed, final_result.consumed) << what;
      ASSERT_EQ(length >= result.consumed, true) << what;
      EXPECT_TRUE(scanner.ready(prefix)) << what;
    }
  }
}

TEST(RequestHead, EveryPrefixGivesTheSameAnswer) {
  for (const Refused& row : kRefusedRequests) expect_same_at_every_split(row.bytes, row.what);
  expect_same_at_every_split(
      "\r\nPOST http://a:80/x?y HTTP/1.1\r\nHost: a:80\r\nExpect: 100-continue\r\n"
      "Transfer-Encoding: chunked\r\nX: 0123456789abcdef0123456789\r\n\r\n0\r\n\r\nGET",
      "chunked");
  expect_same_at_every_split("OPTIONS * HTTP/1.0\r\n\r\n", "options");
}

TEST(RequestHead, ReadsTheTargetForms) {
  RequestHead head;
  ASSERT_EQ(parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_EQ(head.path, "*");
  ASSERT_EQ(parse("GET HTTP://A.example:80?q HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n\r\n", head).status,
            ParseStatus::complete);
  EXPECT_EQ(head.scheme, "HTTP");
  EXPECT_EQ(head.authority, "a.EXAMPLE:80");
  EXPECT_EQ(head.path, "/");
  EXPECT_EQ(head.query, "q");
  ASSERT_EQ(parse("GET https://[::1]:8080/x/y HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", head).status,
            ParseStatus::complete);
  EXPECT_EQ(head.path, "/x/y");
  EXPECT_EQ(head.query, "");
  ASSERT_EQ(parse("GET /v1beta/models/a:b?$alt=json;enum-encoding=int&x={\\} HTTP/1.1\r\nHost: a\r\n\r\n", head).status,
            ParseStatus::complete);
  EXPECT_EQ(head.query, "$alt=json;enum-encoding=int&x={\\}");
  EXPECT_EQ(head.scheme, "");
  ASSERT_EQ(parse("GET / HTTP/1.0\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_EQ(head.authority, "");
  EXPECT_EQ(head.version, Version::http_1_0);
  EXPECT_FALSE(head.keep_alive);
}

TEST(RequestHead, ReadsWhatTheConnectionFieldsSay) {
  struct Row {
    std::string_view line;
    std::string_view fields;
    bool keep_alive;
    bool expect_continue;
    std::string_view upgrade;
  };
  constexpr Row kRows[] = {
      {"POST / HTTP/1.1", "", true, false, ""},
      {"POST / HTTP/1.1", "Connection: close\r\n", false, false, ""},
      {"POST / HTTP/1.1", "Connection: x , CLOSE\r\n", false, false, ""},
      {"POST / HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false, false, ""},
      {"POST / HTTP/1.1", "Connection: closed\r\n", true, false, ""},
      {"POST / HTTP/1.0", "Connection: Keep-Alive\r\n", true, false, ""},
      {"POST / HTTP/1.0", "Connection: keep-alive, close\r\n", false, false, ""},
      {"POST / HTTP/1.1", "Expect: 100-Continue\r\nContent-Length: 1\r\n", true, true, ""},
      {"POST / HTTP/1.1", "Expect: 100-continue\r\nTransfer-Encoding: Chunked\r\n", true, true, ""},
      {"POST / HTTP/1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", true, false, ""},
      {"POST / HTTP/1.1", "Expect: 100-continue\r\n", true, false, ""},
      {"POST / HTTP/1.0", "Expect: 100-continue\r\nContent-Length: 1\r\n", false, false, ""},
      {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n", true, false, "websocket"},
      {"GET / HTTP/1.1", "Upgrade: websocket\r\n", true, false, ""},
      {"GET / HTTP/1.0", "Connection: Upgrade\r\nUpgrade: websocket\r\n", false, false, ""},
      {"GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n", true, false, ""},
  };
  for (const Row& row : kRows) {
    const std::string bytes = std::string(row.line) + "\r\nHost: a\r\n" + std::string(row.fields) + "\r\n";
    RequestHead head;
    ASSERT_EQ(parse(bytes, head).status, ParseStatus::complete) << bytes;
    EXPECT_EQ(head.keep_alive, row.keep_alive) << bytes;
    EXPECT_EQ(head.expect_continue, row.expect_continue) << bytes;
    EXPECT_EQ(head.upgrade, row.upgrade) << bytes;
  }
}

TEST(RequestHead, KeepsItsLimits) {
  const auto error_of = [](const std::string& bytes, const HeadLimits& limits) {
    RequestHead head;
    return parse(bytes, head, limits).error;
  };
  const std::string exact = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  EXPECT_EQ(error_of(exact, {.head_bytes_max = exact.size()}), none);
  EXPECT_EQ(error_of(exact, {.head_bytes_max = exact.size() - 1}), head_too_large);
  EXPECT_EQ(error_of(exact, {.headers_max = 2}), none);
  EXPECT_EQ(error_of(exact, {.headers_max = 1}), too_many_headers);
  const auto with_target = [](size_t length) {
    return "GET /" + std::string(length - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  };
  EXPECT_EQ(error_of(with_target(100), {.target_bytes_max = 100}), none);
  EXPECT_EQ(error_of(with_target(101), {.target_bytes_max = 100}), target_too_long);
  EXPECT_EQ(error_of("GET /" + std::string(kTargetBytesMax, 'x'), {}), target_too_long);
  EXPECT_EQ(error_of("GET / HTTP/1.1\r\nX: " + std::string(kHeadBytesMax, 'x'), {}), head_too_large);
  const std::string large = POST "Content-Length: 11\r\n\r\n";
  EXPECT_EQ(error_of(large, {.content_length_max = 11}), none);
  EXPECT_EQ(error_of(large, {.content_length_max = 10}), body_too_large);
  EXPECT_EQ(http_status(head_too_large), 431);
  EXPECT_EQ(http_status(target_too_long), 414);
  EXPECT_EQ(http_status(body_too_large), 413);
  EXPECT_EQ(http_status(unsupported_version), 505);
  EXPECT_EQ(http_status(connect_refused), 501);
  EXPECT_EQ(to_error(head_too_large).code, base::ErrorCode::too_large);
}

TEST(RequestHead, TakesAsManyHeadersAsTheLimitAndNoMore) {
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (size_t i = 1; i < Headers::kMax; ++i) bytes += "X-" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
  RequestHead head;
  const std::string whole = bytes + "\r\n";
  ASSERT_EQ(parse(whole, head).status, ParseStatus::complete);
  EXPECT_EQ(head.headers.size(), Headers::kMax);
  EXPECT_EQ(head.headers.value("x-127"), "127");
  EXPECT_EQ(parse(bytes + "One-Too-Many: 1\r\n\r\n", head).error, too_many_headers);
}

TEST(RequestHead, AcceptsTextBeyondAsciiInValues) {
  RequestHead head;
  ASSERT_EQ(parse(GET "X: caf\xc3\xa9 \xff\tb\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_EQ(head.headers.value("x"), "caf\xc3\xa9 \xff\tb");
}

TEST(ResponseHead, ReadsAnOrdinaryResponse) {
  const std::string_view bytes =
      "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  ResponseHead head;
  const ParseResult result = parse_response_head(bytes, {}, Method::post, head);
  ASSERT_EQ(result.status, ParseStatus::complete);
  EXPECT_EQ(bytes.substr(result.consumed), "0\r\n\r\n");
  EXPECT_EQ(head.status, 429);
  EXPECT_EQ(head.reason, "Too Many Requests");
  EXPECT_EQ(head.framing, Framing::chunked);
  EXPECT_EQ(head.headers.value(HeaderId::retry_after), "2");
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.interim());
}

TEST(ResponseHead, KnowsHowTheBodyEnds) {
  struct Row {
    std::string_view bytes;
    Method method;
    Framing framing;
    bool keep_alive;
  };
  constexpr Row kRows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length, true},
      {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length, true},
      {"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length, true},
      {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length, false},
      {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length,
       true},
      {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::content_length,
       false},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::get, Framing::until_close, false},
      {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", Method::get, Framing::until_close, false},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::head, Framing::none, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Method::head, Framing::none, true},
      {"HTTP/1.1 200 OK\r\n\r\n", Method::head, Framing::none, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", Method::get, Framing::none, true},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Method::get, Framing::none, false},
      {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", Method::get, Framing::none, false},
      {"HTTP/1.1 100 Continue\r\n\r\n", Method::post, Framing::none, true},
      {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", Method::post, Framing::none, true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Method::connect, Framing::none, true},
      {"HTTP/1.1 407 No\r\nContent-Length: 5\r\n\r\n", Method::connect, Framing::content_length, true},
  };
  for (const Row& row : kRows) {
    ResponseHead head;
    const ParseResult result = parse_response_head(row.bytes, {}, row.method, head);
    ASSERT_EQ(result.status, ParseStatus::complete) << row.bytes << describe(result.error);
    EXPECT_EQ(result.consumed, row.bytes.size());
    EXPECT_EQ(head.framing, row.framing) << row.bytes;
    EXPECT_EQ(head.keep_alive, row.keep_alive) << row.bytes;
  }
}

TEST(ResponseHead, KnowsInterimResponsesAndUpgrades) {
  ResponseHead head;
  ASSERT_EQ(parse_response_head("HTTP/1.1 100 Continue\r\n\r\n", {}, Method::post, head).status, ParseStatus::complete);
  EXPECT_TRUE(head.interim());
  ASSERT_EQ(parse_response_head("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", {},
                                Method::get, head)
                .status,
            ParseStatus::complete);
  EXPECT_FALSE(head.interim());
  EXPECT_EQ(head.upgrade, "websocket");
  EXPECT_EQ(head.framing, Framing::none);
}

constexpr Refused kRefusedResponses[] = {
    {"empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", bad_status_line},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", bad_status_line},
    {"shoutcast", "ICY 200 OK\r\n\r\n", bad_status_line},
    {"version 2.0", "HTTP/2.0 200 OK\r\n\r\n", unsupported_version},
    {"version 1.2", "HTTP/1.2 200 OK\r\n\r\n", unsupported_version},
    {"no status", "HTTP/1.1\r\n\r\n", bad_status_line},
    {"two spaces", "HTTP/1.1  200 OK\r\n\r\n", bad_status_line},
    {"tab", "HTTP/1.1\t200 OK\r\n\r\n", bad_status_line},
    {"status of two digits", "HTTP/1.1 20 OK\r\n\r\n", bad_status_line},
    {"status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", bad_status_line},
    {"status with a letter", "HTTP/1.1 2x0 OK\r\n\r\n", bad_status_line},
    {"status 099", "HTTP/1.1 099 OK\r\n\r\n", bad_status_line},
    {"status 600", "HTTP/1.1 600 OK\r\n\r\n", bad_status_line},
    {"reason with a NUL", "HTTP/1.1 200 O\0K\r\n\r\n"sv, bad_status_line},
    {"reason with an escape", "HTTP/1.1 200 \x1b\r\n\r\n", bad_status_line},
    {"reason ended by LF", "HTTP/1.1 200 OK\n\r\n", bare_line_feed},
    {"reason with a bare CR", "HTTP/1.1 200 OK\rX: y\r\n\r\n", bare_carriage_return},
    {"length and encoding", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     length_and_encoding},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", repeated_content_length},
    {"length list", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n", bad_content_length},
    {"bad length for HEAD too", "HTTP/1.1 304 OK\r\nContent-Length: x\r\n\r\n", bad_content_length},
    {"encoding in 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", encoding_in_http_1_0},
    {"gzip coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", unsupported_transfer_encoding},
    {"identity", "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", bad_transfer_encoding},
    {"100 with a body", "HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", body_not_allowed},
    {"101 with a body", "HTTP/1.1 101 Switching\r\nTransfer-Encoding: chunked\r\n\r\n", body_not_allowed},
    {"folded header", "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n", folded_header},
    {"space before the colon", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n", space_before_colon},
    {"bare LF", "HTTP/1.1 200 OK\r\nX: y\n\r\n", bare_line_feed},
};

TEST(ResponseHead, RefusesWhatIsAmbiguousOrMalformed) {
  for (const Refused& row : kRefusedResponses) {
    for (size_t length = 0; length <= row.bytes.size(); ++length) {
      ResponseHead head;
      const std::string prefix(row.bytes.substr(0, length));
      const ParseResult result = parse_response_head(prefix, {}, Method::get, head);
      EXPECT_NE(result.status, ParseStatus::complete) << row.what;
      if (result.status == ParseStatus::error || length == row.bytes.size()) {
        EXPECT_EQ(result.error, row.error) << row.what << " at " << length << ": " << describe(result.error);
      }
    }
  }
}

TEST(HeadScanner, LooksAtEachByteOnce) {
  HeadScanner scanner;
  std::string bytes;
  const std::string_view whole = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const char c : whole) {
    bytes.push_back(c);
    EXPECT_EQ(scanner.ready(bytes), bytes.size() == whole.size());
  }
  scanner.reset();
  EXPECT_FALSE(scanner.ready("GET / HTTP/1.1\r\n"));
  EXPECT_TRUE(scanner.ready("GET / HTTP/1.1\r\nHost: a\n"));
  scanner.reset();
  EXPECT_TRUE(scanner.ready("0123456789", 10));
  scanner.reset();
  EXPECT_FALSE(scanner.ready("0123456789", 11));
}

TEST(H2Preface, IsToldFromHttp1) {
  EXPECT_EQ(is_h2_preface(kH2Preface), PrefaceMatch::yes);
  EXPECT_EQ(is_h2_preface(std::string(kH2Preface) + "frames"), PrefaceMatch::yes);
  EXPECT_EQ(is_h2_preface("PRI * HTT"), PrefaceMatch::partial);
  EXPECT_EQ(is_h2_preface(""), PrefaceMatch::partial);
  EXPECT_EQ(is_h2_preface("POST / HTTP/1.1"), PrefaceMatch::no);
  EXPECT_EQ(is_h2_preface("PRI * HTTP/1.1\r\n\r\nSM"), PrefaceMatch::no);
}

TEST(Headers, AreFoundByIdAndName) {
  Headers headers;
  EXPECT_TRUE(headers.append("X-Goog-Api-Key", "k"));
  EXPECT_TRUE(headers.append("x-other", "1"));
  EXPECT_TRUE(headers.append("SET-COOKIE", "a"));
  EXPECT_TRUE(headers.append("Set-Cookie", "b"));
  EXPECT_TRUE(headers.append("X-Other", "2"));
  EXPECT_EQ(headers.value(HeaderId::x_goog_api_key), "k");
  EXPECT_EQ(headers.value("X-OTHER"), "1");
  EXPECT_EQ(headers.count("x-other"), 2u);
  EXPECT_EQ(headers.count(HeaderId::set_cookie), 2u);
  EXPECT_TRUE(headers.repeated(HeaderId::set_cookie));
  EXPECT_FALSE(headers.repeated(HeaderId::x_goog_api_key));
  EXPECT_EQ(headers.find(HeaderId::host), nullptr);
  EXPECT_EQ(headers.find("nothing"), nullptr);
  EXPECT_EQ(headers.remove(HeaderId::set_cookie), 2u);
  EXPECT_FALSE(headers.has(HeaderId::set_cookie));
  EXPECT_EQ(headers.size(), 3u);
  const Headers copy = headers;
  EXPECT_EQ(copy.value("x-other"), "1");
  EXPECT_EQ(copy.size(), 3u);
  headers.clear();
  EXPECT_TRUE(headers.empty());
  EXPECT_FALSE(headers.has(HeaderId::x_goog_api_key));
}

TEST(Headers, EveryKnownNameIsItsOwnId) {
  for (size_t i = 1; i < kHeaderIds; ++i) {
    const HeaderId id = static_cast<HeaderId>(i);
    std::string upper(header_name(id));
    EXPECT_EQ(header_id(upper), id) << upper;
    for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    EXPECT_EQ(header_id(upper), id) << upper;
    for (size_t at = 0; at < upper.size(); ++at) {
      std::string wrong = upper;
      wrong[at] = '_';
      EXPECT_EQ(header_id(wrong), HeaderId::other) << wrong;
    }
  }
  EXPECT_EQ(header_id(""), HeaderId::other);
  EXPECT_EQ(header_id("transfer-encodin"), HeaderId::other);
}

TEST(Headers, NamedInConnection) {
  Headers headers;
  headers.append("Connection", "close, X-Secret");
  headers.append("connection", " ,foo");
  EXPECT_TRUE(named_in_connection(headers, "x-secret"));
  EXPECT_TRUE(named_in_connection(headers, "Foo"));
  EXPECT_FALSE(named_in_connection(headers, "x-secre"));
  EXPECT_FALSE(named_in_connection(headers, "bar"));
}

TEST(Message, ReasonPhrasesAreInOrder) {
  EXPECT_EQ(reason_phrase(100), "Continue");
  EXPECT_EQ(reason_phrase(404), "Not Found");
  EXPECT_EQ(reason_phrase(529), "Overloaded");
  EXPECT_EQ(reason_phrase(418), "Unknown");
}

// Sixteen bytes at a time or one: every byte, wherever it stands.
TEST(Grammar, TargetsEndAtTheSameByteEitherWay) {
  for (size_t size : {1, 15, 16, 17, 40}) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, '/');
        text[at] = static_cast<char>(byte);
        const char* const end = text.data() + text.size();
        ASSERT_EQ(grammar::skip_target(text.data(), end), grammar::skip(text.data(), end, grammar::kTarget))
            << byte << " at " << at << " of " << size;
      }
    }
  }
}

}  // namespace
}  // namespace llmgw::http
