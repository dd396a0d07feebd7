// Which calls cost what kind of money. Pure; any thread.
#pragma once

#include "gateway/entrance/endpoints.h"

namespace llmgw::gateway {

// Calls that make batches or look at them.
inline bool is_batch(Operation operation) {
  return operation == Operation::batches || operation == Operation::message_batches;
}

}  // namespace llmgw::gateway
