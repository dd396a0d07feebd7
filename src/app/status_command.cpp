#include <iostream>

#include "app/process/control_client.h"
#include "app/remote.h"
#include "app/service/service.h"
#include "app/service/status.h"

namespace llmgw::app {
namespace {

// A gateway waits five seconds for a worker that hangs before it answers without it.
constexpr base::Duration kStatusTimeout = std::chrono::seconds(10);

}  // namespace

int run_status(const Target& target, bool json) {
  const auto data_dir = find_data_dir(target);
  if (!data_dir) return kExitUsage;
  const auto reply = process::control_call(*data_dir, "status", kStatusTimeout);
  if (!reply) return explain_no_answer(*data_dir, reply.error());
  if (json) {
    std::cout << *reply << "\n";
    return kExitOk;
  }
  const auto text = render_status(*reply);
  if (!text) {
    std::cerr << "llm-gateway: " << text.error() << "\n";
    return kExitFailed;
  }
  std::cout << *text;
  return kExitOk;
}

}  // namespace llmgw::app
