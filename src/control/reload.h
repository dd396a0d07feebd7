// Reloading: what a new file would change, decided whole before anything is applied. `plan_reload` is pure; `Reloader`
// is the thin shell that SIGHUP, the file watcher and the admin interface call. Control thread only.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admission/meter_table.h"
#include "control/config_loader.h"
#include "control/objects/object_merge.h"
#include "control/snapshot.h"

namespace llmgw::control {

struct ConfigDiff {
  std::string summary;  // "3 models added, 1 key removed, log.level changed"; "nothing changed"
  std::string shrunk;   // "12 of 14 models, 1 of 1 key": kinds that lost more than half of their objects; mostly empty
  bool empty = true;
};

// Objects are compared by name, models by name and connection. Names no secret's value.
ConfigDiff diff_configs(const Config& before, const Config& after);

// The settings that a process which started with one configuration cannot take from another: those whose row in the
// reference says that a change needs a restart, and "server.tls", TLS or none at all.
std::vector<std::string> restart_required(const Config& started, const Config& now);

struct ReloadPlan {
  Config config;  // the file's
  std::shared_ptr<const Snapshot> snapshot;
  ConfigDiff diff;
  std::vector<ObjectNote> notes = {};  // objects of the store that are not used, and why; or doubtful
};

// The snapshot of a file's configuration and, if there are any, the objects of the store.
struct MergedSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
  std::vector<ObjectNote> notes = {};
};
std::expected<MergedSnapshot, ConfigErrors> merge_snapshot(const Config& file, const StoredObjects* stored,
                                                           const Environment& environment, SnapshotInputs inputs);

// The new snapshot, or every reason why the running configuration stays. Settings that need a restart are in the new
// snapshot as written; whoever holds their effect (listeners, threads) keeps the old.
std::expected<ReloadPlan, ConfigErrors> plan_reload(const Config& running, std::string_view text,
                                                    const Environment& environment, const SnapshotInputs& inputs,
                                                    const StoredObjects* stored = nullptr);

// Reads a configuration file, at most kConfigBytesMax bytes. The error is a sentence.
std::expected<std::string, ConfigErrors> read_config_file(const std::string& path);

// Gives memory that parsing used back to the operating system.
void release_parse_memory();

class Reloader {
 public:
  // `created_default`: seconds since 1970, for models without `created`.
  Reloader(std::string path, int64_t created_default);

  // The first load. On success snapshot() is set; the caller does this before workers start.
  std::expected<void, ConfigErrors> load();
  // Reads the file again. On success snapshot() is the new one, to be handed to the workers whatever the diff says. The
  // diff names certificate files whose content is another, too. On failure nothing changed. A file that says nothing
  // any more, or that takes away the last connection, model or caller, fails unless that is `allowed`.
  enum class Emptying : uint8_t { refused, allowed };
  std::expected<ConfigDiff, ConfigErrors> reload(Emptying emptying = Emptying::refused);

  // The same file with what the store holds now. An error, which is about the file only, changes nothing.
  std::expected<void, ConfigErrors> apply(std::shared_ptr<const StoredObjects> stored);

  // The same with these engines, which registered themselves: connections and models as a store would have them.
  std::expected<void, ConfigErrors> apply_engines(std::vector<store::Object> engines);

  // The settings that are in force only with a new process: restart_required() of what load() read and what was read
  // last.
  std::vector<std::string> restart_required() const;

  // The configuration of the file alone, as it was last read.
  const std::shared_ptr<const Config>& file() const { return file_; }
  // Of the store alone, as it was last loaded.
  const std::shared_ptr<const StoredObjects>& stored() const { return stored_; }
  const std::vector<ObjectNote>& notes() const { return notes_; }
  const std::shared_ptr<const Snapshot>& snapshot() const { return snapshot_; }
  const std::string& path() const { return path_; }
  // Whether the file, as it was last read, has nothing but white space and comments.
  bool file_says_nothing() const { return file_says_nothing_; }
  // The file and all it refers to: what a FileWatcher should watch.
  std::vector<std::string> watched_files() const;

 private:
  using FileHashes = std::map<std::string, Hash128>;

  SnapshotInputs next_inputs();
  // Why this must not come into force without being asked for; empty: it may.
  std::string emptied(std::string_view text, const Snapshot& next) const;
  // Reads the certificate files that are in use again. Returns those that hold something else by now.
  std::vector<std::string> look_at_certificates();
  // Of the snapshot; those that are known already stay as they were when they were looked at.
  void learn_certificates();
  // The store's objects and the engines; null: there are none.
  static std::shared_ptr<const StoredObjects> with_engines(const std::shared_ptr<const StoredObjects>& stored,
                                                           const std::vector<store::Object>& engines);

  std::string path_;
  int64_t created_default_;
  SipKey hash_key_;
  admission::MeterTable meters_;           // what has been used of limits outlives a configuration
  std::shared_ptr<const Config> started_;  // its sections only, no objects; null until load()
  std::shared_ptr<const Config> file_;
  bool file_says_nothing_ = true;
  FileHashes certificates_;  // of snapshot_, by path
  uint64_t tls_files_version_ = 1;
  std::shared_ptr<const StoredObjects> stored_;
  std::vector<store::Object> engines_;
  std::vector<ObjectNote> notes_;
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace llmgw::control
