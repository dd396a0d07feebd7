// Whether an engine could serve as it offers to: judged like an object of the store would be, before it is registered,
// and by the names of the connections there are. Pure but for the certificate files that the offer names. Any thread;
// some milliseconds at most.
#pragma once

#include <optional>

#include "admin/api/object_api.h"
#include "admin/engines/engine_registry.h"

namespace llmgw::admin {

// What an offer is judged by; all of it must outlive the call.
struct EngineContext {
  const control::Config& file;
  const control::StoredObjects* stored = nullptr;  // null: there is none, or none was loaded yet
  const control::Environment& environment;         // of the file
};

// The refusal, which says what was expected: 400, or 409 where the name is that of a connection that is no engine's.
// Nothing: it may be registered.
std::optional<ApiAnswer> refuse_engine(const EngineOffer& offer, const EngineContext& context);

}  // namespace llmgw::admin
