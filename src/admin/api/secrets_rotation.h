// Seals everything in the store anew: under a new master key where that is a file of this program, else under the first
// of the configuration's. Blocking; the store's thread or the command line.
#pragma once

#include "admin/api/object_api.h"

namespace llmgw::admin {

// {"resealed": <objects changed>, "key_id": "..."}. All objects, or none.
ApiAnswer rotate_secrets(const ApiContext& context, const ApiRequest& request);

}  // namespace llmgw::admin
