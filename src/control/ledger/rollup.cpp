#include "control/ledger/rollup.h"

#include <algorithm>
#include <cstring>

#include "base/saturating.h"
#include "json/utf8.h"

namespace llmgw::control {

using accounting::CallOutcome;
using accounting::LedgerRecord;
using accounting::LedgerText;

RollupSums& RollupSums::operator+=(const RollupSums& other) {
  for (const auto& [name, sum] : kRollupSums) this->*sum = base::add_saturating(this->*sum, other.*sum);
  return *this;
}

RollupSums sums_of(const LedgerRecord& record) {
  const auto count = [](const std::optional<uint64_t>& tokens) {
    // Of a record that was written before counts were bounded, or by somebody else.
    return static_cast<int64_t>(std::min<uint64_t>(tokens.value_or(0), INT64_MAX));
  };
  return {.calls = 1,
          .failed = record.outcome == CallOutcome::failed || record.outcome == CallOutcome::cut ? 1 : 0,
          .cancelled = record.outcome == CallOutcome::cancelled ? 1 : 0,
          .unpriced = record.priced ? 0 : 1,
          .estimated = record.estimated ? 1 : 0,
          .input = count(record.usage.input),
          .cache_read = count(record.usage.cache_read),
          .cache_write = count(record.usage.cache_write),
          .output = count(record.usage.output),
          .reasoning = count(record.usage.reasoning),
          .nano_dollars = std::max<int64_t>(0, record.nano_dollars)};
}

namespace {

// Where a pattern serves the call, the name that was asked of the provider, however the call ended, so that a model's
// failures stand beside its successes; but not one that clients made up and the provider does not know.
std::string_view model_of(const LedgerRecord& record) {
  const auto model = record.text(LedgerText::model);
  const bool pattern = model.find('*') != std::string_view::npos;
  constexpr uint16_t kNotFound = 404;
  return pattern && record.upstream_status != kNotFound ? record.text(LedgerText::upstream_model) : model;
}

std::string_view owner_of(const LedgerRecord& record, const accounting::LedgerOwner& owner) {
  const auto id = record.text(owner.id);
  return id.empty() ? record.text(owner.name) : id;
}

// Makes `key` that of the record; whether it was that already.
bool take_key(RollupKey& key, const LedgerRecord& record) {
  const int64_t quarter = record.time / 1'000'000'000 / kQuarterSeconds;
  bool same = key.quarter == quarter;
  key.quarter = quarter;
  const auto take = [&same](std::string& to, std::string_view from) {
    if (to == from) return;
    to = from;
    same = false;
  };
  constexpr std::array kOwners = {&RollupKey::organization, &RollupKey::team, &RollupKey::user, &RollupKey::key};
  static_assert(kOwners.size() == accounting::kLedgerOwners.size());
  for (size_t i = 0; i < kOwners.size(); ++i) take(key.*kOwners[i], owner_of(record, accounting::kLedgerOwners[i]));
  take(key.model, model_of(record));
  take(key.provider, record.text(LedgerText::provider));
  take(key.connection, record.text(LedgerText::connection));
  take(key.tags, record.text(LedgerText::tags));
  return same;
}

std::vector<uint64_t> charged_by(const LedgerRecord& record) {
  const auto text = record.text(LedgerText::charged);
  std::vector<uint64_t> charged(text.size() / sizeof(uint64_t));
  if (!charged.empty()) std::memcpy(charged.data(), text.data(), charged.size() * sizeof(uint64_t));
  return charged;
}

// By which a batch's maker is found.
std::string maker_key(const LedgerRecord& record, LedgerText batch) {
  return std::string(record.text(LedgerText::provider)).append(" ").append(record.text(batch));
}

RollupPart part_of(const LedgerRecord& record) {
  RollupPart part{.key = {}, .sums = sums_of(record), .end_user = {}, .charged = charged_by(record)};
  take_key(part.key, record);
  // Clients write what they want; no database need take it.
  if (const auto end_user = record.text(LedgerText::end_user); json::is_plain_text(end_user)) part.end_user = end_user;
  return part;
}

}  // namespace

void Rollup::add(const LedgerRecord& record) {
  if (auto batch = accounting::batch_key(record); !batch.empty()) {
    RollupPart part = part_of(record);
    part.maker = maker_key(record, LedgerText::batch);
    note_names(record);
    batch_records_ += part.sums;
    batches_.try_emplace(std::move(batch), std::move(part));
    return;
  }
  if (!record.text(LedgerText::made_batch).empty()) {
    makers_.try_emplace(maker_key(record, LedgerText::made_batch), part_of(record));
  }
  if (!take_key(key_, record) || sums_of_key_ == nullptr) sums_of_key_ = &sums_[key_];
  note_names(record);
  const RollupSums sums = sums_of(record);
  *sums_of_key_ += sums;
  // Clients write what they want; no database need take it.
  if (const auto end_user = record.text(LedgerText::end_user); !end_user.empty() && json::is_plain_text(end_user)) {
    end_users_[{key_, std::string(end_user)}] += sums;
  }
  const auto charged = record.text(LedgerText::charged);
  for (size_t i = 0; i + sizeof(uint64_t) <= charged.size(); i += sizeof(uint64_t)) {
    uint64_t identity = 0;
    std::memcpy(&identity, charged.data() + i, sizeof identity);
    int64_t& sum = charges_[{identity, key_.quarter}];
    sum = base::add_saturating(sum, sums.nano_dollars);
  }
}

void Rollup::take_batch(const RollupPart& part) {
  sums_[part.key] += part.sums;
  if (!part.end_user.empty()) end_users_[{part.key, part.end_user}] += part.sums;
  for (const uint64_t identity : part.charged) {
    int64_t& sum = charges_[{identity, part.key.quarter}];
    sum = base::add_saturating(sum, part.sums.nano_dollars);
  }
}

void Rollup::note_names(const LedgerRecord& record) {
  for (size_t i = 0; i < noted_.size(); ++i) {
    const accounting::LedgerOwner& owner = accounting::kLedgerOwners[i];
    const auto id = record.text(owner.id);
    const auto name = record.text(owner.name);
    auto& [noted_id, noted_name] = noted_[i];
    if (id.empty() || (noted_id == id && noted_name == name)) continue;
    noted_id = id;
    noted_name = name;
    names_[noted_id] = {.kind = accounting::to_string(owner.name), .name = noted_name};
  }
}

void Rollup::clear() {
  sums_.clear();
  end_users_.clear();
  sums_of_key_ = nullptr;
  charges_.clear();
  batches_.clear();
  batch_records_ = {};
  makers_.clear();
  names_.clear();
  noted_ = {};
}

}  // namespace llmgw::control
