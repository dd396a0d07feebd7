// `llm-gateway ledger`: what calls used and cost. Works on the files and the database in data_dir, whether or not a
// gateway runs there. Main thread only.
#pragma once

#include <functional>
#include <string>

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's own name
namespace CLI {
class App;
}

namespace llmgw::app {

// Adds the subcommand and its own; the one that was given is put into `run`.
void add_ledger_command(CLI::App& app, const char* config_help, std::function<int()>& run);

}  // namespace llmgw::app
