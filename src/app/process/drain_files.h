// The processes that a new one has replaced and that finish what they have begun: each holds a PID file of its own
// (pid_file.h) in the data directory until it ends, so that commands find it when the gateway's PID file is another's.
// Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/process/pid_file.h"
#include "base/result.h"

namespace llmgw::process {

// How far such a process is, as it last said: by the wall clock, in seconds since 1970.
struct DrainNote {
  uint64_t since = 0;
  uint64_t until = 0;  // what still runs then is cut off
  uint64_t in_flight = 0;
};

struct DrainingProcess {
  pid_t pid = 0;
  std::optional<DrainNote> note;  // nothing: it has not said yet, or does not, being of an earlier version
};

// This process's.
base::Result<PidFile> hold_drain_file(const std::string& data_dir);
// Says it for draining_processes(), instead of what was said before.
base::Result<void> write_drain_note(PidFile& file, const DrainNote& note);

// Those that live, by number, lowest first. In another PID namespace, as containers have, their numbers would mean
// other processes: there they are not listed.
std::vector<DrainingProcess> draining_processes(const std::string& data_dir);

// Removes what processes have left that were killed. Call while holding the gateway's PID file, where nobody is about
// to be replaced.
void remove_stale_drain_files(const std::string& data_dir);

}  // namespace llmgw::process
