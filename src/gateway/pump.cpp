#include "gateway/pump.h"

#include <string>

#include "net/io.h"

namespace llmgw::gateway {
namespace {

using base::Duration;
using net::Cancellation;
using net::Stream;
using net::Task;

// Bytes are in the loop's scratch memory: what the socket does not take at once is copied before waiting.
Task<bool> write_out(Stream& to, std::string_view bytes, net::Wait wait) {
  const iovec buffer = net::buffer_of(bytes);
  const net::IoResult result = to.try_write({&buffer, 1});
  if (result.status == net::IoStatus::error || result.status == net::IoStatus::eof) co_return false;
  if (result.bytes == bytes.size()) co_return true;
  const std::string rest(bytes.substr(result.bytes));
  co_return (co_await net::write_all(to, rest, wait)).has_value();
}

Task<void> pump(PumpEnd from, Stream& to, Duration idle_timeout, Cancellation& cancellation, Cancellation& finished) {
  net::Loop& loop = to.loop();
  bool open =
      from.early_bytes.empty() || co_await write_out(to, from.early_bytes, {loop.now() + idle_timeout, &cancellation});
  while (open) {
    auto bytes = co_await net::read_scratch(from.stream, {loop.now() + idle_timeout, &cancellation});
    if (!bytes || bytes->empty()) break;
    open = co_await write_out(to, {bytes->data(), bytes->size()}, {loop.now() + idle_timeout, &cancellation});
  }
  finished.cancel();
}

}  // namespace

Task<void> pump_both_ways(PumpEnd a, PumpEnd b, Duration idle_timeout, Cancellation& cancellation) {
  net::LinkedCancellation either(cancellation);
  net::TaskGroup other_way;
  other_way.spawn(pump(b, a.stream, idle_timeout, either, either));
  co_await pump(a, b.stream, idle_timeout, either, either);
  a.stream.shutdown_write();
  b.stream.shutdown_write();
}

}  // namespace llmgw::gateway
