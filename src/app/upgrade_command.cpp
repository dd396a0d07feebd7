#include "app/remote.h"

namespace llmgw::app {
namespace {

// The gateway gives a new process a minute to serve and then says so.
constexpr base::Duration kUpgradeTimeout = std::chrono::seconds(75);

}  // namespace

int run_upgrade(const Target& target) {
  return call_and_print(target, "upgrade", kUpgradeTimeout);
}

}  // namespace llmgw::app
