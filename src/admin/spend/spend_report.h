// GET /admin/v1/spend: what calls used and cost, from the ledger's sums. `by`: columns of the report ("team,model");
// `from`, `to`, `tz`: times as in `llm-gateway ledger report`; organization, team, user, key, model, provider,
// connection: only calls of the one with that name or id; tag: only calls that have it;
// end_user: only calls for that one. A team admin sees the own
// team's.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "admin/api/object_api.h"
#include "control/databases.h"
#include "control/ledger/ledger_store.h"

namespace llmgw::admin {

// Checks who may and what is asked; the reading is the answer's rest.
ApiAnswer report_spend(const ApiContext& context, const ApiRequest& request);

// Of the gateway whose configuration this is.
control::LedgerAccess ledger_of(const control::Config& file);
// Rows of the ledger's sums; none where there is no ledger yet. Blocking.
std::expected<std::vector<control::ReportRow>, ApiAnswer> read_sums(const control::LedgerAccess& ledger,
                                                                    const control::ReportQuery& query);
}  // namespace llmgw::admin
