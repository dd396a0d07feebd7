// The processes that a new one has replaced and that finish what they have begun: each holds a PID file of its own
// (pid_file.h) in the data directory until it ends, so that commands find it when the gateway's PID file is another's.
// Any thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "app/process/pid_file.h"
#include "base/result.h"

namespace llmgw::process {

// This process's.
base::Result<PidFile> hold_drain_file(const std::string& data_dir);

// Those that live, by number, lowest first. In another PID namespace, as containers have, their numbers would mean
// other processes: there they are not listed.
std::vector<pid_t> draining_processes(const std::string& data_dir);

// Removes what processes have left that were killed. Call while holding the gateway's PID file, where nobody is about
// to be replaced.
void remove_stale_drain_files(const std::string& data_dir);

}  // namespace llmgw::process
