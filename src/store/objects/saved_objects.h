// The last objects that were loaded, kept in a file of the data directory, for a start while the database is away, and
// to know the store again.
// Documents are written as they are: secrets in them are encrypted. A file that is cut or changed is refused whole.
// Blocking; any thread.
#pragma once

#include <string>

#include "store/objects/object_store.h"

namespace llmgw::store {

// Larger than any store within the limits of a configuration; bounds what a broken file can cost.
inline constexpr size_t kSavedBytesMax = size_t{512} << 20;

struct SavedObjects {
  std::string place;  // of the store, for people: without a password. Empty: an earlier version saved it
  ObjectStore::Everything everything;
};

// Replaces the file whole or not at all; readable by its owner only.
base::Result<void> save_objects(const std::string& path, std::string_view place,
                                const ObjectStore::Everything& everything);
// not_found: there is none. protocol: it is not whole.
base::Result<SavedObjects> read_saved_objects(const std::string& path);

// The file's bytes, pure.
std::string write_saved(std::string_view place, const ObjectStore::Everything& everything);
base::Result<SavedObjects> parse_saved(std::string_view text);

}  // namespace llmgw::store
