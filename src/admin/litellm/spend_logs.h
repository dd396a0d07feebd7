// LiteLLM's GET /spend/logs (read October 2026): single calls, newest first, from this gateway's ledger files; or, with
// start_date and end_date, sums by day from the ledger's database; days are those of UTC or, which LiteLLM does not
// have, of the zone in tz. Filters: api_key (a key's name, id, or the key), user_id, request_id. A team admin sees the
// own team's. Where LiteLLM says a key's hash stands its id; its name, where it is of the file or a record has no id.
#pragma once

#include <optional>
#include <string>

#include "admin/api/object_api.h"
#include "admin/spend/spender.h"

namespace llmgw::admin {

// More than these are left out, which the header x-llm-gateway-more says.
inline constexpr size_t kSpendRowsMax = 10'000;

// `key`: who is behind api_key; none: all keys. The reading is the answer's rest.
ApiAnswer spend_logs(const ApiContext& context, const ApiRequest& request, const std::optional<Spender>& key);

// What a key, a team or a user has spent, in US dollars, goes into the answer's member "spend": of the object itself,
// or of its member `inside`; of it a team admin is told what calls of the own team cost. The reading is the rest of the
// answer that is returned.
ApiAnswer with_spend(const ApiContext& context, const Actor& actor, ApiAnswer answer, const Spender& spender,
                     const std::string& inside);

}  // namespace llmgw::admin
