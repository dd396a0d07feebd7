// How a gateway or the command line gets at its store: what [store] says, in the gateway's data directory. Blocking.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "control/config.h"
#include "control/objects/object_merge.h"
#include "store/objects/object_store.h"
#include "store/sql/session.h"
#include "store/vault/vault.h"

namespace llmgw::control {

class StoreAccess {
 public:
  // Reads the master key. One that the configuration does not name may not be there yet: prepare() makes it. The error
  // is a sentence that says what to do.
  static std::expected<StoreAccess, std::string> open(const StoreSettings& settings, const std::string& data_dir);

  // False with store.url = "none".
  bool any() const { return static_cast<bool>(connect_); }
  // Opens a session; makes the file of an SQLite database if it may. Any thread.
  base::Result<std::unique_ptr<store::SqlSession>> connect(store::Making making) const { return connect_(making); }
  // What must be in a store before anything else is: its own object, and the master key that seals it. A key is made
  // for a store that has nothing sealed yet, and never beside one that has: the new key would open nothing there.
  base::Result<void> prepare(store::ObjectStore& store, int64_t now_ms);
  // For people: "/var/lib/llm-gateway/objects.sqlite" or a URL without its password.
  const std::string& place() const { return place_; }
  const std::string& saved_path() const { return saved_path_; }

  // What opens the secrets of these objects. Looks at the master key's file again where it has changed meanwhile.
  base::Result<ObjectSecrets> secrets(std::span<const store::Object> objects);
  // Why secrets() failed, and what to do: sentences for the operator.
  std::string explain(const base::Error& error) const;
  // Null while there is no master key.
  std::shared_ptr<const store::Vault> vault() const { return vault_; }
  // Whether the master key is a file of this program, which it may replace.
  bool owns_master_key() const { return !key_file_.empty(); }
  // Whether that file is not there. Any thread.
  bool key_file_gone() const;
  // Reads that file again where another process has replaced it since: nothing more is sealed under the old key.
  base::Result<void> follow_key_file();

  // Gateways on the database that several share know of each other (store/objects/gateway_list.h); of a file of the
  // data directory there is nobody else to tell.
  void enter(store::ObjectStore& store, std::string_view instance) const;
  void leave(store::ObjectStore& store, std::string_view instance) const;
  // Host and path of this program's own master key; empty: the configuration has the keys. Whoever names the same one
  // reads it again when it is replaced.
  std::string key_place() const;

  // The master keys: a new one in front of those there are, or (done) without those. permission: they do not stand in a
  // file of this program.
  base::Result<void> begin_rotation();
  base::Result<void> end_rotation();

 private:
  // Tells one state of a file from another.
  struct FileMark {
    uint64_t inode = 0;
    int64_t modified_ns = 0;
    bool operator==(const FileMark&) const = default;
  };
  base::Result<void> load_vault(const StoreSettings& settings, bool create = false);
  FileMark mark_of_key_file() const;

  std::function<base::Result<std::unique_ptr<store::SqlSession>>(store::Making)> connect_;
  std::string place_;
  bool shared_ = false;  // by several gateways
  std::string saved_path_;
  std::string key_file_;  // empty: the key is the configuration's
  FileMark key_file_mark_;
  std::shared_ptr<const store::Vault> vault_;  // null: key_file_ is not there yet, or no more
};

// The objects for who reads only what is no secret: without the master key. Nothing: there is no store, or none yet.
base::Result<std::optional<store::ObjectStore>> open_objects(const StoreSettings& settings,
                                                             const std::string& data_dir);

// Makes the store's own object where it is not there yet: needed before anything else is written.
base::Result<void> prepare_store(store::ObjectStore& store, const store::Vault& vault, int64_t now_ms);

// The store's files that root made belong to the data directory's owner, as whom the gateway runs.
void give_to_owner(const std::string& data_dir);

}  // namespace llmgw::control
