#include <iostream>
#include <optional>
#include <string>
#include <thread>

#include "app/process/control_client.h"
#include "app/remote.h"
#include "app/service/service.h"
#include "app/service/status.h"

namespace llmgw::app {
namespace {

// The gateway gives a new process a minute to serve, and its trial, and then says so.
constexpr base::Duration kUpgradeTimeout = std::chrono::seconds(75);
// The old process answers when it accepts no more; a moment later commands reach the new one.
constexpr base::Duration kCommandsLimit = std::chrono::seconds(15);
constexpr base::Duration kLookInterval = std::chrono::milliseconds(5);

// Who upgrades and then reloads or stops means the new process.
bool commands_reach_successor(const std::string& data_dir) {
  const base::Instant end = base::real_now() + kCommandsLimit;
  for (base::Instant now = base::real_now(); now < end; now = base::real_now()) {
    const auto status = process::control_call(data_dir, "status", end - now);
    if (status && is_serving(*status)) return true;
    std::this_thread::sleep_for(kLookInterval);
  }
  return false;
}

}  // namespace

int run_upgrade(const Target& target, std::optional<base::Duration> trial) {
  const auto data_dir = find_data_dir(target);
  if (!data_dir) return kExitUsage;
  const Target found{.config = {}, .data_dir = *data_dir};
  std::string command = "upgrade";
  if (trial) command += " " + std::to_string(*trial / std::chrono::milliseconds(1));
  const int status = call_and_print(found, command, kUpgradeTimeout + trial.value_or(kSuccessorTrial));
  if (status != kExitOk) return status;
  if (commands_reach_successor(*data_dir)) return kExitOk;
  std::cerr << "llm-gateway: the new process serves, but commands do not reach it\n";
  return kExitFailed;
}

}  // namespace llmgw::app
