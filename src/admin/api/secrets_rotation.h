// Seals everything in the store anew under the first master key. Blocking; the store's thread or the command line.
#pragma once

#include "admin/api/object_api.h"

namespace llmgw::admin {

// {"resealed": <objects changed>, "key_id": "..."}. All objects, or none.
ApiAnswer rotate_secrets(const ApiContext& context, const ApiRequest& request);

}  // namespace llmgw::admin
