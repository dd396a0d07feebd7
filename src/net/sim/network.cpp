#include "net/sim/network.h"

#include <algorithm>

#include "net/io.h"
#include "net/sim/pipe.h"
#include "net/sim/world.h"

namespace llmgw::net::sim {

using base::ErrorCode;
using base::fail;
using base::Instant;
using base::Result;

namespace {

// Different for every connection, and not by little: seeds that follow each other give unrelated generators.
uint64_t connection_seed(uint64_t world_seed, uint64_t number) {
  return base::Rng(world_seed * 0x9e3779b97f4a7c15 + number).next();
}

// Where a client seems to come from.
Address made_up_client(uint64_t number) {
  const std::string host = "10." + std::to_string(number >> 16 & 255) + "." + std::to_string(number >> 8 & 255) + "." +
                           std::to_string(number & 255);
  return *Address::from_ip(host, static_cast<uint16_t>(32768 + number % 28000));
}

}  // namespace

void SimNetwork::set_faults(const Address& address, const NetworkFaults& faults) {
  faults_by_address_[address.to_string()] = faults;
}

const NetworkFaults& SimNetwork::faults_of(const Address& address) const {
  const auto found = faults_by_address_.find(address.to_string());
  return found != faults_by_address_.end() ? found->second : faults_;
}

Task<Result<std::unique_ptr<Stream>>> SimNetwork::connect(Address address, Wait wait) {
  const uint64_t number = ++connections_;
  const NetworkFaults faults = faults_of(address);
  base::Rng rng(connection_seed(seed_, number) ^ 1);
  Instant due = world_.loop().now() + uniform_duration(rng, faults.connect_delay_min, faults.connect_delay_max);
  const bool refused = rng.chance(faults.refuse);
  const bool hangs = rng.chance(faults.connect_hang);
  world_.record(hangs ? TraceKind::hang : TraceKind::connect, number * 2, address.port());
  if (hangs) due = world_.loop().now() + kConnectTimeMax;
  if (due > world_.loop().now() || wait.deadline <= world_.loop().now() ||
      (wait.cancellation != nullptr && wait.cancellation->cancelled())) {
    CO_TRY_VOID(co_await sleep_until(world_.loop(), std::min(due, wait.deadline), wait.cancellation));
    if (wait.deadline < due) co_return fail(ErrorCode::deadline_exceeded, "connect");
  }
  if (hangs) co_return fail(base::os_error(ETIMEDOUT, "connect"));
  if (refused) {
    world_.record(TraceKind::refuse, number * 2);
    co_return fail(base::os_error(ECONNREFUSED, "connect"));
  }
  co_return establish(address, number, faults);
}

Result<std::unique_ptr<Stream>> SimNetwork::establish(const Address& address, uint64_t number,
                                                      const NetworkFaults& faults) {
  const auto found = listeners_.find(address.to_string());
  if (found == listeners_.end() || found->second->waiting_.size() >= found->second->backlog_) {
    world_.record(TraceKind::refuse, number * 2);
    return fail(base::os_error(ECONNREFUSED, "connect"));
  }
  SimListener& listener = *found->second;
  auto connection = std::make_shared<Connection>(world_, number, connection_seed(seed_, number), faults);
  std::unique_ptr<Stream> client = connection->make_end(Connection::client, address, open_streams_);
  listener.waiting_.push_back(connection->make_end(Connection::server, made_up_client(number), open_streams_));
  world_.signal(listener.state_, true, false, false);
  return client;
}

Result<std::unique_ptr<Listener>> SimNetwork::listen(const Address& address, const ListenOptions& options) {
  Address bound = address;
  while (!bound.is_unix() && bound.port() == 0) {
    Address candidate = address;
    candidate.set_port(next_port_++);
    if (!listeners_.contains(candidate.to_string())) bound = candidate;
  }
  if (listeners_.contains(bound.to_string())) return fail(base::os_error(EADDRINUSE, "listen"));
  return std::make_unique<SimListener>(world_, *this, bound, static_cast<size_t>(options.backlog));
}

SimListener::SimListener(World& world, SimNetwork& network, const Address& address, size_t backlog)
    : Listener(world.loop(), state_), world_(world), network_(network), address_(address), backlog_(backlog) {
  network_.listeners_[address_.to_string()] = this;
}

SimListener::~SimListener() {
  network_.listeners_.erase(address_.to_string());
  for (auto& stream : waiting_) stream->reset_on_close();
}

Result<std::unique_ptr<Stream>> SimListener::try_accept() {
  if (waiting_.empty()) {
    state_.readable = false;
    return nullptr;
  }
  std::unique_ptr<Stream> stream = std::move(waiting_.front());
  waiting_.pop_front();
  world_.record(TraceKind::accept);
  return stream;
}

}  // namespace llmgw::net::sim
