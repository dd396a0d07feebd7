// Clients, a worker and upstreams in one deterministic world, over many seeds of random requests and random faults.
//   LLMGW_SIM_SEEDS=10000 gateway_test --gtest_filter='World.*'   more seeds
//   LLMGW_SIM_SEED=4711 ...                                       one seed, with its trace
#include <cstdlib>

#include "control/config_loader.h"
#include "control/test_support.h"
#include "gateway/worker.h"
#include "gateway/world_client.h"
#include "gateway/world_upstream.h"

namespace llmgw::gateway::world {
namespace {

constexpr uint64_t kSeedsByDefault = 500;  // a few seconds with sanitizers
constexpr size_t kLogRingBytes = 64 * 1024;

const net::Address kUpstreams[] = {*net::Address::parse("10.0.1.1:80"), *net::Address::parse("10.0.1.1:81"),
                                   *net::Address::parse("10.0.2.1:80"), *net::Address::parse("10.0.3.1:80")};

// Two configurations that serve the same models; the second has moved one upstream and changed limits.
std::shared_ptr<const control::Snapshot> make_snapshot(uint64_t version, bool moved) {
  const std::string key = "api_key = \"" + std::string(kUpstreamKey) + "\"\n";
  const std::string text = R"([server]
listen = "127.0.0.1:0"
max_body_bytes = "1MiB"
[metrics]
[upstream]
connect_timeout = "4m"
first_byte_timeout = "10s"
idle_timeout = "5s"
total_timeout = "10m"
idle_keepalive = "10s"
max_connections = )" + std::string(moved ? "8" : "2") +
                           R"(
[[connections]]
name = "a"
provider = "openai-compatible"
endpoint = "http://10.0.1.1:)" +
                           std::string(moved ? "81" : "80") + "/v1\"\n" + key + R"([[connections]]
name = "b"
provider = "anthropic"
endpoint = "http://10.0.2.1:80"
)" + key + R"([[connections]]
name = "c"
provider = "google"
endpoint = "http://10.0.3.1:80"
)" + key + R"([[models]]
name = "alias-a"
connection = "a"
remote = "remote-model-a"
[[models]]
name = "claude-b"
connection = "b"
[[models]]
name = "alias-c"
connection = "c"
remote = "remote-model-c"
[[keys]]
name = "everybody"
key = ")" + std::string(kClientKey) +
                           "\"\n";
  const auto config = control::load_config(text, control::TestWorld().environment());
  EXPECT_TRUE(config) << control::format_errors(config.error(), "world.toml");
  auto built = control::build_snapshot(*config, {.version = version, .hash_key = {}, .created_default = 0});
  EXPECT_TRUE(built);
  return *built;
}

net::sim::Faults pipe_faults(base::Rng& rng, bool tiny) {
  net::sim::Faults faults;
  for (auto* direction : {&faults.to_server, &faults.to_client}) {
    if (rng.chance(0.5)) direction->delay_max = std::chrono::milliseconds(1 + rng.below(20));
    if (rng.chance(0.5)) direction->write_split = rng.uniform() * 0.8;
    if (rng.chance(0.5)) direction->read_split = rng.uniform() * 0.8;
    direction->capacity_min = tiny ? 64 : 4 * 1024;
    direction->capacity_max = tiny ? 512 : 64 * 1024;
  }
  faults.connect_delay_max = std::chrono::milliseconds(rng.below(30));
  return faults;
}

void add_breaks(base::Rng& rng, net::sim::Faults& faults) {
  faults.refuse = rng.chance(0.3) ? 0.2 : 0;
  faults.black_hole = rng.chance(0.3) ? 0.1 : 0;
  faults.reset = faults.cut = faults.loss = 0.1;
  faults.break_after_bytes_max = 1 + rng.below(20'000);
}

class GatewayWorld {
 public:
  explicit GatewayWorld(uint64_t seed)
      : world_(seed), script_(world_.rng(), seed), log_(control_, operational_, access_) {
    shared_.registry = &registry_;
    set_faults();
    for (const net::Address& address : kUpstreams) {
      upstreams_.push_back(std::make_unique<Upstream>(world_, script_, address));
    }
    worker_ = std::make_unique<Worker>(
        world_.loop(), shared_, log_, snapshot(0), [this](const control::Connection& connection, net::Wait wait) {
          const auto& endpoint = connection.upstream.endpoint;
          return world_.network().connect(*net::Address::from_ip(endpoint.host, endpoint.port), wait);
        });
    worker_->server().listen(std::move(*world_.network().listen(kGatewayAddress, {})));
  }

  void run() {
    start_clients();
    if (!script_.calm() || world_.rng().chance(0.5)) helpers_.spawn(reload());
    if (script_.drains()) helpers_.spawn(drain());
    EXPECT_TRUE(world_.run_until([this] { return clients_.active() == 0; })) << "somebody waits for ever";
    helpers_.cancel_all();
    finish();
    check_requests();
    check_logs();
  }
  std::string trace() const { return world_.trace(); }
  uint64_t trace_hash() const { return world_.trace_hash(); }

 private:
  static const std::shared_ptr<const control::Snapshot>& snapshot(size_t index) {
    static const std::shared_ptr<const control::Snapshot> all[] = {make_snapshot(1, false), make_snapshot(2, true),
                                                                   make_snapshot(3, false)};
    return all[index % std::size(all)];
  }

  void set_faults() {
    base::Rng& rng = world_.rng();
    net::sim::Faults faults = pipe_faults(rng, script_.tiny());
    if (script_.client_faults()) add_breaks(rng, faults);
    world_.network().set_faults(kGatewayAddress, faults);
    for (const net::Address& address : kUpstreams) {
      faults = pipe_faults(rng, script_.tiny());
      if (script_.upstream_faults()) add_breaks(rng, faults);
      if (script_.spills()) faults.to_client.write_split = 0;
      if (script_.spills()) faults.to_client.capacity_min = faults.to_client.capacity_max = 1 << 20;
      world_.network().set_faults(address, faults);
    }
  }

  void start_clients() {
    const size_t count = 1 + world_.rng().below(5);
    for (size_t i = 0; i < count; ++i) {
      std::vector<Request*> requests;
      const size_t each = 1 + world_.rng().below(5);
      for (size_t j = 0; j < each; ++j) requests.push_back(&script_.add());
      clients_.spawn([](std::unique_ptr<Client> client, net::Loop& loop, Duration wait) -> net::Task<void> {
        (void)co_await net::sleep_for(loop, wait);
        co_await client->run();
      }(std::make_unique<Client>(world_, script_, std::move(requests), drained_at_), world_.loop(),
                                                                                        script_.up_to(300ms)));
    }
  }

  net::Task<void> reload() {
    const size_t times = world_.rng().below(4);
    for (size_t i = 1; i <= times; ++i) {
      (void)co_await net::sleep_for(world_.loop(), script_.up_to(1s));
      worker_->adopt(snapshot(i));
    }
  }

  net::Task<void> drain() {
    (void)co_await net::sleep_for(world_.loop(), script_.up_to(2s));
    drained_at_ = world_.loop().now();
    worker_->server().stop_accepting();
    worker_->server().drain();
  }

  // Everything that was in use for somebody's sake is given back.
  void finish() {
    world_.run_for(30s);
    EXPECT_EQ(worker_->in_flight(), 0u);
    EXPECT_EQ(worker_->server().counters().active, 0u);
    EXPECT_EQ(worker_->server().counters().open, 0u);
    EXPECT_EQ(worker_->upstream_connections(), 0u) << "idle connections are reaped after ten seconds";
    EXPECT_EQ(worker_->generations(), 1u);
    for (const auto& upstream : upstreams_) EXPECT_EQ(upstream->open(), 0u);
    EXPECT_EQ(world_.network().open_streams(), 0u);
    worker_.reset();
    upstreams_.clear();
    EXPECT_EQ(world_.network().open_listeners(), 0u);
  }

  void check_requests() {
    for (const auto& request : script_.requests()) {
      EXPECT_TRUE(request->settled) << request->canary;
      EXPECT_LE(request->answers, 1);
      // A second time only after a connection that the upstream had closed before it read anything.
      const int retries = script_.upstream_faults() || harmful(request->mischief) ? 1 : 0;
      EXPECT_LE(request->arrivals, request->sends * (1 + retries)) << request->canary;
      if (request->complete && request->kind != Kind::local) {
        EXPECT_TRUE(request->arrivals > 0 || excusable(*request)) << request->canary;
      }
      check_cancelled(*request);
    }
  }
  bool excusable(const Request& request) const {
    return harmful(request.mischief) || script_.upstream_faults() || drained_at_ != base::kNever;
  }

  // The upstream hears of a client that vanished as fast as the news can travel.
  void check_cancelled(const Request& request) {
    if (request.vanished_at == base::kNever || script_.client_faults() || script_.upstream_faults()) return;
    if (request.arrived_at == base::kNever || request.upstream_done_at == base::kNever) return;
    constexpr Duration kNewsTravel = 200ms;
    EXPECT_LE(request.upstream_done_at, std::max(request.vanished_at, request.arrived_at) + kNewsTravel + request.gap)
        << request.canary << " went on without its client";
  }

  void check_logs() {
    for (const telemetry::ByteRing* ring : {&operational_, &access_}) {
      std::string text;
      for (const std::string_view part : ring->peek()) text += part;
      EXPECT_EQ(text.find(kClientKey), std::string::npos) << text;
      EXPECT_EQ(text.find(kUpstreamKey), std::string::npos) << text;
    }
  }

  net::sim::World world_;
  Script script_;
  telemetry::Registry registry_;
  telemetry::LogControl control_;
  telemetry::ByteRing operational_{kLogRingBytes};
  telemetry::ByteRing access_{kLogRingBytes};
  telemetry::Log log_;
  SharedState shared_;
  Instant drained_at_ = base::kNever;
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  std::unique_ptr<Worker> worker_;
  net::TaskGroup helpers_;
  net::TaskGroup clients_;
};

uint64_t number_from(const char* variable, uint64_t fallback) {
  const char* text = std::getenv(variable);
  return text == nullptr ? fallback : std::strtoull(text, nullptr, 10);
}

// The trace's hash.
uint64_t run_seed(uint64_t seed) {
  GatewayWorld world(seed);
  world.run();
  if (testing::Test::HasFailure()) {
    ADD_FAILURE() << "again: LLMGW_SIM_SEED=" << seed << " gateway_test --gtest_filter='World.*'\n" << world.trace();
  }
  return world.trace_hash();
}

TEST(World, EveryRequestIsAnsweredOrFailsInSight) {
  const uint64_t one = number_from("LLMGW_SIM_SEED", UINT64_MAX);
  if (one != UINT64_MAX) {
    run_seed(one);
    return;
  }
  const uint64_t seeds = number_from("LLMGW_SIM_SEEDS", kSeedsByDefault);
  for (uint64_t seed = 0; seed < seeds && !HasFailure(); ++seed) run_seed(seed);
}

TEST(World, TheSameSeedGivesTheSameWorld) {
  for (const uint64_t seed : {1, 2, 3, 4, 5}) EXPECT_EQ(run_seed(seed), run_seed(seed));
}

}  // namespace
}  // namespace llmgw::gateway::world
