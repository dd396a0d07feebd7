#include "control/ledger/rollup.h"

#include <cstring>

namespace llmgw::control {

using accounting::CallOutcome;
using accounting::LedgerRecord;
using accounting::LedgerText;

RollupSums& RollupSums::operator+=(const RollupSums& other) {
  calls += other.calls;
  failed += other.failed;
  cancelled += other.cancelled;
  unpriced += other.unpriced;
  estimated += other.estimated;
  input += other.input;
  cache_read += other.cache_read;
  cache_write += other.cache_write;
  output += other.output;
  reasoning += other.reasoning;
  nano_dollars += other.nano_dollars;
  return *this;
}

RollupSums sums_of(const LedgerRecord& record) {
  const auto count = [](const std::optional<uint64_t>& tokens) { return static_cast<int64_t>(tokens.value_or(0)); };
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
          .nano_dollars = record.nano_dollars};
}

void Rollup::add(const LedgerRecord& record) {
  key_.quarter = record.time / 1'000'000'000 / kQuarterSeconds;
  key_.organization = record.text(LedgerText::organization);
  key_.team = record.text(LedgerText::team);
  key_.user = record.text(LedgerText::user);
  key_.key = record.text(LedgerText::key);
  // Where a pattern serves the call, the name that the provider knows; but not one that clients made up.
  const auto model = record.text(LedgerText::model);
  const bool pattern = model.find('*') != std::string_view::npos;
  key_.model = pattern && record.outcome == CallOutcome::completed ? record.text(LedgerText::upstream_model) : model;
  key_.provider = record.text(LedgerText::provider);
  key_.connection = record.text(LedgerText::connection);
  key_.tags = record.text(LedgerText::tags);
  sums_[key_] += sums_of(record);
  const auto charged = record.text(LedgerText::charged);
  for (size_t i = 0; i + sizeof(uint64_t) <= charged.size(); i += sizeof(uint64_t)) {
    uint64_t identity = 0;
    std::memcpy(&identity, charged.data() + i, sizeof identity);
    charges_[{identity, key_.quarter}] += record.nano_dollars;
  }
}

void Rollup::clear() {
  sums_.clear();
  charges_.clear();
}

}  // namespace llmgw::control
