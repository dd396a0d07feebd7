// What `llm-gateway status` knows: written by the running gateway as JSON, rendered for people by the command. Pure;
// any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/process/drain_files.h"
#include "base/time.h"

namespace llmgw::app {

// The one setting that an upgrade cannot change: there the successor finds its predecessor.
inline constexpr std::string_view kKeptByUpgrade = "server.data_dir";

struct StatusReport {
  pid_t pid = 0;
  std::string_view version;
  std::string_view state;  // "serving" or "draining"
  std::string trouble;     // a worker that hangs; empty: none
  base::Duration uptime{0};
  std::string_view config;
  uint64_t snapshot_version = 0;
  std::string_view last_reload_error;              // empty: the last reload, if any, went well
  std::string log_trouble = {};                    // the file that could not be opened anew, and why; empty: it could
  std::vector<std::string> restart_required = {};  // settings of the file that only a new process takes
  std::string store = {};                          // where; empty: there is none
  std::string store_trouble = {};                  // why it is away, or not taken over; empty: neither
  bool store_away = false;                         // its database does not answer
  std::string store_unreadable = {};               // why what it has cannot be read; empty: it can
  std::string master_key = {};                     // the id of the one it seals with; empty: it has no objects
  // Replaced by a new process; they finish what they have begun.
  std::vector<process::DrainingProcess> predecessors = {};
  std::vector<std::string> listen;
  std::string admin_listen;
  bool tls = false;
  size_t workers = 0;
  std::string missing = {};  // what no call can be served without; empty: nothing
  size_t connections_configured = 0;
  size_t models = 0;
  size_t keys = 0;
  uint64_t requests = 0;
  uint64_t in_flight = 0;
  uint64_t client_connections = 0;
  uint64_t upstream_connections = 0;
  std::optional<base::Duration> added_p50;  // of the gateway's own time; nothing before the first request
  std::optional<base::Duration> added_p99;
};
std::string write_status(const StatusReport& report);

// The lines people read. The error is a sentence: it is not what a gateway of this version answers.
std::expected<std::string, std::string> render_status(std::string_view json);
// Whether it is the status of a gateway that takes requests: not of one that stops or has a successor.
bool is_serving(std::string_view json);
// The id of the master key that the gateway seals with; empty: it does not say.
std::string master_key_of(std::string_view json);

// The answer to any other command.
struct CommandAnswer {
  bool ok = false;
  std::string message;  // one or several lines
};
std::string write_answer(const CommandAnswer& answer);
std::expected<CommandAnswer, std::string> read_answer(std::string_view json);

// ": 3 calls in flight, since <time>, until <time> at the latest", in UTC; empty without a note.
std::string describe_drain(const std::optional<process::DrainNote>& note);

// "3 days 4 h", "12 min 5 s", "800 ms": the two largest units.
std::string human_duration(base::Duration duration);

}  // namespace llmgw::app
