// What the commands to a running gateway share.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "app/commands.h"
#include "base/result.h"

namespace llmgw::app {

// The data directory of the gateway that is meant: also of one that runs while its file has become no TOML. Prints why
// there is none.
std::optional<std::string> find_data_dir(const Target& target);

// Sends a command and prints its answer's message. Returns the exit status.
int call_and_print(const Target& target, std::string_view command, base::Duration timeout);

// The answer's message; or the exit status, after what is wrong has been printed.
std::expected<std::string, int> ask_running(const Target& target, std::string_view command, base::Duration timeout);

// Prints why the control socket did not answer. Returns the exit status.
int explain_no_answer(const std::string& data_dir, const base::Error& error);

}  // namespace llmgw::app
