// A routing decision: the whole of it, from the prompt's bytes to the chosen instance and its place in the index.
#include "routing/policy/policy.h"

#include <benchmark/benchmark.h>

#include "routing/load/lease.h"
#include "routing/prefix/block_hash.h"

namespace llmgw::routing {
namespace {

std::string prompt_of(size_t bytes, uint64_t seed) {
  base::Rng rng(seed);
  std::string prompt(bytes, ' ');
  for (char& letter : prompt) letter = static_cast<char>('a' + rng.below(26));
  return prompt;
}

// arguments: instances, bytes of the prompt
void BM_Decision(benchmark::State& state) {
  const auto instances = static_cast<uint32_t>(state.range(0));
  InstanceTable table;
  PrefixIndex index(table);
  SessionTable sessions;
  base::Rng rng(1);
  Chooser chooser(table, index, sessions, rng);
  std::vector<InstanceHandle> handles;
  std::vector<Candidate> candidates;
  std::vector<Lease> leases;
  const base::Instant now(std::chrono::seconds(1000));
  for (uint32_t i = 0; i < instances; ++i) {
    handles.push_back(table.acquire(std::to_string(i)));
    candidates.push_back({.slot = handles.back().slot()});
    leases.emplace_back(table.state(candidates.back().slot), static_cast<int64_t>(rng.below(4000)), now);
  }
  // An index as full as it gets, and prompts that are known.
  std::array<uint64_t, kBlocksMax> hashes{};
  for (uint64_t i = 0; i < 1'000'000 / kBlocksMax; ++i) {
    for (uint64_t& hash : hashes) hash = rng.next();
    index.insert(hashes, static_cast<Slot>(rng.below(instances)), now);
  }
  std::vector<std::string> prompts;
  for (uint64_t i = 0; i < 16; ++i) {
    prompts.push_back(prompt_of(static_cast<size_t>(state.range(1)), i));
    const size_t blocks = hash_blocks(prompts.back(), 7, hashes);
    index.insert({hashes.data(), blocks}, static_cast<Slot>(rng.below(instances)), now);
  }
  size_t turn = 0;
  for (auto _ : state) {
    const std::string& prompt = prompts[turn++ % prompts.size()];
    const size_t blocks = hash_blocks(prompt, 7, hashes);
    const Ask ask{
        .now = now, .prompt_tokens = static_cast<uint32_t>(prompt.size() / 4), .blocks = {hashes.data(), blocks}};
    const auto choice = chooser.choose({}, candidates, ask);
    index.insert(ask.blocks, candidates[choice->candidate].slot, now);
    benchmark::DoNotOptimize(choice);
  }
}
BENCHMARK(BM_Decision)
    ->Args({64, 220 << 10})
    ->Args({8, 1 << 10})
    ->Args({64, 1 << 10})
    ->Args({2000, 1 << 10})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace llmgw::routing
