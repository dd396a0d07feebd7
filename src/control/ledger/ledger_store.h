// The sums of the ledger in a database, and how far each segment is in them. What a transaction adds and the mark up to
// which it has read a segment are written together: every record is in the sums once, whatever ends when. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time_zone.h"
#include "control/ledger/rollup.h"
#include "store/sql/session.h"

namespace llmgw::control {

struct SegmentMark {
  std::string name;
  int64_t offset = 0;   // everything before it is in the sums
  int64_t records = 0;  // that was read
  int64_t nano_dollars = 0;
};

// What a report sums by. `tags` are all tags of a record together, `tag` each of them: a record with three tags counts
// in three rows, one without any in that of no name.
enum class ReportColumn : uint8_t { day, organization, team, user, key, model, provider, connection, tags, tag };
inline constexpr size_t kReportColumns = 10;
std::string_view to_string(ReportColumn column);

struct ReportRow {
  std::vector<std::string> names;  // in the order asked for
  RollupSums sums;
};

struct ReportQuery {
  std::vector<ReportColumn> by;
  int64_t from_quarter = 0;
  int64_t to_quarter = INT64_MAX;  // not included
  // Only calls with these names, or with this one among their tags; not by day.
  std::vector<std::pair<ReportColumn, std::string>> where = {};
  std::shared_ptr<const base::TimeZone> zone = nullptr;  // whose days are meant; null: UTC
};

class LedgerStore {
 public:
  // Makes the tables where there are none.
  static base::Result<LedgerStore> open(std::unique_ptr<store::SqlSession> session);

  // Adds the sums and moves the marks on, or does nothing.
  base::Result<void> add(const Rollup& rollup, const std::vector<SegmentMark>& marks);
  base::Result<std::optional<SegmentMark>> mark(std::string_view segment);
  base::Result<std::vector<SegmentMark>> marks();
  // For a segment whose file is gone.
  base::Result<void> forget(std::string_view segment);
  // Nano-dollars that the budgets of these scopes have paid since a quarter; those that paid nothing are not in it.
  base::Result<std::unordered_map<uint64_t, int64_t>> charged_since(std::span<const uint64_t> identities,
                                                                    int64_t quarter);
  // What stands under `from` since a quarter stands under `to` from here on. Twice, or by two gateways at once, is
  // once.
  struct Handover {
    uint64_t from = 0;
    uint64_t to = 0;
    int64_t quarter = 0;
  };
  base::Result<void> hand_over(std::span<const Handover> handovers);
  // Sorted by the columns asked for. A day is its number since 1970.
  base::Result<std::vector<ReportRow>> report(const ReportQuery& query);
  bool broken() const { return session_->broken(); }

  // A column's sum, which no type of the database may hold: two columns, its upper and its lower 32 bits summed up
  // apart. And what they come to, INT64_MAX at most.
  static std::string sum_sql(std::string_view column);
  static int64_t sum_of(const store::SqlRows& rows, size_t row, size_t column);

 private:
  explicit LedgerStore(std::unique_ptr<store::SqlSession> session) : session_(std::move(session)) {}

  std::unique_ptr<store::SqlSession> session_;
};

}  // namespace llmgw::control
