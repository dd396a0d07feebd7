#include <iostream>

#include "app/commands.h"
#include "app/service/service.h"

namespace llmgw::app {

int run_version() {
  std::cout << "llm-gateway " LLMGW_VERSION "\n";
  return kExitOk;
}

}  // namespace llmgw::app
