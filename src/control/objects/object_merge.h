// The objects of a store and the configuration file as one configuration. An object of the file hides one of the same
// name in the store. An object that cannot be used (its provider is gone, its secret does not open) is left out and
// noted, with all that cannot be without it: one bad row must not keep a gateway from serving the others.
// Control thread and command line.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "control/config.h"
#include "control/objects/object_document.h"
#include "control/setting_value.h"
#include "store/objects/object_store.h"
#include "store/vault/vault.h"

namespace llmgw::control {

// What opens and recognises the secrets of a store.
struct ObjectSecrets {
  std::shared_ptr<const store::Vault> vault;
  store::KeyHasher hasher;
};

// The store's own object: the secret that keys are hashed under, sealed. Made once, by whoever opens the store first.
inline constexpr std::string_view kHashSecretId = "internal_key_hash";
store::ObjectChange make_hash_secret(const store::Vault& vault);
// not_found: it is not among the objects.
base::Result<ObjectSecrets> open_secrets(std::shared_ptr<const store::Vault> vault,
                                         std::span<const store::Object> objects);

// A state of the store, with what reads it. Immutable once shared.
struct StoredObjects {
  int64_t revision = 0;
  std::vector<store::Object> objects;
  ObjectSecrets secrets;
};

// For objects without sealed fields, where there is no store: whatever opens them will do.
ObjectSecrets secrets_of_none();

// Ids of what an engine that registers itself brings, which no store has: its name follows, of models a number too.
inline constexpr std::string_view kEngineConnectionId = "conn_engine_";
inline constexpr std::string_view kEngineModelId = "mdl_engine_";

struct ObjectNote {
  std::string id;
  std::string kind;
  std::string name;
  std::string problem;   // why it is not used
  bool hidden = false;   // by an object of the file
  bool partial = false;  // it is used, but for this
  bool doubt = false;    // it is used, and may not mean what it says: see find_doubts
};

class ObjectMerger {
 public:
  // `file` has passed load_config in that environment.
  ObjectMerger(const Config& file, std::span<const store::Object> objects, const ObjectSecrets& secrets,
               const Environment& environment);
  ObjectMerger(const ObjectMerger&) = delete;
  ObjectMerger& operator=(const ObjectMerger&) = delete;

  // Checked as a whole.
  const Config& config() const { return merged_; }
  // Takes out the objects that these errors are about. False: they are about none.
  bool blame(const ConfigErrors& errors);
  // By age; whatever was left out.
  std::vector<ObjectNote> notes() const;
  // Of the objects that are used.
  std::vector<ObjectNote> doubts();

 private:
  struct Item {
    const store::Object* object;
    const ObjectKind* kind;
    std::string problem;
    std::string warning = {};
    bool hidden = false;
  };
  void read(const ObjectSecrets& secrets);
  void hide_those_of_the_file();
  void keep_engines_apart();
  void hide_keys_of_the_file(const store::KeyHasher& hasher);
  void trim_routes();
  void restrict_keys();
  void check();
  std::optional<ReferenceTarget> resolve(std::string_view id) const;
  Item* item_at(Location at);

  const Config& file_;
  Environment environment_;
  std::vector<Item> items_;
  std::unordered_map<std::string_view, size_t> by_id_;
  Config stored_;  // what could be read
  Config merged_;
};

}  // namespace llmgw::control
