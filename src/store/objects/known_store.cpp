#include "store/objects/known_store.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <tuple>

#include "base/time.h"
#include "store/objects/saved_objects.h"

namespace llmgw::store {
namespace {

constexpr char kEmptied[] = "it was emptied or taken away";
constexpr char kAnother[] = "it was emptied, or another store is in its place: nothing is there of what it had";
// The store's own object, which is there before anything else, and may be made again.
constexpr size_t kOwnObjects = 1;
// The audit entry of a store that is taken instead of another.
constexpr char kTaken[] = "take";
constexpr char kStore[] = "store";
constexpr size_t kTakenAmongNewest = ObjectStore::kPageMax;  // of the audit log; those who follow do so within seconds

// The id alone would not do: a store's own object has the same in all of them.
std::string in_json(std::string_view id, int64_t created_ms) {
  return R"({"id":")" + std::string(id) + R"(","created_ms":)" + std::to_string(created_ms) + "}";
}

}  // namespace

bool KnownStore::refuses(const base::Error& error) {
  return error.context == kEmptied || error.context == kAnother;
}

// Null: there are no tables, or no file.
base::Result<std::unique_ptr<ObjectStore>> KnownStore::open_what_is_there() {
  auto session = settings_.connect(Making::refused);
  if (!session && session.error().context == kNoFile) return nullptr;
  if (!session) return base::fail(session.error());
  auto store = ObjectStore::open(std::move(*session), Making::refused);
  if (!store && store.error().context == ObjectStore::kNoTables) return nullptr;
  if (!store) return base::fail(store.error());
  return std::make_unique<ObjectStore>(std::move(*store));
}

// What was saved is read only where there is next to nothing: it may be long.
base::Result<void> KnownStore::recall(ObjectStore* store) {
  if (store != nullptr) {
    TRY(count, store->count(kOwnObjects + 1));
    if (count > kOwnObjects) return {};
  }
  if (settings_.saved_path.empty()) return {};
  const auto saved = read_saved_objects(settings_.saved_path);
  // Where the configuration names another place, a new store is meant.
  const bool of_this = saved && !saved->place.empty() && saved->place == settings_.place;
  if (of_this && saved->everything.objects.size() > kOwnObjects) remember(saved->everything);
  return {};
}

base::Result<bool> KnownStore::is_same(ObjectStore& store) const {
  for (const Mark& mark : marks_) {
    TRY(found, store.get(mark.id));
    if (found && found->created_ms == mark.created_ms) return true;
  }
  return marks_.empty();
}

base::Result<bool> KnownStore::is_successor(ObjectStore& store) const {
  TRY(entries, store.audit(0, kTakenAmongNewest));
  return std::ranges::any_of(entries, [this](const AuditEntry& entry) {
    if (entry.action != kTaken || entry.kind != kStore) return false;
    return std::ranges::any_of(
        marks_, [&](const Mark& mark) { return entry.detail.contains(in_json(mark.id, mark.created_ms)); });
  });
}

// What cannot be written now, as into a database that is read-only, is written when it is opened the next time.
void KnownStore::write_down_what_was(ObjectStore& store) {
  if (given_up_.empty()) return;
  std::string ids;
  for (const Mark& mark : given_up_) ids += (ids.empty() ? "" : ",") + in_json(mark.id, mark.created_ms);
  const auto written =
      store.append_audit({.at_ms = base::real_wall_now().time_since_epoch() / std::chrono::milliseconds(1),
                          .actor = "llm-gateway reload --force",
                          .action = kTaken,
                          .kind = kStore,
                          .detail = R"({"instead_of":[)" + ids + "]}"});
  if (written) given_up_.clear();
}

base::Result<ObjectStore> KnownStore::open() {
  auto store = open_or_make();
  if (store) write_down_what_was(*store);
  return store;
}

base::Result<ObjectStore> KnownStore::open_or_make() {
  TRY(there, open_what_is_there());
  if (!known_ && !forgotten_) TRY_VOID(recall(there.get()));
  if (known_ && there == nullptr) return base::fail(base::ErrorCode::not_found, kEmptied);
  if (there == nullptr) {
    TRY(session, settings_.connect(Making::allowed));
    return ObjectStore::open(std::move(session), Making::allowed);
  }
  TRY(same, is_same(*there));
  if (!same) {
    TRY(instead, is_successor(*there));
    if (!instead) return base::fail(base::ErrorCode::not_found, kAnother);
  }
  return std::move(*there);
}

void KnownStore::remember(const ObjectStore::Everything& everything) {
  known_ = true;
  forgotten_ = false;
  marks_.clear();
  if (everything.objects.size() <= kOwnObjects) return;
  std::vector<const Object*> oldest;
  oldest.reserve(everything.objects.size());
  for (const Object& each : everything.objects) oldest.push_back(&each);
  const auto end = oldest.begin() + static_cast<ptrdiff_t>(std::min(kMarksMax, oldest.size()));
  std::ranges::partial_sort(oldest, end, [](const Object* a, const Object* b) {
    return std::tie(a->created_ms, a->id) < std::tie(b->created_ms, b->id);
  });
  for (auto each = oldest.begin(); each != end; ++each) marks_.push_back({(*each)->id, (*each)->created_ms});
}

void KnownStore::forget() {
  known_ = false;
  forgotten_ = true;
  if (!marks_.empty()) given_up_ = std::move(marks_);
  marks_.clear();
}

}  // namespace llmgw::store
