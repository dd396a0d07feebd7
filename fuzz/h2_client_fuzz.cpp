// links: http
// An HTTP/2 client and a server that answers anything: every exchange ends in a whole response or an error.
#include "h2_input.h"
#include "http/pool.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::http::fuzzing {
namespace {

using namespace std::chrono_literals;
using net::Task;

Task<void> request(Pool& pool, std::string_view method, size_t body_bytes, size_t& ended) {
  struct Ended {
    size_t& count;
    ~Ended() { ++count; }
  } counting{ended};
  const net::Wait wait{pool.loop().now() + 20s};
  const std::string body(body_bytes, 'b');
  auto exchange = co_await pool.acquire(false, wait);
  if (!exchange) co_return;
  const iovec buffer = net::buffer_of(body);
  RequestStart start;
  start.method = method;
  start.target = "/v1/x";
  start.authority = "example.com";
  if (!body.empty()) start.body = {&buffer, 1};
  if (!co_await (*exchange)->send(start, wait)) co_return;
  auto head = co_await (*exchange)->read_head(wait);
  if (!head) co_return;
  require((*head)->status >= 200 && (*head)->status < 600, "the head is a final one");
  require((*head)->version == Version::http_2, "the version is HTTP/2");
  require((*exchange)->received_any(), "a head is something");
  size_t received = 0;
  for (;;) {
    auto bytes = co_await (*exchange)->read_body(wait);
    if (!bytes) co_return;
    received += bytes->data.size();
    if (bytes->done) break;
  }
  const bool sized = (*head)->framing == Framing::content_length;
  require(!sized || received == (*head)->content_length, "a body is whole");
  require((*head)->framing != Framing::none || received == 0, "no body is no body");
  require((*exchange)->trailers().size() <= Headers::kMax, "trailers are bounded");
}

// The server: reads and forgets, writes what the input says.
Task<void> answer(std::unique_ptr<net::Stream> stream, std::string bytes, size_t step) {
  net::TaskGroup reading;
  reading.spawn([](net::Stream& from) -> Task<void> {
    for (;;) {
      auto read = co_await net::read_scratch(from, {});
      if (!read || read->empty()) co_return;
    }
  }(*stream));
  for (size_t at = 0; at < bytes.size(); at += step) {
    const std::string_view piece = std::string_view(bytes).substr(at, step);
    if (!co_await net::write_all(*stream, piece, {.deadline = stream->loop().now() + 100s})) break;
    co_await net::yield(stream->loop());
  }
  (void)co_await net::sleep_for(stream->loop(), 5s);
}

void run(Input input) {
  const uint8_t options = input.byte();
  const size_t step = size_t{input.byte()} * 16 + 1;
  std::string bytes = (options & 2) == 0 ? frames_of(input) : std::string(input.rest());

  net::sim::World world(1);
  net::TaskGroup tasks;
  size_t connections = 0;
  PoolOptions pool_options;
  pool_options.http2_prior_knowledge = true;
  pool_options.connections_max = 2;
  pool_options.head_limits.head_bytes_max = 2048;
  pool_options.head_limits.headers_max = 20;
  Pool pool(
      world.loop(),
      [&](net::Wait) -> Task<base::Result<std::unique_ptr<net::Stream>>> {
        auto [client, server] = world.network().pair();
        tasks.spawn(answer(std::move(server), connections++ == 0 ? bytes : std::string(), step));
        co_return std::move(client);
      },
      pool_options);
  size_t ended = 0;
  tasks.spawn(request(pool, "GET", 0, ended));
  tasks.spawn(request(pool, "POST", 100'000, ended));
  tasks.spawn(request(pool, "HEAD", 0, ended));
  if ((options & 4) != 0) {
    world.run_for(1ms);
    pool.retire();
  }
  world.run_for(100s);
  require(ended == 3, "every exchange ends");
  pool.retire();
  world.run_for(100s);
  require(pool.open() == 0, "every connection ends");
  require(world.network().open_streams() == 0, "nothing is left");
}

}  // namespace
}  // namespace llmgw::http::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  llmgw::http::fuzzing::run(llmgw::http::fuzzing::Input(data, size));
  return 0;
}
