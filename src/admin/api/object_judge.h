// Judges a change of an object as the loader of configurations will: merged with the file, and with the objects that it
// cannot be without, or that it may be in conflict with. Blocking: reads the store, writes nothing.
#pragma once

#include <expected>

#include "admin/api/object_api.h"

namespace llmgw::admin {

// What is wrong with the object that the change would leave. Whether a key is another's the store says when it is
// written: it alone knows at that moment.
std::expected<void, ApiAnswer> judge_change(const ApiContext& context, const control::ObjectKind& kind,
                                            const store::ObjectChange& change);

}  // namespace llmgw::admin
