#include "control/objects/store_access.h"

#include <sys/stat.h>
#include <unistd.h>

#include <system_error>

#include "control/settings_binding.h"
#include "store/vault/key_ring.h"

namespace llmgw::control {
namespace {

constexpr const char* kSqliteFile = "objects.sqlite";
constexpr const char* kSavedFile = "objects.saved";
constexpr const char* kChannel = "llm_gateway_objects";

std::string describe(const base::Error& error) {
  std::string text = error.context;
  if (error.os_error != 0) text += ": " + std::generic_category().message(error.os_error);
  return text;
}

}  // namespace

std::expected<StoreAccess, std::string> StoreAccess::open(const StoreSettings& settings, const std::string& data_dir) {
  StoreAccess access;
  const std::string url(settings.url.value.reveal());
  if (url == kNoStore) return access;
  access.saved_path_ = data_dir + "/" + kSavedFile;
  if (url == kSqliteStore) {
    access.place_ = data_dir + "/" + kSqliteFile;
    access.connect_ = [path = access.place_] { return store::open_sqlite(path); };
  } else {
    access.place_ = without_user(url);
    access.connect_ = [url] { return store::open_postgres({.conninfo = url, .channel = kChannel}); };
  }
  if (settings.master_key.empty()) access.key_file_ = data_dir + "/" + store::kKeyRingFile;
  if (auto loaded = access.load_vault(settings); !loaded) {
    return std::unexpected("the master key of the store" +
                           (access.key_file_.empty() ? std::string() : " in " + access.key_file_) +
                           " cannot be used: " + describe(loaded.error()));
  }
  return access;
}

StoreAccess::FileMark StoreAccess::mark_of_key_file() const {
  struct stat status{};
  if (key_file_.empty() || stat(key_file_.c_str(), &status) != 0) return {};
  return {.inode = status.st_ino,
          .modified_ns = status.st_mtim.tv_sec * int64_t{1'000'000'000} + status.st_mtim.tv_nsec};
}

base::Result<void> StoreAccess::follow_key_file() {
  if (key_file_.empty() || mark_of_key_file() == key_file_mark_) return {};
  return load_vault({});
}

base::Result<void> StoreAccess::load_vault(const StoreSettings& settings) {
  // Before it is read: what is written meanwhile is read again at the next look.
  const FileMark mark = mark_of_key_file();
  auto keys =
      key_file_.empty() ? store::parse_keys(settings.master_key.reveal()) : store::read_key_file(key_file_, true);
  if (!keys) return base::fail(keys.error());
  TRY(vault, store::Vault::create(*keys));
  vault_ = std::make_shared<const store::Vault>(std::move(vault));
  key_file_mark_ = mark;
  return {};
}

base::Result<ObjectSecrets> StoreAccess::secrets(std::span<const store::Object> objects) {
  auto opened = open_secrets(vault_, objects);
  if (opened || key_file_.empty()) return opened;
  TRY_VOID(load_vault({}));
  return open_secrets(vault_, objects);
}

base::Result<void> StoreAccess::begin_rotation() {
  if (key_file_.empty()) return base::fail(base::ErrorCode::permission, "store.master_key is the configuration's");
  TRY(keys, store::read_key_file(key_file_, true));
  keys.insert(keys.begin(), store::random_secret(store::Vault::kKeyBytes));
  TRY_VOID(store::write_key_file(key_file_, keys));
  return load_vault({});
}

base::Result<void> StoreAccess::end_rotation() {
  TRY(keys, store::read_key_file(key_file_, false));
  keys.resize(1);
  TRY_VOID(store::write_key_file(key_file_, keys));
  return load_vault({});
}

base::Result<void> prepare_store(store::ObjectStore& store, const store::Vault& vault, int64_t now_ms) {
  TRY(there, store.get(kHashSecretId));
  if (there) return {};
  const store::ObjectChange change = make_hash_secret(vault);
  // Whoever was a moment faster has made it: taken.
  TRY_VOID(store.apply({&change, 1}, {}, now_ms));
  return {};
}

void give_to_owner(const std::string& data_dir) {
  struct stat owner{};
  if (geteuid() != 0 || stat(data_dir.c_str(), &owner) != 0 || owner.st_uid == 0) return;
  for (const char* name : {"objects.sqlite", "objects.sqlite-wal", "objects.sqlite-shm", store::kKeyRingFile}) {
    // Not there, or not ours to give: then the gateway says so when it needs it.
    static_cast<void>(!lchown((data_dir + "/" + name).c_str(), owner.st_uid, owner.st_gid));
  }
}

}  // namespace llmgw::control
