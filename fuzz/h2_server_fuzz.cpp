// links: http
// An HTTP/2 server and a client that sends anything: every request that reaches a handler is whole, every handler and
// the connection end, and memory stays bounded.
#include "h2_input.h"
#include "http/server.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::http::fuzzing {
namespace {

using namespace std::chrono_literals;
using net::Task;

constexpr uint64_t kBodyBytesMax = 4096;

void check_head(const RequestHead& head) {
  require(head.version == Version::http_2, "the version is HTTP/2");
  require(!head.authority.empty(), "there is an authority");
  require(!head.path.empty() && (head.path.front() == '/' || head.path == "*"), "a path is a path");
  require(head.scheme == "http" || head.scheme == "https", "a scheme is a scheme");
  require(!head.method_text.empty() && head.method != Method::connect, "a method is a method");
  require(head.headers.size() <= Headers::kMax, "headers are bounded");
  require(!head.headers.has(HeaderId::connection) && !head.headers.has(HeaderId::transfer_encoding),
          "nothing of HTTP/1.1");
  require(!head.headers.repeated(HeaderId::cookie), "cookies are joined");
  for (const Header& header : head.headers) {
    require(header.name.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ:\r\n ") == std::string_view::npos, "names are names");
    require(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos, "values are values");
  }
}

class Handler final : public RequestHandler {
 public:
  explicit Handler(uint8_t habits) : habits_(habits) {}

  Task<void> handle(ServerExchange& exchange) override {
    check_head(exchange.head());
    const uint8_t habit = static_cast<uint8_t>(habits_++ % 6);
    if (habit == 1) co_return;
    if (habit == 2) (void)co_await net::sleep_for(exchange.loop(), 1s, &exchange.cancellation());
    size_t body_bytes = 0;
    if (habit != 3) {
      auto body = co_await exchange.read_body(kBodyBytesMax);
      if (body) {
        require(body->size() <= kBodyBytesMax, "the limit holds");
        const bool sized = exchange.head().framing == Framing::content_length;
        require(!sized || body->size() == exchange.head().content_length, "a body is whole");
        body_bytes = body->size();
      }
    }
    const ResponseStart response{.framing = Framing::until_close};
    if (!exchange.start(response)) co_return;
    if (habit == 4) (void)co_await exchange.flush();
    const std::string piece(body_bytes * 20 + 100, 'x');
    for (int i = 0; i < 4; ++i) {
      const iovec buffer = net::buffer_of(piece);
      if (!co_await exchange.write({&buffer, 1}, i == 3)) co_return;
      if (habit == 5) exchange.abort();
    }
    require(exchange.ended(), "the end was written");
  }
  MalformedAnswer malformed_request(const MalformedRequest& request) override {
    require(request.status == 0 || (request.status >= 400 && request.status < 600), "a refusal is an error");
    return {.body = std::string(request.message), .request_id = "id"};
  }

 private:
  uint8_t habits_;
};

Task<void> send_pieces(net::Stream& stream, std::string bytes, size_t step) {
  for (size_t at = 0; at < bytes.size(); at += step) {
    const std::string_view piece = std::string_view(bytes).substr(at, step);
    if (!co_await net::write_all(stream, piece, {.deadline = stream.loop().now() + 100s})) co_return;
    co_await net::yield(stream.loop());
  }
}

Task<void> read_all(net::Stream& stream, base::Duration pause) {
  for (;;) {
    auto bytes = co_await net::read_scratch(stream, {.deadline = stream.loop().now() + 100s});
    if (!bytes || bytes->empty()) co_return;
    if (pause > 0s) (void)co_await net::sleep_for(stream.loop(), pause);
  }
}

void run(Input input) {
  const uint8_t options = input.byte();
  const uint8_t habits = input.byte();
  const size_t step = size_t{input.byte()} * 16 + 1;
  std::string bytes;
  if ((options & 1) == 0) bytes = kH2Preface;
  if ((options & 2) == 0) {
    bytes += frames_of(input);
  } else {
    bytes += input.rest();
  }

  net::sim::World world(1);
  Handler handler(habits);
  ServerOptions server_options;
  server_options.h2_streams_max = 8;
  server_options.head_limits.head_bytes_max = 2048;
  server_options.head_limits.headers_max = 20;
  Server server(world.loop(), handler, server_options);
  net::sim::Faults faults;
  if ((options & 4) != 0) faults.to_client.capacity_min = faults.to_client.capacity_max = 200;
  auto [client, served] = world.network().pair(faults);
  net::TaskGroup serving;
  serving.spawn(serve_h2(server, std::move(served), {}));
  net::TaskGroup tasks;
  tasks.spawn(send_pieces(*client, std::move(bytes), step));
  if ((options & 8) == 0) tasks.spawn(read_all(*client, (options & 16) != 0 ? 10ms : 0ms));
  if ((options & 32) != 0) {
    world.run_for(5ms);
    server.drain();
  }
  // Idle, header, body and write timeouts end whatever the client leaves open.
  world.run_for(30s);
  tasks.cancel_all();
  client.reset();
  world.run_for(300s);
  require(serving.active() == 0, "the connection ends");
  require(server.counters().active == 0, "every handler ends");
  require(world.network().open_streams() == 0, "nothing is left");
}

}  // namespace
}  // namespace llmgw::http::fuzzing

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  llmgw::http::fuzzing::run(llmgw::http::fuzzing::Input(data, size));
  return 0;
}
