#include "simulator/arguments.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace llmgw::simulator {

namespace {

using Failed = std::unexpected<std::string>;

constexpr size_t kSequencesMax = 65'536;      // running and waiting; each has a connection
constexpr size_t kKvTokensMax = 1ULL << 30U;  // a block's bookkeeping takes about 40 bytes
constexpr size_t kBlockTokensMax = 4096;
constexpr size_t kContextMax = 16'777'216;
constexpr size_t kAnswerTokensMax = 1'000'000;

bool is_rate(double rate) {
  return std::isfinite(rate) && rate >= 0;
}

// "64" or "32-96".
bool read_tokens(std::string_view text, AnswerOptions& answer) {
  const size_t dash = std::min(text.find('-'), text.size());
  const auto least = base::parse_decimal(text.substr(0, dash));
  const auto most = dash == text.size() ? least : base::parse_decimal(text.substr(dash + 1));
  if (!least || !most || *least > *most || *most > kAnswerTokensMax) return false;
  answer.tokens_min = static_cast<size_t>(*least);
  answer.tokens_max = static_cast<size_t>(*most);
  return true;
}

std::expected<void, std::string> read_engine(const SimulateArguments& arguments, InstanceOptions& options) {
  EngineOptions& engine = options.engine;
  if (arguments.running < 1 || arguments.running > kSequencesMax) return Failed("--running takes 1 to 65536");
  if (arguments.waiting > kSequencesMax) return Failed("--waiting takes 0 to 65536");
  if (arguments.block_size < 1 || arguments.block_size > kBlockTokensMax) {
    return Failed("--block-size takes 1 to 4096 tokens");
  }
  if (arguments.kv_tokens < arguments.block_size || arguments.kv_tokens > kKvTokensMax) {
    return Failed("--kv-tokens takes at least one block and at most 1073741824 tokens");
  }
  if (arguments.context < 1 || arguments.context > kContextMax) return Failed("--context takes 1 to 16777216 tokens");
  engine.running_max = arguments.running;
  engine.waiting_max = arguments.waiting;
  engine.block_tokens = arguments.block_size;
  engine.kv_blocks = arguments.kv_tokens / arguments.block_size;
  engine.prefix_cache = !arguments.no_prefix_cache;
  options.context_tokens = arguments.context;
  return {};
}

std::expected<void, std::string> read_answer(const SimulateArguments& arguments, InstanceOptions& options) {
  if (arguments.answer == "words") {
    options.answer.mode = AnswerMode::words;
  } else if (arguments.answer == "unicode") {
    options.answer.mode = AnswerMode::unicode;
  } else if (arguments.answer == "echo") {
    options.answer.mode = AnswerMode::echo;
  } else {
    return Failed("--answer takes words, unicode or echo");
  }
  if (!read_tokens(arguments.tokens, options.answer)) return Failed("--tokens takes a number or MIN-MAX, as 32-96");
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
  if (arguments.prefill.empty() || !std::all_of(arguments.prefill.begin(), arguments.prefill.end(), is_rate)) {
    return Failed("--prefill takes tokens a second, 0 for no limit");
  }
  if (arguments.decode.empty() || !std::all_of(arguments.decode.begin(), arguments.decode.end(), is_rate)) {
    return Failed("--decode takes tokens a second, 0 for no limit");
  }
  SimulatorOptions options;
  for (size_t i = 0; i < places.size(); ++i) {
    InstanceOptions instance = common;
    instance.name = arguments.name;
    if (places.size() > 1) instance.name += '-' + std::to_string(i + 1);
    instance.engine.prefill_tokens_per_second = arguments.prefill[i % arguments.prefill.size()];
    instance.engine.decode_tokens_per_second = arguments.decode[i % arguments.decode.size()];
    options.instances.push_back({places[i], std::move(instance)});
  }
  return options;
}

}  // namespace llmgw::simulator
