#include "app/remote.h"

namespace llmgw::app {
namespace {

// Reading 100,000 models and giving them to every worker takes seconds.
constexpr base::Duration kReloadTimeout = std::chrono::seconds(30);

}  // namespace

int run_reload(const Target& target, bool force) {
  return call_and_print(target, force ? "reload force" : "reload", kReloadTimeout);
}

}  // namespace llmgw::app
