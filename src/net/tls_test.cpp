#include "net/tls.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>

#include "net/io.h"
#include "net/network.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;

constexpr base::Duration kPatience = 60s;  // only a broken test waits so long
using base::ErrorCode;
using base::Result;
using StreamResult = Result<std::unique_ptr<Stream>>;

struct Pair {
  StreamResult client;
  StreamResult server;
  // What last_tls_error() said right after each side ended.
  std::string client_text;
  std::string server_text;
};

class TlsTest : public testing::Test {
 protected:
  Loop loop_{make_epoll_poller(), 1};
  std::unique_ptr<Network> network_ = make_socket_network(loop_);
  std::unique_ptr<Listener> listener_ = std::move(*network_->listen(*Address::parse("127.0.0.1:0"), {}));
  TestAuthority authority_;
  TlsCertificateFiles files_ = authority_.issue({.names = {"localhost", "IP:127.0.0.1"}});
  TaskGroup tasks_;

  template <class F>
  void run(F body) {
    bool done = false;
    tasks_.spawn([](F function, bool& finished) -> Task<void> {
      co_await function();
      finished = true;
    }(std::move(body), done));
    loop_.run_until([&] { return done; });
  }

  TlsServerOptions server_options() { return {.certificates = {files_}}; }
  TlsClientOptions client_options() { return {.ca_file = authority_.certificate_file()}; }
  static TlsServerContext server_of(const TlsServerOptions& options) { return *TlsServerContext::create(options); }
  static TlsClientContext client_of(const TlsClientOptions& options) { return *TlsClientContext::create(options); }

  Wait within(base::Duration duration) { return {.deadline = loop_.now() + duration}; }

  // What the other side did arrives in its own time.
  Task<void> until(std::function<bool()> holds) {
    const base::Instant limit = loop_.now() + kPatience;
    while (!holds() && loop_.now() < limit) co_await sleep_for(loop_, 1ms);
  }

  static Task<void> accept_into(TlsTest& test, TlsServerContext& context, Pair& pair, bool& done) {
    auto socket = co_await accept(*test.listener_, test.within(kPatience));
    pair.server = co_await tls_accept(std::move(*socket), context, test.within(kPatience));
    pair.server_text = last_tls_error();
    done = true;
  }
  // Both ends of a handshake. With TLS 1.3 a client may think it succeeded before the server refuses it.
  Task<Pair> handshake(TlsServerContext& server, TlsClientContext& client, std::string name = "localhost") {
    Pair pair{nullptr, nullptr, "", ""};
    bool accepted = false;
    tasks_.spawn(accept_into(*this, server, pair, accepted));
    auto socket = co_await network_->connect(listener_->address(), within(kPatience));
    pair.client = co_await tls_connect(std::move(*socket), client, name, within(kPatience));
    pair.client_text = last_tls_error();
    while (!accepted) co_await sleep_for(loop_, 1ms);
    co_return pair;
  }

  static Task<std::string> read_text(Stream& stream, size_t size) {
    std::string text;
    while (text.size() < size) {
      auto bytes = co_await read_scratch(stream, {.deadline = stream.loop().now() + kPatience});
      if (!bytes || bytes->empty()) break;
      text.append(bytes->data(), bytes->size());
    }
    co_return text;
  }
};

TEST_F(TlsTest, HandshakesAndCarriesBytesBothWays) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    EXPECT_TRUE(pair.client && pair.server) << pair.client_text << pair.server_text;
    if (!pair.client || !pair.server) co_return;
    co_await write_all(**pair.client, "ping", {});
    EXPECT_EQ(co_await read_text(**pair.server, 4), "ping");
    co_await write_all(**pair.server, "pong", {});
    EXPECT_EQ(co_await read_text(**pair.client, 4), "pong");
    EXPECT_TRUE((*pair.client)->is_tls());
    EXPECT_EQ(tls_info(**pair.client).version, "TLSv1.3");
    EXPECT_EQ(tls_info(**pair.client).cipher, "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(tls_info(**pair.server).server_name, "localhost");
    EXPECT_FALSE(tls_info(**pair.client).resumed);
    EXPECT_EQ((*pair.client)->alpn(), "");
    EXPECT_FALSE((*pair.client)->disturbed());
    (*pair.client)->shutdown_write();
    auto end = co_await read_scratch(**pair.server, within(kPatience));
    EXPECT_TRUE(end && end->empty());
    // The other direction is still open.
    co_await write_all(**pair.server, "late", {});
    EXPECT_EQ(co_await read_text(**pair.client, 4), "late");
  });
}

TEST_F(TlsTest, ChoosesAProtocolOrRefuses) {
  auto server_with = server_options();
  server_with.alpn = {"h2", "http/1.1"};
  auto server = server_of(server_with);
  run([&]() -> Task<void> {
    auto with = client_options();
    with.alpn = {"http/1.1", "h2"};
    auto client = client_of(with);
    Pair pair = co_await handshake(server, client);
    EXPECT_EQ((*pair.client)->alpn(), "h2");
    EXPECT_EQ((*pair.server)->alpn(), "h2");

    with.alpn = {"smtp"};
    client = client_of(with);
    pair = co_await handshake(server, client);
    EXPECT_EQ(pair.client.error().code, ErrorCode::tls);
    EXPECT_EQ(pair.server.error().code, ErrorCode::tls);
    EXPECT_NE(pair.client_text.find("no application protocol"), std::string::npos) << pair.client_text;

    client = client_of(client_options());
    pair = co_await handshake(server, client);
    EXPECT_TRUE(pair.client.has_value());
    EXPECT_EQ((*pair.client)->alpn(), "");
  });
}

TEST_F(TlsTest, ChoosesTheCertificateByName) {
  auto options = server_options();
  options.certificates.push_back(authority_.issue({.common_name = "exact", .names = {"api.example.com"}}));
  options.certificates.push_back(authority_.issue({.common_name = "wild", .names = {"*.example.com"}}));
  auto server = server_of(options);
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (auto [name, subject] : {std::pair{"api.example.com", "CN=exact"},
                                 {"API.Example.COM", "CN=exact"},
                                 {"www.example.com", "CN=wild"},
                                 {"localhost", "CN=test"}}) {
      Pair pair = co_await handshake(server, client, name);
      EXPECT_TRUE(pair.client.has_value()) << name << pair.client_text;
      if (pair.client) {
        EXPECT_EQ(tls_peer_subject(**pair.client), subject) << name;
      }
    }
    Pair pair = co_await handshake(server, client, "a.b.example.com");
    EXPECT_EQ(pair.client.error().code, ErrorCode::tls);
  });
}

TEST_F(TlsTest, OffersBothKeyTypesForOneName) {
  auto options = server_options();
  options.certificates.push_back(authority_.issue({.names = {"localhost", "IP:127.0.0.1"}, .rsa = true}));
  auto server = server_of(options);
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    EXPECT_TRUE(pair.client.has_value()) << pair.client_text;
  });
}

TEST_F(TlsTest, VerifiesNameValidityAndAuthority) {
  struct Case {
    const char* what;
    TestCertificate certificate;
    std::string name;
    const char* reason;  // empty: the handshake succeeds
  };
  const Case cases[] = {
      {"name", {.names = {"localhost"}}, "localhost", ""},
      {"trailing dot", {.names = {"localhost"}}, "localhost.", ""},
      {"wrong name", {.names = {"other.test"}}, "localhost", "hostname mismatch"},
      {"partial wildcard", {.names = {"loc*.test"}}, "localx.test", "hostname mismatch"},
      {"address", {.names = {"IP:127.0.0.1"}}, "127.0.0.1", ""},
      {"IPv6 address", {.names = {"IP:::1"}}, "[::1]", ""},
      {"wrong address", {.names = {"IP:127.0.0.2"}}, "127.0.0.1", "IP address mismatch"},
      {"address as a name", {.names = {"127.0.0.1"}}, "127.0.0.1", "IP address mismatch"},
      {"expired",
       {.names = {"localhost"}, .valid_from_days = -9, .valid_to_days = -1},
       "localhost",
       "certificate has expired"},
      {"not yet",
       {.names = {"localhost"}, .valid_from_days = 1, .valid_to_days = 2},
       "localhost",
       "certificate is not yet valid"},
  };
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (const Case& test : cases) {
      auto server = server_of({.certificates = {authority_.issue(test.certificate)}});
      Pair pair = co_await handshake(server, client, test.name);
      EXPECT_EQ(pair.client.has_value(), *test.reason == '\0') << test.what << ": " << pair.client_text;
      if (!pair.client) {
        EXPECT_EQ(pair.client.error().code, ErrorCode::tls) << test.what;
        EXPECT_STREQ(pair.client.error().context, test.reason) << test.what;
        EXPECT_NE(pair.client_text.find(test.reason), std::string::npos) << pair.client_text;
        EXPECT_EQ(pair.server.error().code, ErrorCode::tls) << test.what;
      }
    }
  });
}

TEST_F(TlsTest, AnUnknownAuthorityIsRefusedUnlessVerificationIsOff) {
  TestAuthority stranger("Stranger");
  auto server = server_of({.certificates = {stranger.issue({.names = {"localhost"}})}});
  run([&]() -> Task<void> {
    for (const std::string& authority : {authority_.certificate_file(), std::string()}) {
      auto client = client_of({.ca_file = authority});
      Pair pair = co_await handshake(server, client);
      EXPECT_EQ(pair.client.error().code, ErrorCode::tls);
      EXPECT_NE(pair.client_text.find("issuer certificate"), std::string::npos) << pair.client_text;
      EXPECT_NE(pair.server_text.find("unknown ca"), std::string::npos) << pair.server_text;
    }
    auto careless = client_of({.verify = false});
    Pair pair = co_await handshake(server, careless, "whatever");
    EXPECT_TRUE(pair.client.has_value());
  });
}

TEST_F(TlsTest, AFilesAuthoritiesMayStandBesideTheSystems) {
  TestAuthority system("System");
  TestAuthority stranger("Stranger");
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  setenv("SSL_CERT_FILE", system.certificate_file().c_str(), 1);
  const std::string own = authority_.certificate_file();
  auto alone = client_of({.ca_file = own});
  auto beside = client_of({.ca_file = own, .system_too = true});
  auto without_file = client_of({.system_too = true});
  unsetenv("SSL_CERT_FILE");  // NOLINT(concurrency-mt-unsafe)
  run([&]() -> Task<void> {
    const auto trusts = [&](TlsClientContext& client, TestAuthority& authority) -> Task<bool> {
      auto server = server_of({.certificates = {authority.issue({.names = {"localhost"}})}});
      Pair pair = co_await handshake(server, client);
      co_return pair.client.has_value();
    };
    EXPECT_TRUE(co_await trusts(alone, authority_));
    EXPECT_FALSE(co_await trusts(alone, system));
    EXPECT_TRUE(co_await trusts(beside, authority_));
    EXPECT_TRUE(co_await trusts(beside, system));
    EXPECT_FALSE(co_await trusts(beside, stranger));
    EXPECT_TRUE(co_await trusts(without_file, system));
    EXPECT_FALSE(co_await trusts(without_file, authority_));
  });
}

TEST_F(TlsTest, AVerifiedConnectionNeedsAName) {
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (const std::string& name : {std::string(), std::string(256, 'a'), std::string("local\0host", 10)}) {
      auto socket = co_await network_->connect(listener_->address(), within(kPatience));
      auto stream = co_await tls_connect(std::move(*socket), client, name, within(kPatience));
      EXPECT_EQ(stream.error().code, ErrorCode::invalid_argument);
    }
  });
}

TEST_F(TlsTest, ClientCertificates) {
  TestAuthority clients("Clients");
  TestAuthority stranger("Stranger");
  auto options = server_options();
  options.client_ca_file = clients.certificate_file();
  run([&]() -> Task<void> {
    for (auto mode : {TlsClientCertificates::required, TlsClientCertificates::optional}) {
      options.client_certificates = mode;
      auto server = server_of(options);
      auto with = client_options();
      with.certificate = clients.issue({.common_name = "alice"});
      auto alice = client_of(with);
      for (bool resumed : {false, true}) {
        Pair pair = co_await handshake(server, alice);
        EXPECT_TRUE(pair.server.has_value()) << pair.server_text;
        if (!pair.server) co_return;
        EXPECT_EQ(tls_peer_subject(**pair.server), "CN=alice");
        EXPECT_EQ(tls_info(**pair.server).resumed, resumed);
        co_await write_all(**pair.server, "x", {});
        EXPECT_EQ(co_await read_text(**pair.client, 1), "x");
      }
      with.certificate = stranger.issue({.common_name = "mallory"});
      auto mallory = client_of(with);
      Pair pair = co_await handshake(server, mallory);
      EXPECT_EQ(pair.server.error().code, ErrorCode::tls);
      // The client learns it from its first read.
      if (pair.client) {
        auto read = co_await read_scratch(**pair.client, within(kPatience));
        EXPECT_EQ(read.error().code, ErrorCode::tls);
        EXPECT_NE(last_tls_error().find("alert"), std::string_view::npos) << last_tls_error();
      }
      auto nobody = client_of(client_options());
      pair = co_await handshake(server, nobody);
      EXPECT_EQ(pair.server.has_value(), mode == TlsClientCertificates::optional) << pair.server_text;
      if (pair.server) {
        EXPECT_EQ(tls_peer_subject(**pair.server), "");
      }
    }
  });
}

// With TLS 1.3 the client's handshake is over before the server refuses it, and the server's closing may overtake the
// client's first write.
TEST_F(TlsTest, ARefusalBehindTheHandshakeIsToldToAWriterToo) {
  auto options = server_options();
  options.client_certificates = TlsClientCertificates::required;
  options.client_ca_file = authority_.certificate_file();
  auto server = server_of(options);
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    EXPECT_FALSE(pair.server.has_value());
    EXPECT_TRUE(pair.client.has_value());
    if (!pair.client) co_return;
    const std::string body(64 * 1024, 'x');
    Result<void> written;
    for (int i = 0; i < 1000 && written; ++i) written = co_await write_all(**pair.client, body, within(kPatience));
    EXPECT_FALSE(written.has_value());
    if (written) co_return;
    EXPECT_EQ(written.error().code, ErrorCode::tls) << to_string(written.error().code);
    EXPECT_NE(std::string_view(written.error().context).find("certificate required"), std::string_view::npos);
    const auto read = co_await read_scratch(**pair.client, within(kPatience));
    EXPECT_FALSE(read.has_value());
  });
}

TEST_F(TlsTest, ResumesAcrossWorkersThatShareTicketKeys) {
  auto options = server_options();
  options.ticket_keys = make_tls_ticket_keys();
  auto first_worker = server_of(options);
  auto second_worker = server_of(options);
  auto stranger = server_of(server_options());
  run([&]() -> Task<void> {
    for (auto version : {TlsVersion::tls_1_2, TlsVersion::tls_1_3}) {
      auto with = client_options();
      with.minimum_version = version;
      auto client = client_of(with);
      for (auto [server, resumed] :
           {std::pair{&first_worker, false}, {&first_worker, true}, {&second_worker, true}, {&stranger, false}}) {
        Pair pair = co_await handshake(*server, client);
        EXPECT_TRUE(pair.client.has_value()) << pair.client_text;
        if (!pair.client) co_return;
        EXPECT_EQ(tls_info(**pair.client).resumed, resumed);
        EXPECT_EQ(tls_info(**pair.server).resumed, resumed);
        // The ticket comes with the first bytes read. The connection then ends without ceremony.
        co_await write_all(**pair.server, "x", {});
        EXPECT_EQ(co_await read_text(**pair.client, 1), "x");
      }
    }
    auto without = client_options();
    without.resumption = false;
    auto forgetful = client_of(without);
    for (int i = 0; i < 2; ++i) {
      Pair pair = co_await handshake(first_worker, forgetful);
      EXPECT_FALSE(tls_info(**pair.client).resumed);
      co_await write_all(**pair.server, "x", {});
      co_await read_text(**pair.client, 1);
    }
  });
}

// A pool looks at idle connections: a ticket is no reason to drop one, and is kept all the same.
TEST_F(TlsTest, ATicketDoesNotDisturbAnIdleConnection) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (bool resumed : {false, true}) {
      Pair pair = co_await handshake(server, client);
      EXPECT_EQ(tls_info(**pair.client).resumed, resumed);
      co_await until([&] { return (*pair.client)->readiness().readable; });
      EXPECT_TRUE((*pair.client)->readiness().readable);
      EXPECT_FALSE((*pair.client)->disturbed());
      EXPECT_FALSE((*pair.client)->readiness().readable);
      co_await write_all(**pair.server, "unasked", {});
      co_await until([&] { return (*pair.client)->disturbed(); });
      EXPECT_TRUE((*pair.client)->disturbed());
      EXPECT_EQ(co_await read_text(**pair.client, 7), "unasked");
      EXPECT_FALSE((*pair.client)->disturbed());
      (*pair.server)->shutdown_write();
      co_await until([&] { return (*pair.client)->disturbed(); });
      EXPECT_TRUE((*pair.client)->disturbed());
    }
  });
}

TEST_F(TlsTest, AnEndWithoutCloseNotifyIsAnError) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    co_await write_all(**pair.server, "half of the ans", {});
    pair.server = nullptr;
    EXPECT_EQ(co_await read_text(**pair.client, 15), "half of the ans");
    for (int i = 0; i < 2; ++i) {
      auto end = co_await read_scratch(**pair.client, within(kPatience));
      EXPECT_FALSE(end.has_value());
      if (!end) {
        EXPECT_EQ(end.error().code, ErrorCode::reset);
      }
    }
    EXPECT_TRUE((*pair.client)->disturbed());
  });
}

// The write side of the socket is cut below TLS, right after a record: the same to the reader.
TEST_F(TlsTest, AFinWithoutCloseNotifyIsAnError) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    shutdown((*pair.server)->fd(), SHUT_WR);
    auto end = co_await read_scratch(**pair.client, within(kPatience));
    EXPECT_EQ(end.error().code, ErrorCode::reset);
  });
}

TEST_F(TlsTest, BufferedBytesAreReadAfterAHangup) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    co_await write_all(**pair.server, "one", {});
    co_await write_all(**pair.server, "two", {});
    (*pair.server)->shutdown_write();
    pair.server = nullptr;
    co_await until([&] { return (*pair.client)->readiness().hangup; });
    EXPECT_TRUE((*pair.client)->readiness().hangup);
    std::string text;
    for (;;) {
      char byte = 0;
      auto count = co_await read_some(**pair.client, {&byte, 1}, within(kPatience));
      EXPECT_TRUE(count.has_value());
      if (!count || *count == 0) break;
      text.push_back(byte);
    }
    EXPECT_EQ(text, "onetwo");
  });
}

TEST_F(TlsTest, ReadinessToldOfBufferedBytes) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    Stream& reader = **pair.client;
    co_await write_all(**pair.server, "abc", {});
    char byte = 0;
    for (char expected : {'a', 'b', 'c'}) {
      EXPECT_TRUE((co_await wait_readable(reader, within(kPatience))).has_value());
      EXPECT_EQ(co_await read_some(reader, {&byte, 1}, within(kPatience)), 1u);
      EXPECT_EQ(byte, expected);
    }
    const IoResult nothing = reader.try_read({&byte, 1});
    EXPECT_EQ(nothing.status, IoStatus::would_block_read);
    EXPECT_FALSE(reader.has_buffered());
    auto waited = co_await wait_readable(reader, within(5ms));
    EXPECT_EQ(waited.error().code, ErrorCode::deadline_exceeded);
  });
}

// Bytes that depend on their position, so that a lost or repeated record shows.
std::string pattern(size_t size, uint64_t seed) {
  base::Rng rng(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(rng.next());
  return text;
}

Task<void> send_in_pieces(Stream& stream, const std::string& data, base::Rng& rng, bool& done) {
  size_t sent = 0;
  while (sent < data.size()) {
    iovec pieces[4];
    size_t count = 0;
    while (count < 4 && sent < data.size()) {
      const size_t reach = size_t{1} << rng.below(18);
      const size_t size = std::min(data.size() - sent, static_cast<size_t>(rng.below(reach)));
      pieces[count++] = buffer_of(std::string_view(data).substr(sent, size));
      sent += size;
    }
    auto written = co_await write_all(stream, {pieces, count}, {});
    EXPECT_TRUE(written.has_value());
    if (!written) break;
  }
  stream.shutdown_write();
  done = true;
}

Task<void> receive_slowly(Stream& stream, std::string& received, base::Rng& rng, bool& done) {
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    if (rng.chance(0.02)) co_await sleep_for(stream.loop(), 1ms);
    const size_t size = 1 + rng.below(uint64_t{1} << rng.below(17));
    auto count = co_await read_some(stream, {buffer.data(), std::min(size, buffer.size())}, {});
    EXPECT_TRUE(count.has_value());
    if (!count || *count == 0) break;
    received.append(buffer.data(), *count);
  }
  done = true;
}

TEST_F(TlsTest, BigTransfersBothWaysWithSlowReaders) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  constexpr size_t kBytes = 6 << 20;
  const std::string up = pattern(kBytes, 1);
  const std::string down = pattern(kBytes, 2);
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    const int small = 16 * 1024;
    setsockopt((*pair.client)->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt((*pair.server)->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    base::Rng rng(3);
    std::string got_up;
    std::string got_down;
    bool done[4] = {};
    tasks_.spawn(send_in_pieces(**pair.client, up, rng, done[0]));
    tasks_.spawn(send_in_pieces(**pair.server, down, rng, done[1]));
    tasks_.spawn(receive_slowly(**pair.server, got_up, rng, done[2]));
    tasks_.spawn(receive_slowly(**pair.client, got_down, rng, done[3]));
    while (!(done[0] && done[1] && done[2] && done[3])) co_await sleep_for(loop_, 1ms);
    EXPECT_TRUE(got_up == up);
    EXPECT_TRUE(got_down == down);
  });
}

// The caller may come back with the same bytes cut differently: fewer, more, in other buffers.
TEST_F(TlsTest, ARetriedWriteMayBeCutDifferently) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  const std::string data = pattern(3 << 20, 4);
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    const int small = 8 * 1024;
    setsockopt((*pair.client)->fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    base::Rng rng(5);
    std::string got;
    bool received = false;
    tasks_.spawn(receive_slowly(**pair.server, got, rng, received));
    size_t sent = 0;
    int blocked = 0;
    while (sent < data.size()) {
      iovec pieces[3];
      size_t offset = sent;
      for (iovec& piece : pieces) {
        const size_t size = std::min<size_t>(data.size() - offset, rng.below(uint64_t{1} << rng.below(16)));
        piece = buffer_of(std::string_view(data).substr(offset, size));
        offset += size;
      }
      const IoResult result = (*pair.client)->try_write(pieces);
      EXPECT_NE(result.status, IoStatus::error) << result.error.context;
      if (result.status == IoStatus::error) break;
      sent += result.bytes;
      if (result.status == IoStatus::would_block_write) {
        ++blocked;
        co_await wait_writable(**pair.client, within(kPatience));
      }
    }
    EXPECT_GT(blocked, 10);
    (*pair.client)->shutdown_write();
    while (!received) co_await sleep_for(loop_, 1ms);
    EXPECT_TRUE(got == data);
  });
}

TEST_F(TlsTest, SmallBuffersShareARecord) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    // Past the ticket.
    co_await write_all(**pair.server, "x", {});
    co_await read_text(**pair.client, 1);
    const std::string body(2000, 'b');
    const iovec pieces[] = {buffer_of("head"), buffer_of(body), buffer_of("tail")};
    co_await write_all(**pair.client, pieces, {});
    char raw[8192];
    ssize_t size = -1;
    co_await until([&] {
      size = recv((*pair.server)->fd(), raw, sizeof raw, MSG_PEEK | MSG_DONTWAIT);
      return size > 0;
    });
    // One header of 5 bytes, one content type, one tag of 16: RFC 8446, section 5.2.
    EXPECT_EQ(size, static_cast<ssize_t>(4 + 2000 + 4 + 5 + 1 + 16));
    EXPECT_EQ(co_await read_text(**pair.server, 2008), "head" + body + "tail");
  });
}

// A close_notify that does not fit into the socket is sent when it does.
TEST_F(TlsTest, CloseNotifyWaitsForASlowReader) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (int round = 0; round < 8; ++round) {
      Pair pair = co_await handshake(server, client);
      Stream& writer = **pair.server;
      size_t sent = 0;
      const std::string chunk(1000 + 100 * round, 'x');
      for (;;) {
        const iovec buffer = buffer_of(chunk);
        const IoResult result = writer.try_write({&buffer, 1});
        if (result.status != IoStatus::ok) break;
        sent += result.bytes;
      }
      // The last chunk stands half sent; finish it, so that nothing but the close is left.
      bool drained = false;
      tasks_.spawn([](Stream& stream, const std::string& bytes, bool& done) -> Task<void> {
        EXPECT_TRUE((co_await write_all(stream, bytes, {})).has_value());
        stream.shutdown_write();
        done = true;
      }(writer, chunk, drained));
      sent += chunk.size();
      std::string all = co_await read_text(**pair.client, sent);
      EXPECT_EQ(all.size(), sent);
      auto end = co_await read_scratch(**pair.client, within(kPatience));
      EXPECT_TRUE(end && end->empty()) << last_tls_error();
      EXPECT_TRUE(drained);
    }
  });
}

TEST_F(TlsTest, AWriteGivenUpHalfwayIsNotAnOrderlyEnd) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair pair = co_await handshake(server, client);
    const std::string big(32 << 20, 'x');
    auto written = co_await write_all(**pair.server, big, within(20ms));
    EXPECT_EQ(written.error().code, ErrorCode::deadline_exceeded);
    (*pair.server)->shutdown_write();
    for (;;) {
      auto bytes = co_await read_scratch(**pair.client, within(kPatience));
      if (bytes && !bytes->empty()) continue;
      EXPECT_EQ(bytes.error().code, ErrorCode::reset);
      break;
    }
  });
}

TEST_F(TlsTest, ASilentPeerEndsTheHandshakeAtItsDeadline) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    auto socket = co_await network_->connect(listener_->address(), within(kPatience));
    auto other = co_await accept(*listener_, within(kPatience));
    const auto start = loop_.now();
    auto refused = co_await tls_connect(std::move(*socket), client, "localhost", within(20ms));
    EXPECT_EQ(refused.error().code, ErrorCode::deadline_exceeded);
    EXPECT_LT(loop_.now() - start, kPatience);
    Cancellation cancellation;
    cancellation.cancel();
    auto cancelled = co_await tls_accept(std::move(*other), server, {.cancellation = &cancellation});
    EXPECT_FALSE(cancelled.has_value());
  });
}

TEST_F(TlsTest, GarbageInsteadOfAHandshake) {
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    for (std::string_view garbage : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage", "\0\0\0\0\0\0\0\0"}) {
      auto socket = co_await network_->connect(listener_->address(), within(kPatience));
      auto accepted = co_await accept(*listener_, within(kPatience));
      co_await write_all(**socket, garbage, {});
      (*socket)->shutdown_write();
      auto stream = co_await tls_accept(std::move(*accepted), server, within(kPatience));
      EXPECT_FALSE(stream.has_value());
      EXPECT_FALSE(last_tls_error().empty());
      auto answer = co_await read_scratch(**socket, within(kPatience));
      // An alert at most; then the end.
      EXPECT_TRUE(!answer || answer->size() <= 7);
    }
    auto socket = co_await network_->connect(listener_->address(), within(kPatience));
    auto accepted = co_await accept(*listener_, within(kPatience));
    co_await write_all(**accepted, "HTTP/1.1 400 Bad Request\r\n\r\n", {});
    auto stream = co_await tls_connect(std::move(*socket), client, "localhost", within(kPatience));
    EXPECT_EQ(stream.error().code, ErrorCode::tls);
    EXPECT_NE(last_tls_error().find("wrong version number"), std::string_view::npos) << last_tls_error();
  });
}

TEST_F(TlsTest, APeerThatClosesInTheHandshakeIsAReset) {
  auto server = server_of(server_options());
  run([&]() -> Task<void> {
    auto socket = co_await network_->connect(listener_->address(), within(kPatience));
    auto accepted = co_await accept(*listener_, within(kPatience));
    socket->reset();
    auto stream = co_await tls_accept(std::move(*accepted), server, within(kPatience));
    EXPECT_EQ(stream.error().code, ErrorCode::reset);
  });
}

TEST_F(TlsTest, NewCertificatesReplaceTheOldWithoutBreakingConnections) {
  authority_.issue_into(files_, {.common_name = "old", .names = {"localhost"}});
  auto server = server_of(server_options());
  auto client = client_of(client_options());
  run([&]() -> Task<void> {
    Pair old = co_await handshake(server, client);
    EXPECT_EQ(tls_peer_subject(**old.client), "CN=old");
    // One handshake is under way while the context is replaced.
    auto socket = co_await network_->connect(listener_->address(), within(kPatience));
    Pair half{nullptr, nullptr, "", ""};
    bool accepted = false;
    tasks_.spawn(accept_into(*this, server, half, accepted));
    co_await sleep_for(loop_, 5ms);
    authority_.issue_into(files_, {.common_name = "new", .names = {"localhost"}});
    server = server_of(server_options());
    auto client_half = co_await tls_connect(std::move(*socket), client, "localhost", within(kPatience));
    EXPECT_TRUE(client_half.has_value()) << last_tls_error();
    if (client_half) {
      EXPECT_EQ(tls_peer_subject(**client_half), "CN=old");
    }
    Pair fresh = co_await handshake(server, client);
    EXPECT_EQ(tls_peer_subject(**fresh.client), "CN=new");
    co_await write_all(**old.client, "still here", {});
    EXPECT_EQ(co_await read_text(**old.server, 10), "still here");
  });
}

TEST_F(TlsTest, BadFilesAreNamed) {
  TlsServerOptions options = server_options();
  options.certificates[0].key_file = authority_.issue({}).key_file;
  EXPECT_EQ(TlsServerContext::create(options).error().code, ErrorCode::invalid_argument);
  EXPECT_NE(last_tls_error().find("key values mismatch"), std::string_view::npos) << last_tls_error();
  options.certificates[0].chain_file = "/nonexistent/chain.pem";
  EXPECT_EQ(TlsServerContext::create(options).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(last_tls_error(), "/nonexistent/chain.pem: the file cannot be read: No such file or directory");
  EXPECT_FALSE(TlsServerContext::create({}).has_value());
  options = server_options();
  options.client_certificates = TlsClientCertificates::required;
  EXPECT_FALSE(TlsServerContext::create(options).has_value());
  EXPECT_FALSE(TlsClientContext::create({.ca_file = "/nonexistent/ca.pem"}).has_value());
  options = server_options();
  options.ticket_keys = base::Secret("short");
  EXPECT_FALSE(TlsServerContext::create(options).has_value());
}

}  // namespace
}  // namespace llmgw::net
