// A request as it goes to one upstream. What it points to lies in the call's arena, or is the snapshot's.
#pragma once

#include <cstdint>
#include <string_view>

#include "control/snapshot.h"
#include "json/splice.h"

namespace llmgw::gateway {

struct Attempt {
  const control::Model* model = nullptr;
  const control::Connection* connection = nullptr;
  uint32_t connection_index = 0;
  std::string_view target;  // path and query
  json::Pieces body;
  bool own_api = false;            // the provider speaks the client's API, so its headers mean something there
  std::string_view betas = {};     // of a converted request, for the header anthropic-beta
  std::string_view warnings = {};  // what a body that goes as it came has lost: the header's value
};

}  // namespace llmgw::gateway
