#include "net/sim/network.h"

#include <algorithm>
#include <deque>
#include <iterator>

#include "net/io.h"
#include "net/sim/pipe.h"

namespace llmgw::net::sim {

using base::ErrorCode;
using base::fail;
using base::Result;

namespace {

// Client addresses are made up from the connection's number: 10.128.0.0/9 has room for eight million.
constexpr uint32_t kClientHosts = 1 << 23;

Address client_address(uint64_t id) {
  const auto host = static_cast<uint32_t>(id % kClientHosts);
  const std::string ip = "10." + std::to_string(128 + (host >> 16)) + '.' + std::to_string((host >> 8) & 255) + '.' +
                         std::to_string(host & 255);
  return *Address::from_ip(ip, static_cast<uint16_t>(1024 + id % 60000));
}

base::Duration draw(base::Rng& rng, base::Duration low, base::Duration high) {
  if (high <= low) return low;
  return low + base::Duration(static_cast<int64_t>(rng.below(static_cast<uint64_t>((high - low).count()) + 1)));
}

}  // namespace

class SimListener final : private ReadinessHolder, public Listener {
 public:
  SimListener(SimNetwork& network, const Address& address)
      : Listener(network.loop(), held_readiness), network_(network), address_(address) {
    network_.listeners_.emplace(address.to_string(), this);
    ++network_.open_listeners_;
  }
  ~SimListener() override {
    // Connections that nobody has accepted are reset, as the kernel does.
    for (auto& stream : waiting_) stream->reset_on_close();
    std::erase_if(network_.listeners_, [this](const auto& entry) { return entry.second == this; });
    --network_.open_listeners_;
  }

  void add(std::unique_ptr<Stream> stream) {
    waiting_.push_back(std::move(stream));
    readiness().signal(loop(), true, false, false);
  }
  Result<std::unique_ptr<Stream>> try_accept() override {
    if (waiting_.empty()) {
      readiness().readable = false;
      return nullptr;
    }
    std::unique_ptr<Stream> stream = std::move(waiting_.front());
    waiting_.pop_front();
    return stream;
  }
  Address address() const override { return address_; }

 private:
  SimNetwork& network_;
  Address address_;
  std::deque<std::unique_ptr<Stream>> waiting_;
};

SimNetwork::SimNetwork(Loop& loop, uint64_t seed) : loop_(loop), seed_(seed), rng_(seed) {}

SimNetwork::~SimNetwork() = default;

const Faults& SimNetwork::faults_for(const Address& address) const {
  if (faults_by_address_.empty()) return faults_;
  const auto found = faults_by_address_.find(address.to_string());
  return found == faults_by_address_.end() ? faults_ : found->second;
}

SimListener* SimNetwork::listener_at(const Address& address) {
  const auto [first, last] = listeners_.equal_range(address.to_string());
  const auto count = std::distance(first, last);
  if (count == 0) return nullptr;
  return std::next(first, static_cast<long>(rng_.below(static_cast<uint64_t>(count))))->second;
}

std::pair<std::unique_ptr<SimStream>, std::unique_ptr<SimStream>> SimNetwork::make_pair(const Faults& faults,
                                                                                        const Address& server,
                                                                                        uint64_t id) {
  auto pipe = std::make_shared<Pipe>(*this, faults, id, base::Rng(seed_ ^ (id * 0x9e3779b97f4a7c15)));
  auto client_end = std::make_unique<SimStream>(*this, pipe, 0, server);
  auto server_end = std::make_unique<SimStream>(*this, pipe, 1, client_address(id));
  client_end->readiness().writable = true;
  pipe->open();
  return {std::move(client_end), std::move(server_end)};
}

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> SimNetwork::pair(const Faults& faults) {
  return make_pair(faults, *Address::from_ip("10.0.0.1", 1), ++connections_);
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect(Address address, Wait wait) {
  const uint64_t id = ++connections_;
  const Faults faults = faults_for(address);
  base::Rng rng(~seed_ ^ (id * 0x9e3779b97f4a7c15));
  const base::Instant answered_at = loop_.now() + draw(rng, faults.connect_delay_min, faults.connect_delay_max);
  const bool refused = rng.chance(faults.refuse);
  const bool swallowed = rng.chance(faults.black_hole);
  trace_.add(now().time_since_epoch(), id, 0, TraceKind::connect, 0);
  if (refused || swallowed) ++faults_fired_;
  if (swallowed || answered_at > loop_.now()) {
    const base::Instant until = swallowed ? wait.deadline : std::min(answered_at, wait.deadline);
    CO_TRY_VOID(co_await sleep_until(loop_, until, wait.cancellation));
    if (swallowed || (wait.deadline < answered_at && loop_.now() >= wait.deadline)) {
      co_return fail(ErrorCode::deadline_exceeded, "connect");
    }
  }
  SimListener* listener = refused ? nullptr : listener_at(address);
  if (listener == nullptr) {
    trace_.add(now().time_since_epoch(), id, 0, TraceKind::refuse, 0);
    co_return fail(ErrorCode::refused, "connect");
  }
  auto [client_end, server_end] = make_pair(faults, address, id);
  trace_.add(now().time_since_epoch(), id, 0, TraceKind::accept, 0);
  listener->add(std::move(server_end));
  co_return std::unique_ptr<Stream>(std::move(client_end));
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Address& address, const ListenOptions& options) {
  Address bound = address;
  if (!bound.is_unix() && bound.port() == 0) bound.set_port(next_port_++);
  if (!options.reuse_port && listeners_.contains(bound.to_string())) {
    return fail(ErrorCode::already_exists, "listen");
  }
  return std::make_unique<SimListener>(*this, bound);
}

bool SimNetwork::broken_by_fault(const Stream& stream) {
  return static_cast<const SimStream&>(stream).pipe().broken();
}

void SimNetwork::schedule(base::Instant at, std::shared_ptr<Pipe> pipe, int direction) {
  events_.push_back({at, event_order_++, std::move(pipe), direction});
  std::push_heap(events_.begin(), events_.end(), std::greater<>());
}

bool SimNetwork::run_events(base::Instant now) {
  woke_ = false;
  while (!events_.empty() && events_.front().at <= now) {
    std::pop_heap(events_.begin(), events_.end(), std::greater<>());
    const Event event = std::move(events_.back());
    events_.pop_back();
    event.pipe->arrive(event.direction, now);
  }
  return woke_;
}

}  // namespace llmgw::net::sim
