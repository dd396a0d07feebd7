// Both ends of a connection on one loop, over loopback: the figures count the work of client and server together.
#include "net/tls.h"

#include <benchmark/benchmark.h>

#include <cstdlib>

#include "net/io.h"
#include "net/network.h"
#include "net/tls_test_certificates.h"

namespace llmgw::net {
namespace {

struct Bench {
  Loop loop{make_epoll_poller(), 1};
  std::unique_ptr<Network> network = make_socket_network(loop);
  std::unique_ptr<Listener> listener = std::move(*network->listen(*Address::parse("127.0.0.1:0"), {}));
  TestAuthority authority;
  TlsCertificateFiles files = authority.issue({.names = {"localhost"}});
  TlsServerContext server = *TlsServerContext::create({.certificates = {files}});
  TlsClientContext client = *TlsClientContext::create({.ca_file = authority.certificate_file()});
  TaskGroup tasks;

  void run(Task<void> task) {
    bool done = false;
    tasks.spawn([](Task<void> body, bool& finished) -> Task<void> {
      co_await body;
      finished = true;
    }(std::move(task), done));
    loop.run_until([&] { return done; });
  }
  struct Ends {
    std::unique_ptr<Stream> client;
    std::unique_ptr<Stream> server;
  };
  Ends connect(bool tls) {
    Ends ends;
    run(connect_into(*this, tls, ends));
    if (ends.client == nullptr || ends.server == nullptr) std::abort();
    return ends;
  }

 private:
  static Task<void> accept_into(Bench& bench, bool tls, Ends& ends) {
    auto stream = co_await accept(*bench.listener, {});
    if (tls) stream = co_await tls_accept(std::move(*stream), bench.server, {});
    if (stream) ends.server = std::move(*stream);
  }
  static Task<void> connect_into(Bench& bench, bool tls, Ends& ends) {
    TaskGroup accepting;
    accepting.spawn(accept_into(bench, tls, ends));
    auto stream = co_await bench.network->connect(bench.listener->address(), {});
    if (tls) stream = co_await tls_connect(std::move(*stream), bench.client, "localhost", {});
    if (stream) ends.client = std::move(*stream);
    while (accepting.active() > 0) co_await yield(bench.loop);
    // The ticket, if any, is taken in by a first byte read.
    if (tls) {
      co_await write_all(*ends.server, "x", {});
      co_await read_scratch(*ends.client, {});
    }
  }
};

Task<void> read_exactly(Stream& stream, size_t size) {
  for (size_t received = 0; received < size;) {
    auto bytes = co_await read_scratch(stream, {});
    if (!bytes || bytes->empty()) std::abort();
    received += bytes->size();
  }
}

Task<void> answer_forever(Stream& stream, size_t request, const std::string& head, const std::string& body) {
  for (;;) {
    co_await read_exactly(stream, request);
    const iovec pieces[] = {buffer_of(head), buffer_of(body)};
    auto written = co_await write_all(stream, pieces, {});
    if (!written) co_return;
  }
}

Task<void> exchange(Stream& stream, const std::string& request, size_t answer) {
  co_await write_all(stream, request, {});
  co_await read_exactly(stream, answer);
}

// A request of 1 KiB and an answer with a head of 300 bytes and a body of range(0); range(1): TLS.
void BM_Exchange(benchmark::State& state) {
  Bench bench;
  Bench::Ends ends = bench.connect(state.range(1) != 0);
  const std::string request(1024, 'q');
  const std::string head(300, 'h');
  const std::string body(static_cast<size_t>(state.range(0)), 'b');
  TaskGroup server;
  server.spawn(answer_forever(*ends.server, request.size(), head, body));
  for (auto _ : state) bench.run(exchange(*ends.client, request, head.size() + body.size()));
  server.cancel_all();
}
BENCHMARK(BM_Exchange)->ArgsProduct({{1 << 10, 16 << 10, 256 << 10}, {0, 1}});

// A new connection, range(0): 0 plain, 1 TLS with a full handshake (ECDSA P-256), 2 TLS resumed.
void BM_Connect(benchmark::State& state) {
  Bench bench;
  const bool resumed = state.range(0) == 2;
  if (!resumed)
    bench.client = *TlsClientContext::create({.ca_file = bench.authority.certificate_file(), .resumption = false});
  if (resumed) bench.connect(true);
  for (auto _ : state) {
    const Bench::Ends ends = bench.connect(state.range(0) != 0);
    if (resumed && !tls_info(*ends.client).resumed) state.SkipWithError("not resumed");
  }
}
BENCHMARK(BM_Connect)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace llmgw::net
