// The subcommands of `llm-gateway config`, as functions: each returns the process's exit code and writes results to
// `out` and complaints to `err`. Main thread only.
#pragma once

#include <iosfwd>
#include <string>

namespace llmgw::app {

// Writes a commented starter file, readable by its owner alone since it holds a client key; refuses to overwrite.
// `data_dir` is its server.data_dir; empty: the default.
int run_config_init(const std::string& path, const std::string& data_dir, std::ostream& out, std::ostream& err);
// Prints every fault as file:line:column: message. 0: valid, 1: not.
int run_config_validate(const std::string& path, std::ostream& out, std::ostream& err);
// Prints the effective configuration with defaults and origins, never a secret.
int run_config_show(const std::string& path, std::ostream& out, std::ostream& err);
// Writes what a configuration of LiteLLM says as one of ours to `out`, or to the file `output` where that is not empty,
// and what it could not to `err`. 0: written, 1: not, 2: written, but no gateway can serve by it as it is.
int run_import_litellm(const std::string& path, const std::string& output, std::ostream& out, std::ostream& err);
// Prints the tables of docs/configuration.md.
int run_config_reference(std::ostream& out);
// The tables of docs/compatibility.md.
int run_config_compatibility(std::ostream& out);

}  // namespace llmgw::app
