// The subcommands for what the store holds: connection, model, vkey, assign, team, org, user, admin-key, audit,
// secrets. Main thread only.
#pragma once

#include <functional>

// NOLINTNEXTLINE(readability-identifier-naming): CLI11's own name
namespace CLI {
class App;
}

namespace llmgw::app {

// Adds them to the command line; the one that is given puts what it does into `run`.
void add_object_commands(CLI::App& app, std::function<int()>& run);

}  // namespace llmgw::app
