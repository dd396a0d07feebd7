// A hundred thousand keys and two thousand models of a store: how long until they serve, how much memory they take, how
// long a key's look-up takes.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "control/reload.h"

namespace llmgw::control {
namespace {

constexpr int kKeys = 100'000;
constexpr int kModels = 2'000;

std::string key_text(int number) {
  std::string digits = std::to_string(number);
  return "lgw_sk_" + std::string(38 - digits.size(), '0') + digits;
}

struct World {
  Config file;
  StoredObjects stored;
  Environment environment;
};

World make_world() {
  World world{.file = {}, .stored = {}, .environment = real_environment("/etc/llm-gateway/x.toml")};
  world.file = *load_config("[server]\nlisten = \"127.0.0.1:0\"\n", world.environment);
  const base::Secret master(std::string(store::Vault::kKeyBytes, 'k'));
  const auto vault = std::make_shared<const store::Vault>(*store::Vault::create({&master, 1}));
  world.stored.secrets = {vault, store::KeyHasher(base::Secret("bench"))};
  auto& objects = world.stored.objects;
  const std::string connection = "conn_" + std::string(21, '0');
  objects.push_back({.id = connection,
                     .kind = "connection",
                     .name = "c",
                     .natural_key = "c",
                     .document = R"({"name":"c","provider":"openai","api_key":")" +
                                 vault->seal(sealing_place(connection, "api_key"), "sk-1") + "\"}"});
  for (int i = 0; i < kModels; ++i) {
    const std::string name = "model-" + std::to_string(i);
    objects.push_back({.id = "mdl_" + std::string(17, '0') + std::to_string(1000 + i),
                       .kind = "model",
                       .name = name,
                       .natural_key = name + "\n" + connection,
                       .document = R"({"name":")" + name + R"(","connection":")" + connection + R"(","remote":"r"})"});
  }
  for (int i = 0; i < kKeys; ++i) {
    const std::string name = "key-" + std::to_string(i);
    const auto hash = store::to_hex(world.stored.secrets.hasher.hash(key_text(i)));
    objects.push_back({.id = "vkey_" + std::to_string(i),
                       .kind = "key",
                       .name = name,
                       .natural_key = name,
                       .document = R"({"name":")" + name +
                                   R"(","models":["model-1","model-2"],"tps":10,"$keys":[{"hash":")" + hash +
                                   R"("}],"$hint":"lgw_sk_0000...0000"})"});
  }
  return world;
}

const World& world() {
  static const World made = make_world();
  return made;
}

std::shared_ptr<const Snapshot> build() {
  auto merged = merge_snapshot(world().file, &world().stored, world().environment, {.version = 1, .hash_key = {1, 2}});
  return std::move(merged->snapshot);
}

void merge(benchmark::State& state) {
  static_cast<void>(world());
  double bytes = 0;
  for (auto _ : state) {
    malloc_trim(0);
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    const auto snapshot = build();
    bytes = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd - before);
    benchmark::DoNotOptimize(snapshot);
  }
  state.counters["snapshot_MiB"] = bytes / (1 << 20);
}
BENCHMARK(merge)->Name("control/store_of_100000_keys_and_2000_models")->Unit(benchmark::kMillisecond);

void find(benchmark::State& state) {
  static const auto snapshot = build();
  std::vector<std::string> keys;
  for (int i = 0; i < 1024; ++i) keys.push_back(key_text(i * 97 % kKeys));
  size_t at = 0;
  for (auto _ : state) {
    const Principal* const principal = snapshot->authenticate(keys[at++ & 1023], 1);
    if (principal == nullptr) state.SkipWithError("a key was not found");
  }
}
BENCHMARK(find)->Name("control/authenticate_hashed_key_of_100000");

void refuse(benchmark::State& state) {
  static const auto snapshot = build();
  const std::string key = key_text(kKeys + 1);
  for (auto _ : state) benchmark::DoNotOptimize(snapshot->authenticate(key, 1));
}
BENCHMARK(refuse)->Name("control/refuse_unknown_key_of_100000");

}  // namespace
}  // namespace llmgw::control
