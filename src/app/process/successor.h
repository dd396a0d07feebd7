// `upgrade`: the running process starts the program anew, from the same path, and hands over (takeover.h). Linux.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "app/process/process_handle.h"
#include "base/result.h"

namespace llmgw::process {

// Set to the predecessor's number in a successor's environment: take over, fail if that is impossible.
inline constexpr const char* kPredecessorVariable = "LLM_GATEWAY_PREDECESSOR";

// Where this program lies. Ask at start: once the file is replaced, the kernel only knows that it is deleted.
base::Result<std::string> executable_path();

// Starts `path` with `arguments` (the program's name first), standard streams and working directory shared, no signal
// blocked or ignored. Variables that speak of this process alone (socket activation, watchdog's PID) are left out.
// The caller watches the handle: if it becomes readable before the hand-over, reap_successor() says how it ended.
base::Result<ProcessHandle> start_successor(const std::string& path, const std::vector<std::string>& arguments);

// For a child that has ended: "ended with status 2", "was killed by signal 9". Pure but for the wait.
std::string reap_successor(const ProcessHandle& successor);

// The environment a successor gets. Pure.
std::vector<std::string> successor_environment(const std::vector<std::string>& environment, pid_t own_pid);

}  // namespace llmgw::process
