// Knows a gateway's store again when it is opened anew. A database that was emptied, and another one in its place, look
// like a new store. To make tables there would stand in the way of putting a copy back, and to take what is there would
// leave every key without its gateway. So open() makes a store only where none was known, and refuses one that has
// nothing of what was: a copy that is put back has something, however old it is. What was known outlives the process in
// the saved objects (saved_objects.h), for the same place. A gateway that is told to take what is there writes down in
// the audit log which store that is instead of, and others that knew the same follow. Blocking; one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "store/objects/object_store.h"

namespace llmgw::store {

class KnownStore {
 public:
  struct Settings {
    // Opens a session; makes a database's file only if it may.
    std::function<base::Result<std::unique_ptr<SqlSession>>(Making making)> connect;
    std::string saved_path = {};  // empty: nothing is saved
    std::string place = {};       // as in the saved objects
  };
  explicit KnownStore(Settings settings) : settings_(std::move(settings)) {}

  base::Result<ObjectStore> open();
  // Whether open() failed because the store was emptied, or another one is in its place: not_found.
  static bool refuses(const base::Error& error);

  // This was loaded from it: from here on it is known by that.
  void remember(const ObjectStore::Everything& everything);
  // The next open() takes what is there, makes what is not, and says there what was known instead.
  void forget();

 private:
  // Objects are never given another's id. The oldest ones tell enough: a gateway's store has one that is never removed
  // and made before all others, but for clocks that were wrong.
  static constexpr size_t kMarksMax = 8;
  struct Mark {
    std::string id;
    int64_t created_ms = 0;
  };

  base::Result<std::unique_ptr<ObjectStore>> open_what_is_there();
  base::Result<void> recall(ObjectStore* store);
  base::Result<bool> is_same(ObjectStore& store) const;
  // Whether somebody took this store instead of the known one, by an order.
  base::Result<bool> is_successor(ObjectStore& store) const;
  base::Result<ObjectStore> open_or_make();
  void write_down_what_was(ObjectStore& store);

  const Settings settings_;
  bool known_ = false;
  bool forgotten_ = false;      // by forget(): what is saved does not count either
  std::vector<Mark> marks_;     // empty: it had nothing that would be missed
  std::vector<Mark> given_up_;  // by forget(), until it is written down
};

}  // namespace llmgw::store
