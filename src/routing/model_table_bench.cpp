#include "routing/model_table.h"

#include <benchmark/benchmark.h>

#include <string>
#include <utility>

namespace llmgw::routing {
namespace {

ModelTable table_of(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i)
    names.push_back("provider-" + std::to_string(i % 7) + "/model-" + std::to_string(i));
  std::vector<ModelEntry> entries;
  for (uint32_t i = 0; i < count; ++i) entries.push_back({names[i], "", i});
  entries.push_back({"gpt-*", "", 1});
  entries.push_back({"*-mini", "", 2});
  return std::move(*ModelTable::build(entries));
}

void BM_LookupExact(benchmark::State& state) {
  const ModelTable table = table_of(static_cast<size_t>(state.range(0)));
  std::vector<std::string> names;
  for (const auto& group : table.groups().first(table.exact_count())) names.emplace_back(group.name);
  size_t i = 0;
  for (auto _ : state) {
    i = (i + 7919) % names.size();
    benchmark::DoNotOptimize(table.lookup(names[i]));
  }
}
BENCHMARK(BM_LookupExact)->Arg(10)->Arg(2000)->Arg(20000);

void BM_LookupPattern(benchmark::State& state) {
  const ModelTable table = table_of(2000);
  for (auto _ : state) benchmark::DoNotOptimize(table.lookup("gpt-4-turbo"));
}
BENCHMARK(BM_LookupPattern);

void BM_Suggest(benchmark::State& state) {
  const ModelTable table = table_of(2000);
  const std::string_view all[] = {"*"};
  for (auto _ : state) benchmark::DoNotOptimize(table.suggest("provider-1/model-x", 3, all));
}
BENCHMARK(BM_Suggest);

}  // namespace
}  // namespace llmgw::routing
