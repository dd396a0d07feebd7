// The sums of the ledger in a database, and how far each segment is in them. What a transaction adds and the mark up to
// which it has read a segment are written together: every record is in the sums once, whatever ends when. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
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

// A step of a mark: on from the offset that the database is believed to have, 0 where it has none.
struct MarkMove {
  int64_t from = 0;
  SegmentMark to;
};

// The context of an error that is looked for.
inline constexpr char kMarksDiffer[] = "the database has other marks than were moved on from";

// What the sums have of a quarter of an hour.
struct QuarterTotals {
  int64_t calls = 0;
  int64_t nano_dollars = 0;
  int64_t charged = 0;  // by budgets; a call that three have paid counts three times
};

// What the sums have of all gateways, and what their marks say was summed up, at one moment.
struct LedgerTotals {
  int64_t calls = 0;
  int64_t nano_dollars = 0;
  int64_t records = 0;
  int64_t read_nano_dollars = 0;
  // Those of forgotten segments are among the latter. Databases that an older version made do not know of them: their
  // sums may have more.
  bool of_all_segments = false;
};

// What a report sums by. `tags` are all tags of a record together, `tag` each of them: a record with three tags counts
// in three rows, one without any in that of no name.
enum class ReportColumn : uint8_t {
  day,
  organization,
  team,
  user,
  key,
  model,
  provider,
  connection,
  tags,
  tag,
  end_user,
};
inline constexpr size_t kReportColumns = 11;
std::string_view to_string(ReportColumn column);
// Those that a call belongs to, which may be objects of the store and are told apart by their ids: organization, team,
// user, key. Models, providers and connections go by the names that they had when a call ended.
bool is_owner(ReportColumn column);

// The owners that are in the objects' store now, by id.
struct PresentOwner {
  ReportColumn kind;
  std::string name;
};
using PresentOwners = std::unordered_map<std::string, PresentOwner>;

struct ReportRow {
  std::vector<std::string> names;  // in the order asked for; of owners as they are called now, or were last
  RollupSums sums;
  struct Owner {
    std::string id = {};  // empty: no owner, or one of the file, or of records that have no ids
    bool gone = false;    // the store has it no more
    auto operator<=>(const Owner&) const = default;
  };
  std::vector<Owner> owners = {};  // one for each name
};
// A row's names for people, with the ids of owners that are gone and of those whose name another one of the rows has.
std::vector<std::vector<std::string>> names_for_people(const std::vector<ReportRow>& rows);

// Only calls with this name, or with it among their tags; not by day.
struct ReportFilter {
  ReportColumn column;
  // Of an owner its id; or its name: that means the one that has it now, and where none has, all that had it last,
  // with what stands under the name in records that have no ids.
  std::string value;
  // The value is what the sums have: an id, or the name of an owner of the file, and nobody else's.
  bool exact = false;
};

struct ReportQuery {
  std::vector<ReportColumn> by;
  int64_t from_quarter = 0;
  int64_t to_quarter = INT64_MAX;  // not included
  std::vector<ReportFilter> where = {};
  std::shared_ptr<const base::TimeZone> zone = nullptr;  // whose days are meant; null: UTC
  // Of the kinds in `by` and `where`. Null: nobody knows, and owners are called as they were last.
  std::shared_ptr<const PresentOwners> present = nullptr;
};

class LedgerStore {
 public:
  // Clients choose the names of end users: of more than these in a quarter of an hour, and a process, the others' calls
  // stand under no name, so that nobody fills up the database.
  static constexpr size_t kEndUsersMax = 10'000;

  // Makes the tables where there are none.
  static base::Result<LedgerStore> open(std::unique_ptr<store::SqlSession> session);

  // Adds the sums and moves the marks on, or does nothing. Of the rollup's batches those that nobody has charged yet go
  // into its sums, as those of whoever made them, where that is known, else of who looked. They are the result: the
  // rest of them is in no sum. kMarksDiffer: the database has others than the moves begin at, since a copy of it was
  // put back, or somebody else has summed up the same; who asks for them anew can go on.
  base::Result<std::vector<RollupPart>> add(Rollup& rollup, std::span<const MarkMove> moves);
  base::Result<std::optional<SegmentMark>> mark(std::string_view segment);
  base::Result<std::vector<SegmentMark>> marks();
  // Of these segments, those that have one.
  base::Result<std::vector<SegmentMark>> marks(std::span<const std::string> segments);
  // For a segment whose file is gone: of its mark only what it adds to the totals is kept.
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
  // Records of 2026 have no ids: whose name a name was, since a quarter. From then on, and up to `until`, what stands
  // under the name is the holder's in reports, whatever it is called later. Once for a database: afterwards nothing.
  struct Holder {
    ReportColumn kind;
    std::string name;
    std::string id;
    int64_t since = 0;
  };
  base::Result<void> note_holders(std::span<const Holder> holders, int64_t until);
  // Sorted by the columns asked for. A day is its number since 1970.
  base::Result<std::vector<ReportRow>> report(const ReportQuery& query);
  base::Result<std::map<int64_t, QuarterTotals>> quarters();
  base::Result<LedgerTotals> totals();
  bool broken() const { return session_->broken(); }

  // A column's sum, which no type of the database may hold: two columns, its upper and its lower 32 bits summed up
  // apart. And what they come to, INT64_MAX at most.
  static std::string sum_sql(std::string_view column);
  static int64_t sum_of(const store::SqlRows& rows, size_t row, size_t column);

 private:
  // In the place of a segment's name, with the sums of all that were forgotten.
  static constexpr std::string_view kForgottenSegments = "forgotten";
  // The same, below zero: records of batches that segments count and the sums do not, as those were in them before.
  static constexpr std::string_view kRepeatedBatches = "repeated batches";

  explicit LedgerStore(std::unique_ptr<store::SqlSession> session) : session_(std::move(session)) {}
  base::Result<std::vector<std::string>> owners_called(const ReportFilter& filter, const PresentOwners& present);
  base::Result<void> name_owners(const ReportQuery& query, std::vector<ReportRow>& rows);
  base::Result<void> move_marks(std::span<const MarkMove> moves);
  bool takes_end_user(int64_t quarter, const std::string& end_user);
  base::Result<std::vector<RollupPart>> take_batches(Rollup& rollup);
  base::Result<void> note_makers(const Rollup& rollup);
  base::Result<void> note_repeated(const Rollup& rollup, const std::vector<RollupPart>& taken);
  base::Result<void> give_to_maker(RollupPart& batch);
  // Statements are sent by the hundred: a database elsewhere then takes a round trip for them all. Nothing is, as long
  // as they are fewer than `enough`.
  static constexpr size_t kStatementsAtOnce = 256;
  base::Result<void> run_some(std::vector<store::SqlStatement>& statements, size_t enough);

  std::unique_ptr<store::SqlSession> session_;
  int64_t end_users_quarter_ = 0;                               // the newest seen
  std::unordered_set<std::string> end_users_{};                 // in it
  std::unordered_map<std::string, std::string> written_names_;  // by id, of this session: they seldom change
};

}  // namespace llmgw::control
