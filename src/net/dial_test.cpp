#include "net/dial.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "base/temporary_directory.h"
#include "net/io.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kPatience = 60s;  // only a broken test waits so long
using base::ErrorCode;
using base::Instant;
using base::Result;

TEST(ConnectAnswer, IsReadPieceByPiece) {
  constexpr std::string_view kAnswer = "HTTP/1.1 200 Connection established\r\nVia: proxy\r\n\r\n";
  for (size_t size = 0; size < kAnswer.size(); ++size) {
    const auto complete = parse_connect_answer(kAnswer.substr(0, size));
    ASSERT_TRUE(complete.has_value()) << size;
    EXPECT_FALSE(*complete) << size;
  }
  EXPECT_TRUE(*parse_connect_answer(kAnswer));
  EXPECT_TRUE(*parse_connect_answer("HTTP/1.0 204\r\n\r\n"));
}

TEST(ConnectAnswer, RefusalsAndNonsense) {
  const std::pair<std::string, ErrorCode> cases[] = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", ErrorCode::permission},
      {"HTTP/1.1 403 Forbidden\r\n\r\n", ErrorCode::permission},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", ErrorCode::unreachable},
      {"HTTP/1.1 302 Found\r\n\r\n", ErrorCode::unreachable},
      {"HTTP/1.1 2000 OK\r\n\r\n", ErrorCode::protocol},
      {"HTTP/1.1 20x OK\r\n\r\n", ErrorCode::protocol},
      {"HTTP/1.1  200 OK\r\n\r\n", ErrorCode::protocol},
      {"HTTP/1.1\r\n\r\n", ErrorCode::protocol},
      {"HTTP/1.\r\n\r\n", ErrorCode::protocol},
      {"SSH-2.0-OpenSSH", ErrorCode::protocol},
      {"HTTP/2", ErrorCode::protocol},
      {"HTTP/1.1 200 OK\r\n\r\nbody", ErrorCode::protocol},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(9000, 'x'), ErrorCode::protocol},
  };
  for (const auto& [answer, code] : cases) EXPECT_EQ(parse_connect_answer(answer).error().code, code) << answer;
}

TEST(FailedAddresses, ComeLastForAWhile) {
  const Instant now = Instant{} + 100s;
  const Address a = *Address::parse("192.0.2.1:80");
  const Address b = *Address::parse("192.0.2.2:80");
  const Address c = *Address::parse("192.0.2.2:81");
  FailedAddresses failed;
  failed.add(a, now + 30s, 2);
  EXPECT_EQ(failed.order({a, b, c}, now), (std::vector{b, c, a}));
  EXPECT_EQ(failed.order({a, b, c}, now + 30s), (std::vector{a, b, c}));
  failed.add(b, now + 30s, 2);
  EXPECT_EQ(failed.order({a, b, c}, now), (std::vector{c, a, b}));
  EXPECT_EQ(failed.order({a, b}, now), (std::vector{a, b}));
  failed.remove(b);
  EXPECT_EQ(failed.order({b, a, c}, now), (std::vector{b, c, a}));
  failed.add(b, now + 30s, 2);
  failed.add(c, now + 30s, 2);
  EXPECT_EQ(failed.size(), 2u);
  EXPECT_FALSE(failed.contains(a, now));
  failed.add(c, now + 60s, 2);
  EXPECT_EQ(failed.size(), 2u);
  EXPECT_TRUE(failed.contains(c, now + 59s));
}

class MapResolver : public Resolver {
 public:
  std::map<std::string, std::vector<Address>> names;
  Task<Result<Resolution>> resolve(std::string host, uint16_t, Wait) override {
    const auto found = names.find(host);
    if (found == names.end()) co_return base::fail(ErrorCode::name_not_found, "test");
    co_return Resolution{found->second, 60s, false};
  }
};

class DialTest : public testing::Test {
 public:
  Loop loop_{make_epoll_poller(), 1};
  std::unique_ptr<Network> network_ = make_socket_network(loop_);
  std::unique_ptr<Listener> listener_ = std::move(*network_->listen(*Address::parse("127.0.0.1:0"), {}));
  MapResolver resolver_;
  Dialer dialer_{loop_, *network_, resolver_};
  TestAuthority authority_;
  TlsServerContext server_ =
      *TlsServerContext::create({.certificates = {authority_.issue({.names = {"target.test", "proxy.test"}})}});
  TlsClientContext client_ = *TlsClientContext::create({.ca_file = authority_.certificate_file()});
  std::string proxy_saw_;
  TaskGroup tasks_;

  DialTest() {
    resolver_.names["target.test"] = {listener_->address()};
    resolver_.names["proxy.test"] = {listener_->address()};
  }

  template <class F>
  void run(F body) {
    bool done = false;
    tasks_.spawn([](F function, bool& finished) -> Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    loop_.run_until([&] { return done; });
  }
  Wait within(base::Duration duration) { return {.deadline = loop_.now() + duration}; }
  DialTarget target(bool tls) { return {.host = "target.test", .port = 443, .tls = tls ? &client_ : nullptr}; }

  // Accepts one connection, as a proxy if `answer` is not empty, by TLS as told, and then echoes.
  static Task<void> serve(DialTest& test, bool outer_tls, std::string answer, bool inner_tls) {
    auto socket = co_await accept(*test.listener_, test.within(kPatience));
    std::unique_ptr<Stream> stream = std::move(*socket);
    if (outer_tls) {
      auto accepted = co_await tls_accept(std::move(stream), test.server_, test.within(kPatience));
      if (!accepted) co_return;
      stream = std::move(*accepted);
    }
    if (!answer.empty()) {
      while (test.proxy_saw_.find("\r\n\r\n") == std::string::npos) {
        auto bytes = co_await read_scratch(*stream, test.within(kPatience));
        if (!bytes || bytes->empty()) co_return;
        test.proxy_saw_.append(bytes->data(), bytes->size());
      }
      for (char c : answer) {
        co_await write_all(*stream, {&c, 1}, test.within(kPatience));
        co_await yield(test.loop_);
      }
    }
    if (inner_tls) {
      auto accepted = co_await tls_accept(std::move(stream), test.server_, test.within(kPatience));
      if (!accepted) co_return;
      stream = std::move(*accepted);
    }
    char buffer[1024];
    for (;;) {
      auto count = co_await read_some(*stream, buffer, test.within(kPatience));
      if (!count || *count == 0) co_return;
      co_await write_all(*stream, std::string_view(buffer, *count), test.within(kPatience));
    }
  }

  Task<std::string> echo(Stream& stream, std::string_view text) {
    co_await write_all(stream, text, within(kPatience));
    std::string received;
    while (received.size() < text.size()) {
      auto bytes = co_await read_scratch(stream, within(kPatience));
      if (!bytes || bytes->empty()) break;
      received.append(bytes->data(), bytes->size());
    }
    co_return received;
  }
};

TEST_F(DialTest, PlainAndTlsByName) {
  run([&]() -> Task<void> {
    for (bool tls : {false, true}) {
      tasks_.spawn(serve(*this, tls, "", false));
      const DialTarget where = target(tls);
      auto stream = co_await dialer_.dial(where, within(kPatience));
      EXPECT_TRUE(stream.has_value());
      if (!stream) co_return;
      EXPECT_EQ((*stream)->is_tls(), tls);
      EXPECT_EQ(co_await echo(**stream, "hello"), "hello");
      EXPECT_FALSE(needs_absolute_form(where));
    }
  });
}

TEST_F(DialTest, TheServerNameIsVerifiedNotTheAddress) {
  run([&]() -> Task<void> {
    DialTarget where = target(true);
    where.server_name = "proxy.test";
    tasks_.spawn(serve(*this, true, "", false));
    EXPECT_TRUE((co_await dialer_.dial(where, within(kPatience))).has_value());
    where.server_name = "other.test";
    tasks_.spawn(serve(*this, true, "", false));
    EXPECT_EQ((co_await dialer_.dial(where, within(kPatience))).error().code, ErrorCode::tls);
  });
}

TEST_F(DialTest, UnixDomain) {
  const base::TemporaryDirectory directory;
  const std::string path = directory.file("socket");
  listener_ = std::move(*network_->listen(*Address::parse("unix:" + path), {}));
  run([&]() -> Task<void> {
    const Proxy unused{.host = "proxy.test", .port = 1};
    tasks_.spawn(serve(*this, false, "", false));
    const DialTarget where{.unix_path = path, .proxy = &unused};
    auto stream = co_await dialer_.dial(where, within(kPatience));
    EXPECT_TRUE(stream.has_value());
    if (stream) {
      EXPECT_EQ(co_await echo(**stream, "hello"), "hello");
    }
    EXPECT_FALSE(needs_absolute_form(where));
  });
}

TEST_F(DialTest, UnknownNamesAndRefusals) {
  const Address address = listener_->address();
  listener_.reset();
  resolver_.names["target.test"] = {address, address};
  run([&]() -> Task<void> {
    DialTarget where = target(false);
    EXPECT_EQ((co_await dialer_.dial(where, within(kPatience))).error().code, ErrorCode::refused);
    EXPECT_TRUE(dialer_.failed().contains(address, loop_.now()));
    where.host = "missing.test";
    EXPECT_EQ((co_await dialer_.dial(where, within(kPatience))).error().code, ErrorCode::name_not_found);
  });
}

TEST_F(DialTest, TunnelsTlsThroughAProxy) {
  run([&]() -> Task<void> {
    for (bool proxy_tls : {false, true}) {
      Proxy proxy{.host = "proxy.test", .port = 3128, .tls = proxy_tls};
      proxy.authorization = base::Secret("Basic dTpw");
      DialTarget where = target(true);
      where.proxy = &proxy;
      where.proxy_tls = &client_;
      proxy_saw_.clear();
      tasks_.spawn(serve(*this, proxy_tls, "HTTP/1.1 200 OK\r\nVia: x\r\n\r\n", true));
      auto stream = co_await dialer_.dial(where, within(kPatience));
      EXPECT_TRUE(stream.has_value()) << last_tls_error();
      if (!stream) co_return;
      EXPECT_EQ(proxy_saw_,
                "CONNECT target.test:443 HTTP/1.1\r\nHost: target.test:443\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
      const std::string large(100'000, 'x');
      EXPECT_TRUE(co_await echo(**stream, large) == large);
      EXPECT_FALSE(needs_absolute_form(where));
    }
  });
}

TEST_F(DialTest, TheProxysRefusalIsAnError) {
  run([&]() -> Task<void> {
    const Proxy proxy{.host = "proxy.test", .port = 3128};
    DialTarget where = target(true);
    where.host = "2001:db8::1";
    where.proxy = &proxy;
    tasks_.spawn(serve(*this, false, "HTTP/1.1 407 No\r\n\r\n", false));
    EXPECT_EQ((co_await dialer_.dial(where, within(kPatience))).error().code, ErrorCode::permission);
    EXPECT_TRUE(proxy_saw_.starts_with("CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n"));
    tasks_.spawn(serve(*this, true, "", false));
    EXPECT_FALSE((co_await dialer_.dial(where, within(kPatience))).has_value());
    Proxy encrypted = proxy;
    encrypted.tls = true;
    where.proxy = &encrypted;
    EXPECT_EQ((co_await dialer_.dial(where, within(kPatience))).error().code, ErrorCode::invalid_argument);
    TestAuthority stranger("Stranger");
    auto distrustful = TlsClientContext::create({.ca_file = stranger.certificate_file()});
    where.proxy_tls = &*distrustful;
    tasks_.spawn(serve(*this, true, "", false));
    const auto refused = co_await dialer_.dial(where, within(kPatience));
    EXPECT_EQ(refused.error().code, ErrorCode::tls);
    EXPECT_STREQ(refused.error().context, "TLS with the proxy: unable to get local issuer certificate");
  });
}

TEST_F(DialTest, APlainTargetTalksToTheProxyItself) {
  run([&]() -> Task<void> {
    const Proxy proxy{.host = "proxy.test", .port = 3128};
    DialTarget where = target(false);
    where.proxy = &proxy;
    EXPECT_TRUE(needs_absolute_form(where));
    tasks_.spawn(serve(*this, false, "", false));
    auto stream = co_await dialer_.dial(where, within(kPatience));
    EXPECT_TRUE(stream.has_value());
    if (stream) {
      EXPECT_EQ(co_await echo(**stream, "GET http://target.test/ HTTP/1.1\r\n"),
                "GET http://target.test/ HTTP/1.1\r\n");
    }
  });
}

}  // namespace
}  // namespace llmgw::net
