#include "control/objects/store_access.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <system_error>

#include "control/settings_binding.h"
#include "store/objects/gateway_list.h"
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

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "?";
}

std::string sqlite_file(const std::string& data_dir) {
  return data_dir + "/" + kSqliteFile;
}

std::function<base::Result<std::unique_ptr<store::SqlSession>>(store::Making)> connector(const std::string& url,
                                                                                         const std::string& data_dir) {
  if (url == kSqliteStore) {
    return [path = sqlite_file(data_dir)](store::Making making) { return store::open_sqlite(path, making); };
  }
  return [url](store::Making) { return store::open_postgres({.conninfo = url, .channel = kChannel}); };
}

}  // namespace

base::Result<std::optional<store::ObjectStore>> open_objects(const StoreSettings& settings,
                                                             const std::string& data_dir) {
  const std::string url(settings.url.value.reveal());
  if (url == kNoStore) return std::optional<store::ObjectStore>();
  // Who only reads makes no database.
  auto session = connector(url, data_dir)(store::Making::refused);
  if (!session && session.error().context == store::kNoFile) return std::optional<store::ObjectStore>();
  if (!session) return base::fail(session.error());
  auto objects = store::ObjectStore::open(std::move(*session), store::Making::refused);
  if (!objects && objects.error().context == store::ObjectStore::kNoTables) return std::optional<store::ObjectStore>();
  if (!objects) return base::fail(objects.error());
  return std::optional(std::move(*objects));
}

std::expected<StoreAccess, std::string> StoreAccess::open(const StoreSettings& settings, const std::string& data_dir) {
  StoreAccess access;
  const std::string url(settings.url.value.reveal());
  if (url == kNoStore) return access;
  access.saved_path_ = data_dir + "/" + kSavedFile;
  access.place_ = url == kSqliteStore ? sqlite_file(data_dir) : without_user(url);
  access.connect_ = connector(url, data_dir);
  access.shared_ = url != kSqliteStore;
  if (settings.master_key.empty()) access.key_file_ = data_dir + "/" + store::kKeyRingFile;
  auto loaded = access.load_vault(settings);
  const bool none_yet = !loaded && !access.key_file_.empty() && loaded.error().os_error == ENOENT;
  if (!loaded && !none_yet) {
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

bool StoreAccess::key_file_gone() const {
  return !key_file_.empty() && ::access(key_file_.c_str(), F_OK) != 0 && errno == ENOENT;
}

base::Result<void> StoreAccess::follow_key_file() {
  if (key_file_.empty() || mark_of_key_file() == key_file_mark_) return {};
  return load_vault({});
}

base::Result<void> StoreAccess::load_vault(const StoreSettings& settings, bool create) {
  // Before it is read: what is written meanwhile is read again at the next look.
  const FileMark mark = mark_of_key_file();
  auto keys =
      key_file_.empty() ? store::parse_keys(settings.master_key.reveal()) : store::read_key_file(key_file_, create);
  if (!keys) return base::fail(keys.error());
  TRY(vault, store::Vault::create(*keys));
  vault_ = std::make_shared<const store::Vault>(std::move(vault));
  key_file_mark_ = mark;
  return {};
}

base::Result<void> StoreAccess::prepare(store::ObjectStore& store, int64_t now_ms) {
  TRY(there, store.get(kHashSecretId));
  if (there) return {};  // whether the key opens it is seen by who needs it
  if (vault_ == nullptr) TRY_VOID(load_vault({}, true));
  return prepare_store(store, *vault_, now_ms);
}

std::string StoreAccess::explain(const base::Error& error) const {
  const std::string store = "the store at " + place_;
  if (key_file_.empty()) {
    if (error.code != base::ErrorCode::not_found) return store + " cannot be read: " + describe(error);
    return store +
           " is sealed under another master key than store.master_key; put the right one there, from the copy " +
           "that was kept of it, in front of or behind this one, separated by a comma";
  }
  // The first gateway on a shared database may have made the key, in a file of its own.
  if (shared_ && (error.code == base::ErrorCode::not_found || key_file_gone())) {
    return store + " is sealed under a master key that is not here" +
           (key_file_gone() ? " (there is no " + key_file_ + ")" : " (" + key_file_ + " has another)") +
           ": gateways on one database share it. Set store.master_key to that of the others, or to the text of the "
           "file " +
           std::string(store::kKeyRingFile) + " in the data_dir of the one that was first";
  }
  const std::string remedy = "; put the copy back that was kept of it. Without it the store's credentials and keys " +
                             std::string("are lost: to begin anew, move the store and ") + saved_path_ +
                             " away and start again";
  if (key_file_gone()) {
    return store + " is sealed under a master key, and " + key_file_ + ", which had it, is not there" + remedy;
  }
  if (error.code != base::ErrorCode::not_found) return store + " cannot be read: " + describe(error);
  return store + " is sealed under another master key than the one in " + key_file_ + remedy;
}

base::Result<ObjectSecrets> StoreAccess::secrets(std::span<const store::Object> objects) {
  if (vault_ == nullptr) TRY_VOID(load_vault({}));
  auto opened = open_secrets(vault_, objects);
  if (opened || key_file_.empty()) return opened;
  TRY_VOID(load_vault({}));
  return open_secrets(vault_, objects);
}

std::string StoreAccess::key_place() const {
  return key_file_.empty() ? std::string() : host_name() + ":" + key_file_;
}

// Who cannot enter is not known to others, and serves all the same.
void StoreAccess::enter(store::ObjectStore& store, std::string_view instance) const {
  if (store.session().kind() == store::SqlSession::Kind::sqlite) return;
  const store::GatewayEntry gateway{.instance = std::string(instance),
                                    .host = host_name() + " (process " + std::to_string(::getpid()) + ")",
                                    .key_file = key_place(),
                                    .key_ids = vault_ != nullptr ? vault_->key_ids() : std::vector<std::string>()};
  static_cast<void>(store::enter_gateway(store.session(), gateway));
}

void StoreAccess::leave(store::ObjectStore& store, std::string_view instance) const {
  if (store.session().kind() == store::SqlSession::Kind::sqlite) return;
  static_cast<void>(store::leave_gateway(store.session(), instance));
}

base::Result<void> StoreAccess::begin_rotation() {
  if (key_file_.empty()) return base::fail(base::ErrorCode::permission, "store.master_key is the configuration's");
  TRY(keys, store::read_key_file(key_file_, false));
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
