// TLS streams against a peer that uses OpenSSL directly, with a thread and a blocking socket of its own, and does what
// our own streams never do.
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "net/io.h"
#include "net/network.h"
#include "net/tls.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;

std::string pattern(size_t size, uint64_t seed) {
  base::Rng rng(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(rng.next());
  return text;
}

class TlsPeerTest : public testing::Test {
 public:
  Loop loop_{make_epoll_poller(), 1};
  std::unique_ptr<Network> network_ = make_socket_network(loop_);
  std::unique_ptr<Listener> listener_ = std::move(*network_->listen(*Address::parse("127.0.0.1:0"), {}));
  TestAuthority authority_;
  TlsServerContext server_ = *TlsServerContext::create({.certificates = {authority_.issue({.names = {"localhost"}})}});
  TaskGroup tasks_;

  // `peer` runs in a thread after its handshake; `body` gets our end.
  void run(const std::function<void(SSL*, int)>& peer, const std::function<Task<void>(Stream&)>& body) {
    std::thread thread([&] {
      const Address address = listener_->address();
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      SSL_CTX* context = SSL_CTX_new(TLS_client_method());
      SSL* ssl = SSL_new(context);
      SSL_set_fd(ssl, fd);
      EXPECT_EQ(connect(fd, address.data(), address.size()), 0);
      EXPECT_EQ(SSL_connect(ssl), 1);
      peer(ssl, fd);
      SSL_free(ssl);
      SSL_CTX_free(context);
      close(fd);
    });
    bool done = false;
    tasks_.spawn(
        [](TlsPeerTest& test, const std::function<Task<void>(Stream&)>& function, bool& finished) -> Task<void> {
          auto socket = co_await accept(*test.listener_, {});
          auto stream = co_await tls_accept(std::move(*socket), test.server_, {.deadline = test.loop_.now() + 60s});
          EXPECT_TRUE(stream.has_value());
          if (stream) co_await function(**stream);
          finished = true;
        }(*this, body, done));
    loop_.run_until([&] { return done; });
    thread.join();
  }
};

Task<void> write_pattern(Stream& stream, const std::string& data, bool& done) {
  EXPECT_TRUE((co_await write_all(stream, data, {})).has_value());
  stream.shutdown_write();
  done = true;
}

Task<std::string> read_to_end(Stream& stream) {
  std::string received;
  for (;;) {
    auto bytes = co_await read_scratch(stream, {.deadline = stream.loop().now() + 20s});
    EXPECT_TRUE(bytes.has_value()) << last_tls_error();
    if (!bytes || bytes->empty()) break;
    received.append(bytes->data(), bytes->size());
  }
  co_return received;
}

// The peer asks for new keys again and again while our writer is blocked in the middle of a record: the answer to that
// has to wait for the record, and reader and writer must not get in each other's way.
TEST_F(TlsPeerTest, KeyUpdatesWhileTheWriterIsBlocked) {
  const std::string down = pattern(4 << 20, 1);
  const std::string piece = pattern(100, 2);
  constexpr int kUpdates = 200;
  std::string got_down;
  std::string got_up;
  run(
      [&](SSL* ssl, int) {
        std::string buffer(32 * 1024, '\0');
        for (int i = 0; i < kUpdates; ++i) {
          EXPECT_EQ(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
          EXPECT_EQ(SSL_write(ssl, piece.data(), static_cast<int>(piece.size())), static_cast<int>(piece.size()));
          if (i % 10 == 0) usleep(1000);
          const int count = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
          if (count > 0) got_down.append(buffer.data(), static_cast<size_t>(count));
        }
        SSL_shutdown(ssl);
        for (;;) {
          const int count = SSL_read(ssl, buffer.data(), static_cast<int>(buffer.size()));
          if (count <= 0) break;
          got_down.append(buffer.data(), static_cast<size_t>(count));
        }
      },
      [&](Stream& stream) -> Task<void> {
        const int small = 16 * 1024;
        setsockopt(stream.fd(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        bool written = false;
        tasks_.spawn(write_pattern(stream, down, written));
        got_up = co_await read_to_end(stream);
        while (!written) co_await sleep_for(loop_, 1ms);
      });
  EXPECT_EQ(got_up.size(), kUpdates * piece.size());
  EXPECT_TRUE(got_down == down);
}

// A record that comes byte by byte is no data until it is complete, and readiness does not spin meanwhile.
TEST_F(TlsPeerTest, ARecordInPieces) {
  run(
      [&](SSL* ssl, int fd) {
        // The record is made aside and sent by hand.
        BIO* memory = BIO_new(BIO_s_mem());
        SSL_set0_wbio(ssl, memory);
        EXPECT_EQ(SSL_write(ssl, "in pieces", 9), 9);
        char* record = nullptr;
        const long size = BIO_get_mem_data(memory, &record);
        for (long i = 0; i < size; ++i) {
          EXPECT_EQ(send(fd, record + i, 1, MSG_NOSIGNAL), 1);
          usleep(500);
        }
        char end = 0;
        EXPECT_LE(SSL_read(ssl, &end, 1), 0);
      },
      [&](Stream& stream) -> Task<void> {
        char buffer[64];
        int wake_ups = 0;
        for (;;) {
          EXPECT_TRUE((co_await wait_readable(stream, {.deadline = loop_.now() + 60s})).has_value());
          ++wake_ups;
          const IoResult result = stream.try_read(buffer);
          if (result.status == IoStatus::would_block_read) {
            EXPECT_FALSE(stream.has_buffered());
            continue;
          }
          EXPECT_EQ(std::string_view(buffer, result.bytes), "in pieces");
          break;
        }
        EXPECT_LE(wake_ups, 9 + 5 + 1 + 16 + 1);  // one a byte of the record at most
      });
}

// An orderly end of the peer leaves our direction open; an alert instead is an error.
TEST_F(TlsPeerTest, AnAlertIsAnError) {
  run(
      [&](SSL* ssl, int fd) {
        // Damaged in transit: the record cannot be authenticated, and we say so to the peer.
        BIO* memory = BIO_new(BIO_s_mem());
        SSL_set0_wbio(ssl, memory);
        EXPECT_EQ(SSL_write(ssl, "damaged", 7), 7);
        char* record = nullptr;
        const long size = BIO_get_mem_data(memory, &record);
        record[size - 1] = static_cast<char>(record[size - 1] ^ 1);
        EXPECT_EQ(send(fd, record, static_cast<size_t>(size), MSG_NOSIGNAL), size);
        char buffer[64];
        EXPECT_LE(SSL_read(ssl, buffer, sizeof buffer), 0);
      },
      [&](Stream& stream) -> Task<void> {
        for (int i = 0; i < 2; ++i) {
          auto bytes = co_await read_scratch(stream, {.deadline = loop_.now() + 60s});
          EXPECT_EQ(bytes.error().code, ErrorCode::tls);
        }
        EXPECT_NE(last_tls_error().find("bad record mac"), std::string_view::npos) << last_tls_error();
      });
}

}  // namespace
}  // namespace llmgw::net
