// POST /admin/v1/connections/{id or name}/test: what a real call through a connection gave.
#pragma once

#include <string>

#include "admin/api/object_api.h"

namespace llmgw::admin {

// Looks the connection up; the call itself is the answer's rest. The body may say {"model": "the provider's name"}.
//   {"connection", "model", "ok", "status", "milliseconds", "answer": <what came>}
ApiAnswer test_connection(const ApiContext& context, const ApiRequest& request, const std::string& id_or_name);

}  // namespace llmgw::admin
