// How a command line reaches the running gateway (control_server.h). Blocking, bounded by a time-out; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace llmgw::process {

// Sends `command` ("status", "stop", "reload", "upgrade", with arguments after a space) and returns the JSON answer.
// refused: no gateway runs with this data directory. permission: it is another user's. deadline_exceeded: it did not
// answer within `timeout`. closed or reset: it ended meanwhile, which after "stop" is what was wanted.
base::Result<std::string> control_call(const std::string& data_dir, std::string_view command, base::Duration timeout);

}  // namespace llmgw::process
