// The management endpoints that programs written for LiteLLM's proxy call, in the shapes of its documentation (virtual
// keys, teams, users, spend; read October 2026), done by the API of this gateway: /key/generate, update, delete, info,
// block and unblock, /user/new and info, /team/new and info, /model/info, /spend/logs. Their ids are names or ids of
// ours. What has no counterpart is named in the answer's "ignored". Blocking; the store's thread.
#pragma once

#include <string_view>

#include "admin/api/object_api.h"

namespace llmgw::admin {

bool is_litellm_path(std::string_view path);
ApiAnswer handle_litellm(const ApiContext& context, const ApiRequest& request);

}  // namespace llmgw::admin
