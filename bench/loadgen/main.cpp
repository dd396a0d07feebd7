// bench-loadgen: sends chat requests and prints what it saw as one JSON object.
#include <cstdio>

#include "bench/loadgen/options.h"
#include "bench/loadgen/runner.h"
#include "bench/support/process.h"

int main(int count, char** values) {
  const auto options = llmgw::bench::parse_load_options(count, values);
  if (!options) return 2;
  if (!llmgw::bench::prepare_process(options->cpu)) return 1;

  llmgw::bench::Runner runner(*options);
  std::fputs(llmgw::bench::to_json(runner.run()).c_str(), stdout);
  return 0;
}
