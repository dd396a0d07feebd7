// How a command reaches the admin API: over HTTP where it is told a URL, else by doing the same work itself on the
// store that a configuration names, whether or not a gateway runs on it; one that does is told to look at once.
// Blocking; main thread only.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "admin/api/object_api.h"
#include "base/secret.h"
#include "base/time.h"
#include "control/config.h"

namespace llmgw::app {

struct StoreTarget {
  std::string config;     // --config, empty if not given
  std::string url;        // --url, or without --config $LLM_GATEWAY_URL; empty: the local store
  std::string admin_key;  // --admin-key or $LLM_GATEWAY_ADMIN_KEY; env: and file: are read
  std::string ca_file;    // authorities to trust instead of the system's
};

class ObjectClient {
 public:
  virtual ~ObjectClient() = default;
  // `method`: "GET", ...; `path`: below /admin/v1/, with its query; `body`: JSON or empty. The error is a sentence:
  // there was no answer.
  virtual std::expected<admin::ApiAnswer, std::string> call(std::string_view method, const std::string& path,
                                                            const std::string& body, const std::string& if_match) = 0;
};

// What is wrong, and whether it is with what the operator has written or with what cannot be reached.
struct ClientFault {
  std::string message;  // a sentence, or the faults of the configuration
  bool unreachable = false;
};
std::expected<std::unique_ptr<ObjectClient>, ClientFault> open_client(const StoreTarget& target);

// A secret as it may be written on the command line: env:NAME, file:PATH, - for standard input, or the value itself.
std::expected<std::string, std::string> read_secret_argument(const std::string& text);

}  // namespace llmgw::app
