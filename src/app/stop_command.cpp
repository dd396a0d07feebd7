#include <csignal>
#include <iostream>

#include "app/process/control_client.h"
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

}  // namespace

int run_stop(const Target& target, base::Duration timeout) {
  const auto data_dir = find_data_dir(target);
  if (!data_dir) return kExitUsage;
  const auto holder = process::PidFile::holder(pid_file_of(*data_dir));
  if (!holder) return not_running(*data_dir);
  const auto running = process::ProcessHandle::open(*holder);
  if (!running) return not_running(*data_dir);
  const auto reply = process::control_call(*data_dir, "stop", kCallTimeout);
  // A gateway that does not answer commands may still hear signals.
  if (!reply && reply.error().code != base::ErrorCode::closed && reply.error().code != base::ErrorCode::reset &&
      !running->send_signal(SIGTERM)) {
    return explain_no_answer(*data_dir, reply.error());
  }
  if (!running->wait_for_end(timeout)) {
    std::cerr << "llm-gateway: pid " << *holder << " still finishes requests; wait longer with --timeout, or end it "
              << "with `kill -KILL " << *holder << "`\n";
    return kExitFailed;
  }
  std::cout << "stopped\n";
  return kExitOk;
}

}  // namespace llmgw::app
