#include "http/h2_head.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace llmgw::http {
namespace {

using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;

constexpr Fields kGet{{":method", "GET"}, {":scheme", "https"}, {":authority", "example.com"}, {":path", "/a?b"}};

struct Request {
  H2HeadBuilder builder;
  RequestHead head;
  explicit Request(const HeadLimits& limits = {}) : builder(limits) {}
  bool add(Fields fields) {
    for (const auto& [name, value] : fields) {
      // The bytes are gone afterwards, as nghttp2's are.
      std::string name_copy(name);
      std::string value_copy(value);
      if (!builder.add(name_copy, value_copy, head.headers)) return false;
      name_copy.assign(name_copy.size(), '?');
      value_copy.assign(value_copy.size(), '?');
    }
    return true;
  }
  ParseError finish(bool end_stream = true) { return builder.finish_request(end_stream, head); }
};

ParseError error_of(Fields fields, bool end_stream = true, const HeadLimits& limits = {}) {
  Request request(limits);
  request.add(fields);
  return request.finish(end_stream);
}

TEST(H2Head, KeepsWhatItWasGiven) {
  Request request;
  request.add(kGet);
  request.add({{"x-own", "1"}, {"content-type", "text/plain"}});
  ASSERT_EQ(request.finish(), ParseError::none);
  EXPECT_EQ(request.head.method, Method::get);
  EXPECT_EQ(request.head.method_text, "GET");
  EXPECT_EQ(request.head.target, "/a?b");
  EXPECT_EQ(request.head.path, "/a");
  EXPECT_EQ(request.head.query, "b");
  EXPECT_EQ(request.head.authority, "example.com");
  EXPECT_EQ(request.head.scheme, "https");
  EXPECT_EQ(request.head.framing, Framing::none);
  EXPECT_EQ(request.head.headers.value("x-own"), "1");
  EXPECT_EQ(request.head.headers.value(HeaderId::content_type), "text/plain");
}

TEST(H2Head, HostStandsInForAuthority) {
  Request request;
  request.add({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {"host", "Example.com:80"}});
  EXPECT_EQ(request.finish(), ParseError::none);
  EXPECT_EQ(request.head.authority, "Example.com:80");
}

TEST(H2Head, Framing) {
  const auto framing = [](Fields more, bool end_stream) {
    Request request;
    request.add(kGet);
    request.add(more);
    EXPECT_EQ(request.finish(end_stream), ParseError::none);
    return std::pair{request.head.framing, request.head.content_length};
  };
  EXPECT_EQ(framing({}, true), (std::pair{Framing::none, uint64_t{0}}));
  EXPECT_EQ(framing({}, false), (std::pair{Framing::until_close, uint64_t{0}}));
  EXPECT_EQ(framing({{"content-length", "7"}}, false), (std::pair{Framing::content_length, uint64_t{7}}));
  EXPECT_EQ(framing({{"content-length", "0"}}, true), (std::pair{Framing::none, uint64_t{0}}));
}

TEST(H2Head, Refusals) {
  const auto with = [](Fields more, bool end_stream = true, const HeadLimits& limits = {}) {
    Request request(limits);
    request.add(kGet);
    request.add(more);
    return request.finish(end_stream);
  };
  EXPECT_EQ(with({{"content-length", "x"}}), ParseError::bad_content_length);
  EXPECT_EQ(with({{"content-length", ""}}), ParseError::bad_content_length);
  EXPECT_EQ(with({{"content-length", "+1"}}), ParseError::bad_content_length);
  EXPECT_EQ(with({{"content-length", "1"}, {"content-length", "1"}}), ParseError::repeated_content_length);
  EXPECT_EQ(with({{"content-length", "99999999999999999999"}}), ParseError::body_too_large);
  EXPECT_EQ(with({{"content-length", "11"}}, false, {.content_length_max = 10}), ParseError::body_too_large);
  EXPECT_EQ(with({{"host", "other.com"}}), ParseError::host_differs_from_target);
  EXPECT_EQ(with({{"host", "example.com"}, {"host", "example.com"}}), ParseError::repeated_host);
  EXPECT_EQ(with({{"expect", "101-upgrade"}}), ParseError::unknown_expectation);
  EXPECT_EQ(with({{"x", "y"}}, true, {.headers_max = 0}), ParseError::too_many_headers);
  EXPECT_EQ(error_of({{":scheme", "http"}, {":authority", "a"}, {":path", "/"}}), ParseError::bad_method);
  EXPECT_EQ(error_of({{":method", "A B"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}}),
            ParseError::bad_method);
  EXPECT_EQ(error_of({{":method", "CONNECT"}, {":authority", "a:1"}}), ParseError::connect_refused);
  EXPECT_EQ(error_of({{":method", "GET"}, {":scheme", "http"}, {":path", "/"}}), ParseError::missing_host);
  EXPECT_EQ(error_of({{":method", "GET"}, {":scheme", "file"}, {":authority", "a"}, {":path", "/"}}),
            ParseError::bad_target);
  EXPECT_EQ(error_of(kGet, true, {.target_bytes_max = 3}), ParseError::target_too_long);
}

TEST(H2Head, Targets) {
  const auto target = [](std::string_view method, std::string_view path) {
    return error_of({{":method", method}, {":scheme", "http"}, {":authority", "a"}, {":path", path}});
  };
  EXPECT_EQ(target("OPTIONS", "*"), ParseError::none);
  EXPECT_EQ(target("GET", "/%2e?x=[1]"), ParseError::none);
  for (const char* bad : {"*", "", "a", "http://a/", "/ ", "/\x7f", "/a\\b", "/\"", "/#a", "/\xc3\xa4"}) {
    EXPECT_EQ(target("GET", bad), ParseError::bad_target) << bad;
  }
}

TEST(H2Head, Authorities) {
  const auto authority = [](std::string_view text) {
    return error_of({{":method", "GET"}, {":scheme", "http"}, {":authority", text}, {":path", "/"}});
  };
  for (const char* good : {"a", "a.b-c_d", "1.2.3.4:80", "[::1]", "[::1]:8080", "a:0", "a:65535"}) {
    EXPECT_EQ(authority(good), ParseError::none) << good;
  }
  for (const char* bad : {"a:", "a:65536", "a:b", ":80", "u@a", "a/b", "[]", "[::1", "[g::]", "[::1]x", "a b", "a,b"}) {
    EXPECT_EQ(authority(bad), ParseError::bad_host) << bad;
  }
}

TEST(H2Head, CookiesBecomeOne) {
  Request request;
  request.add({{"cookie", "a=1"}});
  request.add(kGet);
  request.add({{"x", "1"}, {"cookie", ""}, {"cookie", "c=3"}});
  ASSERT_EQ(request.finish(), ParseError::none);
  EXPECT_EQ(request.head.headers.count(HeaderId::cookie), 1u);
  EXPECT_EQ(request.head.headers.value(HeaderId::cookie), "a=1; ; c=3");
  EXPECT_EQ(request.head.headers.value("x"), "1");
}

TEST(H2Head, SizeIsBounded) {
  HeadLimits limits;
  limits.head_bytes_max = 1000;
  Request request(limits);
  EXPECT_TRUE(request.add(kGet));
  const std::string value(200, 'v');
  int taken = 0;
  while (request.add({{"x", value}})) ++taken;
  EXPECT_EQ(request.finish(), ParseError::head_too_large);
  EXPECT_LE(request.head.headers.size(), 5u) << "what is above the limit is not kept";
  EXPECT_LT(taken, 25) << "and not read for ever";
  EXPECT_GT(taken, 5) << "but long enough to be answered";
}

TEST(H2Head, Responses) {
  const auto finish = [](Fields fields, bool end_stream, Method method, ResponseHead& head) {
    H2HeadBuilder builder({});
    for (const auto& [name, value] : fields) EXPECT_TRUE(builder.add(name, value, head.headers));
    return builder.finish_response(end_stream, method, head);
  };
  ResponseHead ok;
  EXPECT_EQ(finish({{":status", "200"}, {"content-length", "5"}}, false, Method::get, ok), ParseError::none);
  EXPECT_EQ(ok.status, 200);
  EXPECT_EQ(ok.framing, Framing::content_length);
  EXPECT_EQ(ok.content_length, 5u);
  EXPECT_EQ(ok.version, Version::http_2);
  ResponseHead open;
  EXPECT_EQ(finish({{":status", "200"}}, false, Method::get, open), ParseError::none);
  EXPECT_EQ(open.framing, Framing::until_close);
  ResponseHead head;
  EXPECT_EQ(finish({{":status", "200"}, {"content-length", "5"}}, true, Method::head, head), ParseError::none);
  EXPECT_EQ(head.framing, Framing::none);
  for (const char* status : {"", "20", "2000", "099", "600", "101", "2x0"}) {
    ResponseHead bad;
    EXPECT_EQ(finish({{":status", status}}, true, Method::get, bad), ParseError::bad_status_line) << status;
  }
}

TEST(H2Head, InterimHeadIsForgotten) {
  H2HeadBuilder builder({});
  ResponseHead head;
  EXPECT_TRUE(builder.add(":status", "103", head.headers));
  EXPECT_TRUE(builder.add("link", "x", head.headers));
  EXPECT_EQ(builder.finish_response(false, Method::get, head), ParseError::none);
  EXPECT_TRUE(head.interim());
  builder.clear(head.headers);
  EXPECT_TRUE(builder.add(":status", "200", head.headers));
  EXPECT_EQ(builder.finish_response(true, Method::get, head), ParseError::none);
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.headers.empty());
}

}  // namespace
}  // namespace llmgw::http
