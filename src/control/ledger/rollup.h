// Sums of ledger records, by quarter of an hour and by everything a report can be asked for. Pure; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounting/ledger_record.h"

namespace llmgw::control {

// A quarter of an hour: every time zone's days, hours and months begin at one.
inline constexpr int64_t kQuarterSeconds = 900;

struct RollupKey {
  int64_t quarter = 0;  // since 1970
  // Of owners that are objects of the store the id, which no other one has whatever it is called; else the name.
  std::string organization, team, user, key;
  std::string model, provider, connection, tags;
  auto operator<=>(const RollupKey&) const = default;
};

struct RollupSums {
  int64_t calls = 0;
  int64_t failed = 0;  // failed or cut
  int64_t cancelled = 0;
  int64_t unpriced = 0;
  int64_t estimated = 0;
  int64_t input = 0, cache_read = 0, cache_write = 0, output = 0, reasoning = 0;
  int64_t nano_dollars = 0;

  // What would pass the type's end stays there.
  RollupSums& operator+=(const RollupSums& other);
  bool operator==(const RollupSums&) const = default;
};

// Each of them, as the ledger's database and reports call it.
struct RollupSum {
  std::string_view name;
  int64_t RollupSums::* member;
};
inline constexpr std::array<RollupSum, 11> kRollupSums = {{{"calls", &RollupSums::calls},
                                                           {"failed", &RollupSums::failed},
                                                           {"cancelled", &RollupSums::cancelled},
                                                           {"unpriced", &RollupSums::unpriced},
                                                           {"estimated", &RollupSums::estimated},
                                                           {"input", &RollupSums::input},
                                                           {"cache_read", &RollupSums::cache_read},
                                                           {"cache_write", &RollupSums::cache_write},
                                                           {"output", &RollupSums::output},
                                                           {"reasoning", &RollupSums::reasoning},
                                                           {"nano_dollars", &RollupSums::nano_dollars}}};

// What one record adds.
struct RollupPart {
  RollupKey key;
  RollupSums sums;
  std::string end_user;
  std::vector<uint64_t> charged;  // identities of the scopes whose budgets pay
  std::string maker = {};         // of a batch: where its maker is found
};

// What an object of the store was called.
struct OwnerName {
  std::string_view kind;  // "organization", "team", "user", "key"
  std::string name;
};

class Rollup {
 public:
  Rollup() = default;
  Rollup(const Rollup&) = delete;
  Rollup& operator=(const Rollup&) = delete;

  void add(const accounting::LedgerRecord& record);
  void clear();
  bool empty() const { return sums_.empty() && batches_.empty(); }

  const std::map<RollupKey, RollupSums>& sums() const { return sums_; }
  // Of the same, those that clients said were for somebody: by that name.
  const std::map<std::pair<RollupKey, std::string>, RollupSums>& end_users() const { return end_users_; }
  // Nano-dollars by the identity of the scope whose budget paid, and quarter.
  const std::map<std::pair<uint64_t, int64_t>, int64_t>& charges() const { return charges_; }
  // The records of batches are not in the sums: a batch is charged once, and which of its records comes first is known
  // where all of them end up. The first one here of each, by batch_key().
  const std::map<std::string, RollupPart>& batches() const { return batches_; }
  // What all of their records come to, those that repeat one, too.
  const RollupSums& batch_records() const { return batch_records_; }
  // One of those is the first that there is: from here on it is in the sums.
  void take_batch(const RollupPart& part);
  // Whose the batches are that calls made, by provider and id: of a part its owners and tags, its end user and whom it
  // charges.
  const std::map<std::string, RollupPart>& makers() const { return makers_; }
  // By id: as the last of its records says.
  const std::map<std::string, OwnerName>& names() const { return names_; }

 private:
  void note_names(const accounting::LedgerRecord& record);

  std::map<RollupKey, RollupSums> sums_;
  std::map<std::pair<RollupKey, std::string>, RollupSums> end_users_;
  std::map<std::pair<uint64_t, int64_t>, int64_t> charges_;
  std::map<std::string, RollupPart> batches_;
  RollupSums batch_records_;
  std::map<std::string, RollupPart> makers_;
  std::map<std::string, OwnerName> names_;
  std::array<std::pair<std::string, std::string>, accounting::kLedgerOwners.size()> noted_;  // of the record before
  RollupKey key_;  // of the record before: calls of one kind come in rows
  RollupSums* sums_of_key_ = nullptr;
};

RollupSums sums_of(const accounting::LedgerRecord& record);

}  // namespace llmgw::control
