#include <algorithm>
#include <csignal>
#include <expected>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "app/process/control_client.h"
#include "app/process/drain_files.h"
#include "app/process/pid_file.h"
#include "app/process/process_handle.h"
#include "app/remote.h"
#include "app/service/config_path.h"
#include "app/service/service.h"

namespace llmgw::app {
namespace {

constexpr base::Duration kCallTimeout = std::chrono::seconds(5);

// Whoever holds the PID file without having its own number there starts, after one that was killed.
int not_running(const std::string& data_dir) {
  return explain_no_answer(data_dir, {base::ErrorCode::refused, "", 0});
}

// Tells the one that serves; nothing: there is none. The error is the exit status.
std::expected<std::optional<process::ProcessHandle>, int> stop_serving(const std::string& data_dir) {
  const auto holder = process::PidFile::holder(pid_file_of(data_dir));
  if (!holder) return std::nullopt;
  auto running = process::ProcessHandle::open(*holder);
  if (!running) return std::nullopt;
  const auto reply = process::control_call(data_dir, "stop", kCallTimeout);
  // A gateway that does not answer commands may still hear signals.
  if (!reply && reply.error().code != base::ErrorCode::closed && reply.error().code != base::ErrorCode::reset &&
      !running->send_signal(SIGTERM)) {
    return std::unexpected(explain_no_answer(data_dir, reply.error()));
  }
  return std::move(*running);
}

// Those that new processes have replaced: from now on they have drain_timeout, as the one that serves.
std::vector<process::ProcessHandle> stop_replaced(const std::string& data_dir) {
  std::vector<process::ProcessHandle> replaced;
  for (const process::DrainingProcess& draining : process::draining_processes(data_dir)) {
    auto process = process::ProcessHandle::open(draining.pid);
    if (process && process->send_signal(SIGTERM)) replaced.push_back(std::move(*process));
  }
  return replaced;
}

// False: it still runs, which has been said.
bool wait_for(const process::ProcessHandle& process, base::Instant until) {
  if (process.wait_for_end(std::max(base::Duration{0}, until - base::real_now()))) return true;
  std::cerr << "llm-gateway: pid " << process.pid()
            << " still finishes requests; wait longer with --timeout, or end it "
            << "with `kill -KILL " << process.pid() << "`\n";
  return false;
}

}  // namespace

int run_stop(const Target& target, base::Duration timeout) {
  const auto data_dir = find_data_dir(target);
  if (!data_dir) return kExitUsage;
  const base::Instant until = base::real_now() + timeout;
  const auto running = stop_serving(*data_dir);
  if (!running) return running.error();
  const auto replaced = stop_replaced(*data_dir);
  if (!*running && replaced.empty()) return not_running(*data_dir);
  bool ended = !*running || wait_for(**running, until);
  std::string others;
  for (const process::ProcessHandle& process : replaced) {
    ended = wait_for(process, until) && ended;
    others += ", pid " + std::to_string(process.pid());
  }
  if (!ended) return kExitFailed;
  std::cout << "stopped\n";
  if (!others.empty()) std::cout << "so has what new processes had replaced: " << others.substr(2) << "\n";
  return kExitOk;
}

}  // namespace llmgw::app
