// A call's record in the ledger: how it ended, and whose it was.
#include <algorithm>
#include <array>

#include "control/snapshot.h"
#include "gateway/call/call.h"

namespace llmgw::gateway {

using accounting::CallOutcome;
using accounting::LedgerText;

CallOutcome Call::outcome() const {
  if (const std::string_view cut = cut_off(); !cut.empty()) {
    return cut == kClientClosed || cut == kWriteTimeout ? CallOutcome::cancelled : CallOutcome::cut;
  }
  // The gateway's own estimate is an answer.
  if (upstream_status_ == 0 && counts_tokens(match_.operation) && !error_) return CallOutcome::completed;
  if (upstream_status_ == 0 || upstream_status_ >= 400) return CallOutcome::failed;
  if (error_) return exchange_.started() && !said_nothing_ ? CallOutcome::cut : CallOutcome::failed;
  return CallOutcome::completed;
}

namespace {

void name_owners(accounting::LedgerRecord& record, const control::Snapshot& snapshot,
                 const control::Principal& principal) {
  record.text(LedgerText::key) = principal.name;
  if (principal.id != control::kAnonymous) record.text(LedgerText::key_id) = principal.id;
  const auto take = [&record](const auto& objects, uint32_t index, LedgerText name, LedgerText id) {
    if (index == control::kNone) return;
    record.text(name) = objects[index].name;
    record.text(id) = objects[index].stored.id;
  };
  take(snapshot.users, principal.user, LedgerText::user, LedgerText::user_id);
  take(snapshot.teams, principal.team, LedgerText::team, LedgerText::team_id);
  take(snapshot.organizations, principal.organization, LedgerText::organization, LedgerText::organization_id);
}

}  // namespace

void Call::write_ledger(const accounting::LedgerRecord& settled) {
  accounting::LedgerRecord record = settled;
  record.time = worker_.loop().wall_now().time_since_epoch().count();
  record.duration = (worker_.loop().now() - exchange_.started_at()).count();
  record.status = status_;
  record.upstream_status = upstream_status_;
  record.streamed = streams();
  record.retries = static_cast<uint8_t>(std::min<uint32_t>(retries_, UINT8_MAX));
  record.text(LedgerText::id) = id_.view();
  name_owners(record, generation_.snapshot(), *principal_);
  record.text(LedgerText::asked_model) = model_;
  // The record of a batch has the batch's.
  if (attempt_->model != nullptr && settled.text(LedgerText::batch).empty()) {
    record.text(LedgerText::model) = attempt_->model->name;
    record.text(LedgerText::upstream_model) = attempt_->model->upstream_name(plan_.model);
  }
  record.text(LedgerText::provider) = attempt_->connection->upstream.provider->name;
  record.text(LedgerText::connection) = attempt_->connection->name;
  record.text(LedgerText::operation) = to_string(match_.operation);
  record.text(LedgerText::end_user) = peek_.user;
  record.text(LedgerText::tags) = tags().text();
  if (record.text(LedgerText::batch).empty()) record.text(LedgerText::made_batch) = made_batch();
  std::array<uint64_t, admission::kScopesMax> charged;
  size_t count = 0;
  for (size_t i = 0; i < admission_.scope_count; ++i) {
    if (admission_.scopes[i]->compiled().has_budget) charged[count++] = admission_.scopes[i]->identity;
  }
  record.text(LedgerText::charged) = {reinterpret_cast<const char*>(charged.data()), count * sizeof charged[0]};
  worker_.ledger()->append(record);
}

}  // namespace llmgw::gateway
