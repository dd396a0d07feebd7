#include "simulator/arguments.h"

#include <algorithm>
#include <cmath>

namespace llmgw::simulator {

namespace {

using Failed = std::unexpected<std::string>;

constexpr size_t kSequencesMax = 65'536;     // running and waiting; each has a connection
constexpr size_t kKvBlocksMax = 16'777'216;  // a block's bookkeeping takes about 60 bytes
constexpr size_t kBlockTokensMax = 4096;
constexpr size_t kContextMax = 16'777'216;
constexpr size_t kAnswerTokensMax = 1'000'000;

bool is_rate(double rate) {
  return std::isfinite(rate) && rate >= 0;
}

std::expected<void, std::string> read_engine(const SimulateArguments& arguments, InstanceOptions& options) {
  EngineOptions& engine = options.engine;
  if (arguments.running_max < 1 || arguments.running_max > kSequencesMax) {
    return Failed("--running-max takes 1 to 65536");
  }
  if (arguments.waiting_max > kSequencesMax) return Failed("--waiting-max takes 0 to 65536");
  if (arguments.block_tokens < 1 || arguments.block_tokens > kBlockTokensMax) {
    return Failed("--block-tokens takes 1 to 4096");
  }
  if (arguments.kv_blocks < 1 || arguments.kv_blocks > kKvBlocksMax) return Failed("--kv-blocks takes 1 to 16777216");
  if (arguments.context_tokens < 1 || arguments.context_tokens > kContextMax) {
    return Failed("--context-tokens takes 1 to 16777216");
  }
  engine.running_max = arguments.running_max;
  engine.waiting_max = arguments.waiting_max;
  engine.block_tokens = arguments.block_tokens;
  engine.kv_blocks = arguments.kv_blocks;
  engine.prefix_cache = !arguments.no_prefix_cache;
  options.context_tokens = arguments.context_tokens;
  return {};
}

std::expected<void, std::string> read_answer(const SimulateArguments& arguments, InstanceOptions& options) {
  if (arguments.answers == "words") {
    options.answer.mode = AnswerMode::words;
  } else if (arguments.answers == "unicode") {
    options.answer.mode = AnswerMode::unicode;
  } else if (arguments.answers == "echo") {
    options.answer.mode = AnswerMode::echo;
  } else {
    return Failed("--answers takes words, unicode or echo");
  }
  if (arguments.tokens_max > kAnswerTokensMax) return Failed("--tokens-max takes at most 1000000");
  if (arguments.tokens_min > arguments.tokens_max) return Failed("--tokens-min is larger than --tokens-max");
  options.answer.tokens_min = arguments.tokens_min;
  options.answer.tokens_max = arguments.tokens_max;
  if (arguments.embedding_dimensions < 1 || arguments.embedding_dimensions > kEmbeddingDimensionsMax) {
    return Failed("--embedding-dimensions takes 1 to 4096");
  }
  options.answer.seed = options.seed;
  options.embedding_dimensions = arguments.embedding_dimensions;
  return {};
}

std::expected<void, std::string> read_faults(const SimulateArguments& arguments, InstanceOptions& options) {
  for (const std::string& line : arguments.faults) options.faults += line + '\n';
  const auto checked = check_faults(options.faults);
  if (!checked) return Failed("--fault " + checked.error().message);
  return {};
}

std::expected<std::vector<std::string>, std::string> read_places(const SimulateArguments& arguments) {
  std::vector<std::string> places = arguments.listen;
  if (places.empty()) return Failed("--listen takes an address, as 127.0.0.1:8081");
  for (const std::string& place : places) {
    if (!net::Address::parse(place)) return Failed("--listen " + place + ": not HOST:PORT with a numeric host");
  }
  if (arguments.instances == 1) return places;
  if (arguments.instances < 1 || arguments.instances > kInstancesMax) return Failed("--instances takes 1 to 256");
  if (places.size() > 1) return Failed("--instances goes with one --listen; give either");
  const net::Address first = *net::Address::parse(places[0]);
  if (first.is_unix()) return Failed("--instances needs a port to count from; give one --listen for each instead");
  if (size_t{first.port()} + arguments.instances - 1 > 65'535) return Failed("--instances goes beyond port 65535");
  for (size_t i = 1; i < arguments.instances; ++i) {
    net::Address next = first;
    if (first.port() != 0) next.set_port(static_cast<uint16_t>(first.port() + i));
    places.push_back(next.to_string());
  }
  return places;
}

}  // namespace

std::expected<SimulatorOptions, std::string> read_arguments(const SimulateArguments& arguments) {
  TRY(places, read_places(arguments));
  InstanceOptions common;
  common.seed = arguments.seed;
  common.models = arguments.models;
  common.api_key = base::Secret(arguments.api_key);
  TRY_VOID(read_engine(arguments, common));
  TRY_VOID(read_answer(arguments, common));
  TRY_VOID(read_faults(arguments, common));
  if (arguments.prefill_speed.empty() ||
      !std::all_of(arguments.prefill_speed.begin(), arguments.prefill_speed.end(), is_rate)) {
    return Failed("--prefill-speed takes tokens a second, 0 for no limit");
  }
  if (arguments.decode_speed.empty() ||
      !std::all_of(arguments.decode_speed.begin(), arguments.decode_speed.end(), is_rate)) {
    return Failed("--decode-speed takes tokens a second, 0 for no limit");
  }
  SimulatorOptions options;
  for (size_t i = 0; i < places.size(); ++i) {
    InstanceOptions instance = common;
    instance.name = arguments.name;
    if (places.size() > 1) instance.name += '-' + std::to_string(i + 1);
    instance.engine.prefill_tokens_per_second = arguments.prefill_speed[i % arguments.prefill_speed.size()];
    instance.engine.decode_tokens_per_second = arguments.decode_speed[i % arguments.decode_speed.size()];
    options.instances.push_back({places[i], std::move(instance)});
  }
  return options;
}

}  // namespace llmgw::simulator
