// The subcommands that run a gateway or talk to a running one, as functions: each prints for people and returns the
// exit status (service.h lists them). Main thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace llmgw::app {

struct ServeArguments {
  std::string config;               // --config, empty if not given
  std::vector<std::string> listen;  // --listen
  bool daemon = false;
  std::string log_file;  // of a daemon; empty: llm-gateway.log in the data directory
};
// In the foreground; refuses to run beside another gateway with the same data directory.
int run_serve(const ServeArguments& arguments);
// The same, and takes the place of a gateway that runs; `daemon`: in the background.
int run_start(const ServeArguments& arguments);

// How a command finds the gateway it means.
struct Target {
  std::string config;    // --config, empty if not given
  std::string data_dir;  // --data-dir; then no configuration is read
};
int run_stop(const Target& target, base::Duration timeout);
// `force`: also where the file takes away all there is.
int run_reload(const Target& target, bool force);
int run_status(const Target& target, bool json);
// `trial`: as long as both processes are to serve; nothing: as long as the running one thinks right.
int run_upgrade(const Target& target, std::optional<base::Duration> trial);
int run_version();

}  // namespace llmgw::app
