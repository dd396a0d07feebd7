#include "net/dial_proxy.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>

namespace llmgw::net {
namespace {

using base::ErrorCode;

ProxySettings settings_of(const std::map<std::string, std::string>& environment) {
  auto settings = proxy_settings([&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found != environment.end() ? found->second.c_str() : nullptr;
  });
  EXPECT_TRUE(settings.has_value());
  return settings ? std::move(*settings) : ProxySettings{};
}

TEST(Proxy, Urls) {
  struct Case {
    const char* url;
    const char* host;
    uint16_t port;
    bool tls;
    const char* authorization;
  };
  const Case cases[] = {
      {"http://proxy.test:3128", "proxy.test", 3128, false, ""},
      {"HTTP://Proxy.Test:3128/", "proxy.test", 3128, false, ""},
      {"proxy.test:3128", "proxy.test", 3128, false, ""},
      {"proxy.test", "proxy.test", 80, false, ""},
      {"https://proxy.test", "proxy.test", 443, true, ""},
      {"http://[2001:db8::1]:8080", "2001:db8::1", 8080, false, ""},
      {"http://[2001:db8::1]", "2001:db8::1", 80, false, ""},
      // The example of RFC 7617, section 2.
      {"http://Aladdin:open%20sesame@192.0.2.1:8080", "192.0.2.1", 8080, false, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
      {"http://user@proxy.test", "proxy.test", 80, false, "Basic dXNlcjo="},
      {"http://a:p%40ss:w%2f@proxy.test:1", "proxy.test", 1, false, "Basic YTpwQHNzOncv"},
  };
  for (const Case& test : cases) {
    const auto proxy = parse_proxy(test.url);
    ASSERT_TRUE(proxy.has_value()) << test.url;
    EXPECT_EQ(proxy->host, test.host) << test.url;
    EXPECT_EQ(proxy->port, test.port) << test.url;
    EXPECT_EQ(proxy->tls, test.tls) << test.url;
    EXPECT_EQ(proxy->authorization.reveal(), test.authorization) << test.url;
  }
}

TEST(Proxy, BadUrls) {
  for (const char* url : {"", "http://", "http://:80", "http://host:0", "http://host:65536", "http://host:port",
                          "http://a%zz:b@host", "http://a%3Ab:c@host"}) {
    EXPECT_EQ(parse_proxy(url).error().code, ErrorCode::invalid_argument) << url;
  }
  EXPECT_EQ(parse_proxy("socks5://host:1080").error().code, ErrorCode::unsupported);
}

TEST(Proxy, NoProxyEntries) {
  struct Case {
    const char* list;
    const char* host;
    uint16_t port;
    bool matches;
  };
  const Case cases[] = {
      {"", "example.com", 80, false},
      {"*", "anything.test", 1, true},
      {"a.test, *", "anything.test", 1, true},
      {"example.com", "example.com", 443, true},
      {"example.com", "EXAMPLE.com.", 443, true},
      {"example.com", "api.example.com", 443, true},
      {"example.com", "badexample.com", 443, false},
      {"example.com", "example.com.evil.test", 443, false},
      {".example.com", "api.example.com", 443, true},
      {".example.com", "example.com", 443, true},
      {"*.example.com", "api.example.com", 443, true},
      {".Example.COM.", "api.example.com", 443, true},
      {"a.test,example.com", "example.com", 443, true},
      {"a.test example.com", "example.com", 443, true},
      {" , ,example.com,", "example.com", 443, true},
      {"example.com:8080", "example.com", 8080, true},
      {"example.com:8080", "example.com", 443, false},
      {"example.com:x", "example.com", 443, false},
      {"192.0.2.1", "192.0.2.1", 443, true},
      {"192.0.2.1", "192.0.2.10", 443, false},
      {"192.0.2.1:99", "192.0.2.1", 443, false},
      {"192.0.2.0/24", "192.0.2.200", 443, true},
      {"192.0.2.0/24", "192.0.3.1", 443, false},
      {"10.0.0.0/9", "10.127.0.1", 443, true},
      {"10.0.0.0/9", "10.128.0.1", 443, false},
      {"0.0.0.0/0", "8.8.8.8", 443, true},
      {"0.0.0.0/0", "name.test", 443, false},
      {"10.0.0.0/33", "10.0.0.1", 443, false},
      {"10.0.0.0/", "10.0.0.1", 443, false},
      {"10.0.0.0/8", "::ffff:10.1.2.3", 443, true},
      {"fd00::/8", "fd12::1", 443, true},
      {"fd00::/8", "[fd12::1]", 443, true},
      {"fd00::/8", "fe80::1", 443, false},
      {"fd00::/8", "10.0.0.1", 443, false},
      {"[fd00::1]:8080", "fd00::1", 8080, true},
      {"[fd00::1]:8080", "fd00::1", 80, false},
      {"fd00::1", "fd00::1", 80, true},
      {"[fd00::1]", "fd00::1", 80, true},
      {"1", "192.0.2.1", 80, false},
      {".", "example.com", 80, false},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(NoProxy::parse(test.list).matches(test.host, test.port), test.matches)
        << test.list << " against " << test.host << ":" << test.port;
  }
}

TEST(Proxy, VariablesByScheme) {
  auto settings = settings_of({{"HTTP_PROXY", "http://plain:1"}, {"HTTPS_PROXY", "http://secure:2"}});
  EXPECT_EQ(settings.choose("a.test", 80, false)->host, "plain");
  EXPECT_EQ(settings.choose("a.test", 443, true)->host, "secure");
  settings = settings_of({{"ALL_PROXY", "http://all:1"}, {"https_proxy", "http://secure:2"}});
  EXPECT_EQ(settings.choose("a.test", 80, false)->host, "all");
  EXPECT_EQ(settings.choose("a.test", 443, true)->host, "secure");
  settings = settings_of({{"HTTPS_PROXY", "http://upper:1"}, {"https_proxy", "http://lower:2"}});
  EXPECT_EQ(settings.choose("a.test", 443, true)->host, "lower");
  EXPECT_EQ(settings.choose("a.test", 80, false), nullptr);
  // A variable set to nothing means none, also when its other spelling has one.
  settings = settings_of({{"HTTPS_PROXY", "http://upper:1"}, {"https_proxy", ""}});
  EXPECT_EQ(settings.choose("a.test", 443, true), nullptr);
  EXPECT_EQ(settings_of({}).choose("a.test", 443, true), nullptr);
}

TEST(Proxy, NeverForLoopbackUnlessAsked) {
  auto settings = settings_of({{"ALL_PROXY", "http://proxy:1"}, {"no_proxy", "internal.test,10.0.0.0/8"}});
  for (const char* host : {"localhost", "LocalHost", "localhost.", "engine.localhost", "127.0.0.1", "127.9.9.9", "::1",
                           "[::1]", "::ffff:127.0.0.1", "internal.test", "x.internal.test", "10.1.1.1"}) {
    EXPECT_EQ(settings.choose(host, 80, false), nullptr) << host;
  }
  for (const char* host : {"example.com", "128.0.0.1", "::2", "notlocalhost", "mylocalhost.test"}) {
    EXPECT_NE(settings.choose(host, 80, false), nullptr) << host;
  }
  settings.proxy_loopback = true;
  EXPECT_NE(settings.choose("localhost", 80, false), nullptr);
  EXPECT_EQ(settings.choose("internal.test", 80, false), nullptr);
}

TEST(Proxy, ABadVariableIsAnErrorThatDoesNotShowIt) {
  for (const char* name : {"HTTP_PROXY", "https_proxy", "ALL_PROXY"}) {
    const auto settings = proxy_settings(
        [&](const char* asked) -> const char* { return std::string_view(asked) == name ? "socks5://u:p@h" : nullptr; });
    ASSERT_FALSE(settings.has_value());
    EXPECT_EQ(std::string_view(settings.error().context).find("u:p"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace llmgw::net
