#include "store/objects/known_store.h"

#include <algorithm>
#include <optional>
#include <tuple>

#include "store/objects/saved_objects.h"

namespace llmgw::store {
namespace {

constexpr char kEmptied[] = "it was emptied or taken away";
constexpr char kAnother[] = "it was emptied, or another store is in its place: nothing is there of what it had";
// The store's own object, which is there before anything else, and may be made again.
constexpr size_t kOwnObjects = 1;

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

base::Result<ObjectStore> KnownStore::open() {
  TRY(there, open_what_is_there());
  if (!known_ && !forgotten_) TRY_VOID(recall(there.get()));
  if (known_ && there == nullptr) return base::fail(base::ErrorCode::not_found, kEmptied);
  if (there == nullptr) {
    TRY(session, settings_.connect(Making::allowed));
    return ObjectStore::open(std::move(session), Making::allowed);
  }
  TRY(same, is_same(*there));
  if (!same) return base::fail(base::ErrorCode::not_found, kAnother);
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
  marks_.clear();
}

}  // namespace llmgw::store
