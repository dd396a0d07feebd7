#include "net/dial.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "base/text.h"
#include "net/io.h"

namespace llmgw::net {

using base::ErrorCode;
using base::fail;
using base::Instant;
using base::Result;

namespace {

constexpr size_t kConnectAnswerBytesMax = 8 * 1024;  // a proxy's head; they are a few hundred bytes

// As the map's key: the bytes of the socket address.
std::string key_of(const Address& address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

// Failures that tell of the address, not of us.
bool blames_address(ErrorCode code) {
  return code == ErrorCode::refused || code == ErrorCode::unreachable || code == ErrorCode::reset ||
         code == ErrorCode::deadline_exceeded;
}

// kProxyTls and what TLS says. Contexts are static texts: each of these, of which TLS has a few, is made when it first
// happens, and kept.
const char* proxy_tls_context(const char* said) {
  static std::mutex mutex;
  static auto& texts = *new std::map<std::string, std::string, std::less<>>();
  const std::lock_guard lock(mutex);
  auto found = texts.find(std::string_view(said));
  if (found == texts.end()) found = texts.emplace(said, std::string(kProxyTls) + said).first;
  return found->second.c_str();
}

Task<Result<void>> open_tunnel(Stream& stream, const DialTarget& target, Wait wait) {
  const bool v6_literal = target.host.find(':') != std::string::npos && !target.host.starts_with('[');
  const std::string authority =
      (v6_literal ? "[" + target.host + "]" : target.host) + ":" + std::to_string(target.port);
  const std::string_view authorization = target.proxy->authorization.reveal();
  const std::array request{buffer_of("CONNECT "),
                           buffer_of(authority),
                           buffer_of(" HTTP/1.1\r\nHost: "),
                           buffer_of(authority),
                           buffer_of(authorization.empty() ? "" : "\r\nProxy-Authorization: "),
                           buffer_of(authorization),
                           buffer_of("\r\n\r\n")};
  CO_TRY_VOID(co_await write_all(stream, request, wait));
  std::string received;
  for (;;) {
    CO_TRY(bytes, co_await read_scratch(stream, wait));
    if (bytes.empty()) co_return fail(ErrorCode::closed, "the proxy closed the connection");
    received.append(bytes.data(), bytes.size());
    CO_TRY(complete, parse_connect_answer(received));
    if (complete) co_return Result<void>{};
  }
}

}  // namespace

Result<bool> parse_connect_answer(std::string_view received) {
  constexpr std::string_view kStart = "HTTP/1.";
  const std::string_view start = received.substr(0, kStart.size());
  if (start != kStart.substr(0, start.size())) return fail(ErrorCode::protocol, "the proxy does not speak HTTP/1.1");
  const size_t end = received.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (received.size() > kConnectAnswerBytesMax) return fail(ErrorCode::protocol, "the proxy's answer is too long");
    return false;
  }
  // "HTTP/1.1 200 ...", or without a reason
  const std::string_view code = received.substr(kStart.size() + 1, 5);
  const auto status = base::parse_decimal(code.substr(1, 3));
  if (code.size() < 5 || code[0] != ' ' || (code[4] != ' ' && code[4] != '\r') || !status || *status < 100) {
    return fail(ErrorCode::protocol, "the proxy's status line is malformed");
  }
  if (*status == 407) return fail(ErrorCode::permission, kProxyWantsCredentials);
  if (*status == 401 || *status == 403) return fail(ErrorCode::permission, kProxyRefusesTarget);
  if (*status < 200 || *status > 299) return fail(ErrorCode::unreachable, kProxyCannotReach);
  // The server waits for our first bytes: what follows the head can only be a body, and a tunnel has none.
  if (received.size() > end + 4) return fail(ErrorCode::protocol, "the proxy sent bytes before the tunnel was used");
  return true;
}

void FailedAddresses::add(const Address& address, Instant until, size_t max) {
  remove(address);
  while (!entries_.empty() && entries_.size() >= max) {
    by_address_.erase(entries_.back().address);
    entries_.pop_back();
  }
  entries_.push_front({key_of(address), until});
  by_address_[entries_.front().address] = entries_.begin();
}

void FailedAddresses::remove(const Address& address) {
  const auto found = by_address_.find(key_of(address));
  if (found == by_address_.end()) return;
  entries_.erase(found->second);
  by_address_.erase(found);
}

bool FailedAddresses::contains(const Address& address, Instant now) const {
  if (by_address_.empty()) return false;
  const auto found = by_address_.find(key_of(address));
  return found != by_address_.end() && now < found->second->until;
}

std::vector<Address> FailedAddresses::order(std::vector<Address> addresses, Instant now) const {
  std::vector<Address> failed;
  std::erase_if(addresses, [&](const Address& address) {
    if (!contains(address, now)) return false;
    failed.push_back(address);
    return true;
  });
  addresses.insert(addresses.end(), failed.begin(), failed.end());
  return addresses;
}

// Attempts that run beside each other; the first connection wins.
struct Dialer::Race {
  explicit Race(Loop& loop) : changed(loop) {}
  Signal changed;
  std::unique_ptr<Stream> winner;
  base::Error error{ErrorCode::unreachable, "no address", 0};
  size_t running = 0;
  size_t failures = 0;
  TaskGroup attempts;  // last, so that it goes first
};

Dialer::Dialer(Loop& loop, Network& network, Resolver& resolver, const DialOptions& options)
    : loop_(loop), network_(network), resolver_(resolver), options_(options) {}

Task<void> Dialer::attempt(Dialer& dialer, Race& race, Address address, Wait wait) {
  const Instant limit = dialer.loop_.now() + dialer.options_.attempt_timeout;
  const bool own_limit = limit < wait.deadline;
  auto stream = co_await dialer.network_.connect(address, {std::min(limit, wait.deadline), wait.cancellation});
  --race.running;
  if (stream) {
    dialer.failed_.remove(address);
    race.winner = std::move(*stream);
  } else {
    ++race.failures;
    race.error = stream.error();
    const bool caller_gave_up = race.error.code == ErrorCode::deadline_exceeded && !own_limit;
    if (blames_address(race.error.code) && !caller_gave_up) {
      dialer.failed_.add(address, dialer.loop_.now() + dialer.options_.dead_for, dialer.options_.dead_max);
    }
    if (race.error.code == ErrorCode::deadline_exceeded && own_limit) race.error.code = ErrorCode::unreachable;
  }
  race.changed.notify();
}

Task<Result<std::unique_ptr<Stream>>> Dialer::connect_any(std::vector<Address> addresses, Wait wait) {
  addresses = failed_.order(std::move(addresses), loop_.now());
  if (addresses.size() > options_.attempts_max) addresses.resize(options_.attempts_max);
  Race race(loop_);
  size_t next = 0;
  while (race.winner == nullptr) {
    if (wait.cancellation != nullptr && wait.cancellation->cancelled()) {
      co_return fail(wait.cancellation->reason(), "connect");
    }
    if (wait.deadline <= loop_.now()) co_return fail(ErrorCode::deadline_exceeded, "connect");
    Instant step = base::kNever;
    const size_t failures = race.failures;
    if (next < addresses.size()) {
      ++race.running;
      race.attempts.spawn(attempt(*this, race, addresses[next++], wait));
      if (next < addresses.size()) step = loop_.now() + options_.stagger;
    }
    // The next address has its turn when an attempt fails or the step is over.
    while (race.winner == nullptr && race.running > 0 && race.failures == failures) {
      auto waited = co_await race.changed.wait({std::min(step, wait.deadline), wait.cancellation});
      if (!waited) break;
    }
    if (race.winner == nullptr && race.running == 0 && next == addresses.size()) co_return fail(race.error);
  }
  co_return std::move(race.winner);
}

Task<Result<std::unique_ptr<Stream>>> Dialer::connect(const std::string& host, uint16_t port, Wait wait) {
  CO_TRY(resolution, co_await resolver_.resolve(host, port, wait));
  co_return co_await connect_any(std::move(resolution.addresses), wait);
}

Task<Result<std::unique_ptr<Stream>>> Dialer::connect_proxy(const DialTarget& target, Wait wait) {
  const Proxy& proxy = *target.proxy;
  if (proxy.tls && target.proxy_tls == nullptr) {
    co_return fail(ErrorCode::invalid_argument, "a proxy reached by TLS needs a TLS context");
  }
  auto connected = co_await connect(proxy.host, proxy.port, wait);
  if (!connected) co_return fail({connected.error().code, "connect to the proxy", connected.error().os_error});
  std::unique_ptr<Stream> stream = std::move(*connected);
  if (proxy.tls) {
    auto encrypted = co_await tls_connect(std::move(stream), *target.proxy_tls, proxy.host, wait);
    if (!encrypted) {
      const base::Error& error = encrypted.error();
      co_return fail({error.code, proxy_tls_context(error.context), error.os_error});
    }
    stream = std::move(*encrypted);
  }
  if (target.tls != nullptr) CO_TRY_VOID(co_await open_tunnel(*stream, target, wait));
  co_return stream;
}

Task<Result<std::unique_ptr<Stream>>> Dialer::dial(const DialTarget& target, Wait wait) {
  Result<std::unique_ptr<Stream>> stream;
  if (!target.unix_path.empty()) {
    CO_TRY(address, Address::from_unix_path(target.unix_path));
    stream = co_await network_.connect(address, wait);
  } else if (target.proxy != nullptr) {
    stream = co_await connect_proxy(target, wait);
  } else {
    stream = co_await connect(target.host, target.port, wait);
  }
  if (!stream || target.tls == nullptr) co_return stream;
  const std::string& name = target.server_name.empty() ? target.host : target.server_name;
  co_return co_await tls_connect(std::move(*stream), *target.tls, name, wait);
}

}  // namespace llmgw::net
