// /admin/v1/engines: engines that register themselves. Any thread.
//
//   GET    /admin/v1/engines                   those that are there
//   POST   /admin/v1/engines                   one more, or the same anew; the answer has its token
//   POST   /admin/v1/engines/{name}/heartbeat  with that token: it is still there
//   DELETE /admin/v1/engines/{name}            with that token, or an administrator's
#pragma once

#include <optional>
#include <string_view>

#include "admin/api/object_api.h"
#include "admin/engines/engine_check.h"
#include "admin/engines/engine_registry.h"

namespace llmgw::admin {

inline constexpr std::string_view kEnginesPath = "/admin/v1/engines";
bool is_engines_path(std::string_view path);

struct EngineCall {
  http::Method method = http::Method::get;
  std::string_view path;
  std::string_view body;
  std::string_view token;     // presented, whatever it is
  bool may_register = false;  // an administrator, or whoever has admin.engine_token
  bool may_read = false;
  std::string_view role = {};              // of who has signed in as an administrator
  const EngineContext* context = nullptr;  // what an offer is judged by; null: not yet known
};
ApiAnswer answer_engines(EngineRegistry& engines, const EngineCall& call, base::Instant now);

}  // namespace llmgw::admin
