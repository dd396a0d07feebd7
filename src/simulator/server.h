// `llm-gateway simulate`: one simulated instance or a fleet of them, each on a port of its own with its own engine and
// cache, all on one loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/server.h"
#include "net/address.h"
#include "net/network.h"
#include "simulator/instance.h"

namespace llmgw::simulator {

inline constexpr size_t kInstancesMax = 256;

struct SimulatorOptions {
  struct Place {
    std::string listen;  // as net::Address::parse takes it; port 0: any
    InstanceOptions options;
  };
  std::vector<Place> instances;
};

// A fleet on a loop. One thread: the loop's. Dying, it closes everything.
class Simulator {
 public:
  // Listens on every place. The error names nothing; `failed_place` is set to the one that could not be had.
  static base::Result<std::unique_ptr<Simulator>> start(net::Loop& loop, net::Network& network,
                                                        const SimulatorOptions& options,
                                                        std::string* failed_place = nullptr);

  size_t size() const { return members_.size(); }
  const net::Address& address(size_t index) const { return members_[index]->address; }
  Instance& instance(size_t index) { return members_[index]->instance; }
  const http::ServerCounters& counters(size_t index) const { return members_[index]->server.counters(); }

  // Accepts nothing more and ends connections after the request at hand.
  void drain();
  bool idle() const;

 private:
  struct Member {
    Member(net::Loop& loop, const InstanceOptions& options)
        : instance(loop, options), server(loop, instance, http::ServerOptions{}) {}
    net::Address address;
    Instance instance;
    http::Server server;
  };
  Simulator() = default;
  std::vector<std::unique_ptr<Member>> members_;
};

// Runs until SIGINT or SIGTERM, then lets running answers end for a moment. Prints an address a line to standard
// output once all listen. Returns the exit code of the process.
int run_simulator(const SimulatorOptions& options);

}  // namespace llmgw::simulator
