// The last objects that were loaded, kept in a file of the data directory, for a start while the database is away.
// Documents are written as they are: secrets in them are encrypted. A file that is cut or changed is refused whole.
// Blocking; any thread.
#pragma once

#include <string>

#include "store/objects/object_store.h"

namespace llmgw::store {

// Larger than any store within the limits of a configuration; bounds what a broken file can cost.
inline constexpr size_t kSavedBytesMax = size_t{512} << 20;

// Replaces the file whole or not at all; readable by its owner only.
base::Result<void> save_objects(const std::string& path, const ObjectStore::Everything& everything);
// not_found: there is none. protocol: it is not whole.
base::Result<ObjectStore::Everything> read_saved_objects(const std::string& path);

// The file's bytes, pure.
std::string write_saved(const ObjectStore::Everything& everything);
base::Result<ObjectStore::Everything> parse_saved(std::string_view text);

}  // namespace llmgw::store
