#include "simulator/server.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace llmgw::simulator {

namespace {

constexpr base::Duration kDrainTime = std::chrono::seconds(5);

// What the signal handler stops. Set before the handler is installed, cleared after it is gone.
std::atomic<net::Loop*> loop_to_stop = nullptr;

void on_signal(int) {
  if (net::Loop* loop = loop_to_stop.load()) loop->stop();
}

// Installs the handler for both signals and puts back what was there.
class SignalStop {
 public:
  explicit SignalStop(net::Loop& loop) {
    loop_to_stop = &loop;
    struct sigaction action{};
    action.sa_handler = &on_signal;
    sigaction(SIGINT, &action, &before_int_);
    sigaction(SIGTERM, &action, &before_term_);
    struct sigaction ignore{};
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ignore, &before_pipe_);
  }
  SignalStop(const SignalStop&) = delete;
  SignalStop& operator=(const SignalStop&) = delete;
  ~SignalStop() {
    sigaction(SIGINT, &before_int_, nullptr);
    sigaction(SIGTERM, &before_term_, nullptr);
    sigaction(SIGPIPE, &before_pipe_, nullptr);
    loop_to_stop = nullptr;
  }

 private:
  struct sigaction before_int_{};
  struct sigaction before_term_{};
  struct sigaction before_pipe_{};
};

// Thousands of streams need as many descriptors; the usual soft limit is 1024.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

base::Result<std::unique_ptr<Simulator>> Simulator::start(net::Loop& loop, net::Network& network,
                                                          const SimulatorOptions& options, std::string* failed_place) {
  if (options.instances.size() > kInstancesMax) {
    return base::fail(base::ErrorCode::too_large, "more simulated instances than allowed");
  }
  std::unique_ptr<Simulator> simulator(new Simulator());
  for (const SimulatorOptions::Place& place : options.instances) {
    if (failed_place != nullptr) *failed_place = place.listen;
    TRY(address, net::Address::parse(place.listen));
    TRY(listener, network.listen(address, {.reuse_port = false}));
    auto& member = simulator->members_.emplace_back(std::make_unique<Member>(loop, place.options));
    member->address = listener->address();
    member->server.listen(std::move(listener));
  }
  return simulator;
}

void Simulator::drain() {
  for (const auto& member : members_) {
    member->server.stop_accepting();
    member->server.drain();
  }
}

bool Simulator::idle() const {
  for (const auto& member : members_) {
    if (!member->server.idle()) return false;
  }
  return true;
}

int run_simulator(const SimulatorOptions& options) {
  raise_descriptor_limit();
  net::Loop loop(net::make_epoll_poller());
  const auto network = net::make_socket_network(loop);
  std::string place;
  const auto simulator = Simulator::start(loop, *network, options, &place);
  if (!simulator) {
    const base::Error& error = simulator.error();
    const std::string why = error.os_error != 0 ? std::strerror(error.os_error) : std::string(error.context);
    std::fprintf(stderr, "llm-gateway simulate: cannot listen on %s: %s\n", place.c_str(), why.c_str());
    return 1;
  }
  for (size_t i = 0; i < (*simulator)->size(); ++i) {
    std::printf("llm-gateway-simulator: %s listens on %s\n", (*simulator)->instance(i).options().name.c_str(),
                (*simulator)->address(i).to_string().c_str());
  }
  std::fflush(stdout);
  const SignalStop stop(loop);
  loop.run();
  (*simulator)->drain();
  net::TaskGroup tasks;
  bool over = false;
  tasks.spawn([](net::Loop& on, bool& flag) -> net::Task<void> {
    (void)co_await net::sleep_for(on, kDrainTime);
    flag = true;
  }(loop, over));
  loop.run_until([&] { return over || (*simulator)->idle(); });
  return 0;
}

}  // namespace llmgw::simulator
