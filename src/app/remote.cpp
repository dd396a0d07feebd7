#include "app/remote.h"

#include <iostream>

#include "app/process/control_client.h"
#include "app/process/drain_files.h"
#include "app/process/pid_file.h"
#include "app/service/config_path.h"
#include "app/service/service.h"
#include "app/service/status.h"

namespace llmgw::app {
namespace {

constexpr const char* kHint = "llm-gateway: run it with --data-dir DIR, the running gateway's data_dir\n";

}  // namespace

std::optional<std::string> find_data_dir(const Target& target) {
  if (!target.data_dir.empty()) return target.data_dir;
  const auto config = choose_config_path(target.config, real_path_environment());
  if (!config) {
    std::cerr << "llm-gateway: " << config.error() << "\n" << kHint;
    return std::nullopt;
  }
  auto data_dir = data_dir_of(config->path);
  if (data_dir) return std::move(*data_dir);
  // The gateway that runs does so by an earlier state of the file.
  auto likely = likely_data_dir(config->path);
  if (likely && process::PidFile::holder(pid_file_of(*likely))) return likely;
  std::cerr << data_dir.error() << kHint;
  return std::nullopt;
}

int explain_no_answer(const std::string& data_dir, const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::refused:
      if (const auto holder = process::PidFile::holder(pid_file_of(data_dir))) {
        std::cerr << "llm-gateway: a gateway (pid " << *holder << ") has " << data_dir
                  << " and takes no commands yet: it starts, and may be asked again; or its control.sock was removed, "
                     "and it is to be stopped (`kill "
                  << *holder << "`) and started anew\n";
        return kExitFailed;
      }
      std::cerr << "llm-gateway: no gateway runs with " << data_dir << "\n";
      for (const process::DrainingProcess& draining : process::draining_processes(data_dir)) {
        std::cerr << "llm-gateway: one that a new process had replaced (pid " << draining.pid
                  << ") finishes what it has begun" << describe_drain(draining.note)
                  << "; `llm-gateway stop` ends it\n";
      }
      return kExitNotRunning;
    case base::ErrorCode::permission:
      std::cerr << "llm-gateway: the gateway with " << data_dir
                << " belongs to another user; ask as that user or root\n";
      return kExitFailed;
    case base::ErrorCode::deadline_exceeded:
      std::cerr << "llm-gateway: the gateway with " << data_dir << " did not answer in time\n";
      return kExitFailed;
    default:
      std::cerr << "llm-gateway: the gateway with " << data_dir << " did not answer: " << base::to_string(error.code)
                << " (" << error.context << ")\n";
      return kExitFailed;
  }
}

std::expected<std::string, int> ask_running(const Target& target, std::string_view command, base::Duration timeout) {
  const auto data_dir = find_data_dir(target);
  if (!data_dir) return std::unexpected(kExitUsage);
  const auto reply = process::control_call(*data_dir, command, timeout);
  if (!reply) return std::unexpected(explain_no_answer(*data_dir, reply.error()));
  auto answer = read_answer(*reply);
  if (!answer || !answer->ok) {
    const std::string why = answer ? answer->message : "llm-gateway: " + std::string(answer.error());
    std::cerr << why << (why.ends_with('\n') ? "" : "\n");
    return std::unexpected(kExitFailed);
  }
  return std::move(answer->message);
}

int call_and_print(const Target& target, std::string_view command, base::Duration timeout) {
  const auto message = ask_running(target, command, timeout);
  if (!message) return message.error();
  std::cout << *message << (message->ends_with('\n') ? "" : "\n");
  return kExitOk;
}

}  // namespace llmgw::app
