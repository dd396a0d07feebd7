// A real call through one connection: a gateway of its own, in this process and for this one call, does with it what
// the running one would do: address, credential, signature, conversion, TLS, proxy. Blocking; any thread.
#pragma once

#include <expected>
#include <stop_token>
#include <string>

#include "base/time.h"
#include "control/config.h"

namespace llmgw::admin {

struct ProbeResult {
  uint16_t status = 0;
  int64_t milliseconds = 0;
  std::string model;      // the provider's name for it
  std::string body;       // of the answer
  bool recorded = false;  // in the ledger of server.data_dir, or there is none
};

inline constexpr base::Duration kProbeLimit = std::chrono::seconds(25);  // below what an answer here may take

// `config` has the connection and, unless `model` (the provider's name) is given, a model on it. The error is a
// sentence: there was no call.
std::expected<ProbeResult, std::string> probe_connection(const control::Config& config, const std::string& connection,
                                                         const std::string& model, std::stop_token stop);

}  // namespace llmgw::admin
