#include <benchmark/benchmark.h>

#include <string>

#include "control/config_loader.h"
#include "control/snapshot.h"
#include "control/toml_tree.h"

namespace llmgw::control {
namespace {

std::string configuration(int models) {
  std::string text =
      "[[connections]]\nname = \"c\"\nprovider = \"openai\"\napi_key = \"sk-1\"\n"
      "[[keys]]\nname = \"k\"\nkey = \"sk-gw-a7b48aefb6c219e019c9985cd89e9f260b8f7d5e6d4a2ed1\"\n";
  for (int i = 0; i < models; ++i) {
    const auto number = std::to_string(i);
    text += "[[models]]\nname = \"model-" + number + "\"\nconnection = \"c\"\nremote = \"remote-" + number + "\"\n";
  }
  return text;
}

Environment empty_environment() {
  return {.variable = [](const std::string&) { return std::nullopt; },
          .read_file = [](const std::string&) -> base::Result<std::string> {
            return base::fail(base::ErrorCode::not_found, "no files");
          },
          .directory = "/"};
}

void parse(benchmark::State& state) {
  const auto text = configuration(2000);
  for (auto _ : state) benchmark::DoNotOptimize(parse_toml(text));
}
BENCHMARK(parse)->Name("control/parse_toml_2000_models")->Unit(benchmark::kMillisecond);

void load(benchmark::State& state) {
  const auto text = configuration(2000);
  const auto environment = empty_environment();
  for (auto _ : state) benchmark::DoNotOptimize(load_config(text, environment));
}
BENCHMARK(load)->Name("control/load_config_2000_models")->Unit(benchmark::kMillisecond);

void build(benchmark::State& state) {
  const auto config = load_config(configuration(2000), empty_environment());
  for (auto _ : state) benchmark::DoNotOptimize(build_snapshot(*config, {.version = 1, .hash_key = {1, 2}}));
}
BENCHMARK(build)->Name("control/build_snapshot_2000_models")->Unit(benchmark::kMillisecond);

void authenticate(benchmark::State& state) {
  const auto config = load_config(configuration(1), empty_environment());
  const auto snapshot = build_snapshot(*config, {.version = 1, .hash_key = {1, 2}});
  const std::string key(config->keys[0].key.reveal());
  for (auto _ : state) benchmark::DoNotOptimize((*snapshot)->authenticate(key));
}
BENCHMARK(authenticate)->Name("control/authenticate_54_byte_key");

}  // namespace
}  // namespace llmgw::control
