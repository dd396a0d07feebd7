#include "app/objects/object_client.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <system_error>

#include "app/process/control_client.h"
#include "app/service/config_path.h"
#include "app/service/process_setup.h"
#include "app/service/status.h"
#include "base/text.h"
#include "control/config_loader.h"
#include "control/objects/store_access.h"
#include "control/reload.h"
#include "http/fetch.h"
#include "net/tls.h"
#include "store/objects/known_store.h"
#include "store/sql/postgres_message.h"

namespace llmgw::app {
namespace {

using admin::ApiAnswer;
using Called = std::expected<ApiAnswer, std::string>;

constexpr base::Duration kRefreshLimit = std::chrono::seconds(20);
constexpr base::Duration kStatusLimit = std::chrono::seconds(5);
constexpr base::Duration kRemoteLimit = std::chrono::seconds(60);
constexpr size_t kSecretBytesMax = 64 * 1024;

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(base::real_wall_now().time_since_epoch()).count();
}

std::string describe(const base::Error& error) {
  std::string text = error.context;
  if (text.empty()) text = base::to_string(error.code);
  if (error.os_error != 0) text += ": " + std::generic_category().message(error.os_error);
  return text;
}

// Why the store did not open, and what to look at.
std::string describe_store(const control::StoreAccess& access, const base::Error& error) {
  std::string text = "the store at " + access.place() + ": ";
  if (store::KnownStore::refuses(error)) {
    return text + error.context + ". Put the copy back that was kept of it; if a new store is meant: `llm-gateway " +
           "reload --force`, or, where no gateway runs, remove " + access.saved_path();
  }
  if (error.context == store::kReadOnlyDatabase) return text + error.context;
  switch (error.code) {
    case base::ErrorCode::exhausted: return text + "there is no room left on its disk";
    case base::ErrorCode::permission: return text + "it may not be read or written by this user";
    case base::ErrorCode::unsupported: return text + "a newer llm-gateway made it";
    case base::ErrorCode::refused:
    case base::ErrorCode::deadline_exceeded:
      text += error.code == base::ErrorCode::refused ? "it cannot be reached" : "it does not answer";
      if (const std::string said = store::last_postgres_message(); !said.empty()) text += ": " + said;
      return text + "\nstore.url in the configuration says where it is";
    default: break;
  }
  text += describe(error);
  if (error.os_error == 0) text += " (" + std::string(base::to_string(error.code)) + ")";
  return text + "; it is damaged, or no database of this program";
}

std::string who() {
  const passwd* const user = getpwuid(getuid());
  const std::string name = user != nullptr ? user->pw_name : "uid " + std::to_string(getuid());
  return "command line (" + name + ")";
}

class LocalClient final : public ObjectClient {
 public:
  LocalClient(control::Config file, control::Environment environment, control::StoreAccess access,
              store::ObjectStore store)
      : file_(std::move(file)),
        environment_(std::move(environment)),
        access_(std::move(access)),
        store_(std::move(store)) {}

  Called call(std::string_view method, const std::string& path, const std::string& body,
              const std::string& if_match) override {
    auto secrets = load_secrets();
    if (!secrets) return std::unexpected(std::move(secrets).error());
    if (path == "secrets/rotate") {
      if (std::string problem = gateway_without_key(*secrets->vault); !problem.empty()) return std::unexpected(problem);
    }
    const size_t mark = path.find('?');
    ApiAnswer answer = admin::handle_objects(
        {store_, file_, *secrets, environment_, &access_, shows_objects(method, path) ? unused(*secrets) : nullptr},
        {.method = http::method_of(method),
         .path = std::string(admin::kApiRoot) + path.substr(0, mark),
         .query = mark == std::string::npos ? std::string() : path.substr(mark + 1),
         .body = body,
         .if_match = if_match,
         .actor = {.name = who(), .role = admin::AdminRole::owner, .team = {}, .address = {}},
         .now_ms = now_ms()});
    control::give_to_owner(file_.server.data_dir);
    if (answer.changed) refresh();
    if (answer.rest) answer = answer.rest({});
    return answer;
  }

 private:
  std::expected<control::ObjectSecrets, std::string> load_secrets() {
    auto internal = store_.get(control::kHashSecretId);
    if (!internal) return std::unexpected("the store cannot be read: " + describe(internal.error()));
    std::vector<store::Object> objects;
    if (*internal) objects.push_back(std::move(**internal));
    auto secrets = access_.secrets(objects);
    if (!secrets) return std::unexpected(access_.explain(secrets.error()));
    return std::move(*secrets);
  }

  static bool shows_objects(std::string_view method, const std::string& path) {
    const std::string_view plural = std::string_view(path).substr(0, path.find_first_of("/?"));
    return method == "GET" && control::find_kind_by_plural(plural) != nullptr;
  }

  // As a gateway of this configuration would leave them out. Pages of one list are of one state of the store, mostly.
  const admin::Unused* unused(const control::ObjectSecrets& secrets) {
    const auto revision = store_.revision();
    if (!revision) return nullptr;
    if (*revision == unused_revision_) return &unused_;
    auto everything = store_.load_all();
    if (!everything) return nullptr;
    const control::StoredObjects stored{
        .revision = everything->revision, .objects = std::move(everything->objects), .secrets = secrets};
    const auto merged = control::merge_snapshot(file_, &stored, environment_, {});
    if (!merged) return nullptr;
    unused_ = admin::unused_of(merged->notes);
    unused_revision_ = stored.revision;
    return &unused_;
  }

  // What is sealed under a key of the configuration a gateway could not read that was started before the key was
  // there: it would go on with what it has, whatever is blocked or removed from then on. A key of the program's own
  // file it reads itself.
  std::string gateway_without_key(const store::Vault& vault) const {
    if (access_.owns_master_key()) return {};
    const auto status = process::control_call(file_.server.data_dir, "status", kStatusLimit);
    if (!status) {
      if (status.error().code == base::ErrorCode::refused) return {};  // none runs here
      return "the gateway that runs on this store does not say which master key it has: " + describe(status.error()) +
             "; nothing was sealed anew";
    }
    const std::string own = master_key_of(*status);
    if (own.empty() || own == vault.sealing_key_id()) return {};
    return "the gateway that runs on this store was started with another store.master_key, and could not read what is "
           "sealed under the new one; nothing was sealed anew. Restart it first (`llm-gateway upgrade`, or a restart "
           "where the key is a variable of its environment), and every other gateway on this store, then rotate";
  }

  // A gateway that runs on this store serves the change before the command returns.
  void refresh() const {
    const auto reply = process::control_call(file_.server.data_dir, "refresh", kRefreshLimit);
    if (!reply) {
      if (reply.error().code == base::ErrorCode::refused) return;
      std::cerr << "llm-gateway: the change is stored; the running gateway did not say that it took it: "
                << describe(reply.error()) << "\n";
      return;
    }
    const auto answer = read_answer(*reply);
    if (answer && !answer->ok) std::cerr << "llm-gateway: the change is stored, but: " << answer->message << "\n";
  }

  control::Config file_;
  control::Environment environment_;
  control::StoreAccess access_;
  store::ObjectStore store_;
  admin::Unused unused_;
  int64_t unused_revision_ = -1;  // of the store that they are of
};

class RemoteClient final : public ObjectClient {
 public:
  RemoteClient(std::string url, base::Secret key, std::string ca_file)
      : url_(std::move(url)), key_(std::move(key)), ca_file_(std::move(ca_file)) {
    while (url_.ends_with('/')) url_.pop_back();
  }

  Called call(std::string_view method, const std::string& path, const std::string& body,
              const std::string& if_match) override {
    http::FetchRequest request{.method = std::string(method), .url = url_ + std::string(admin::kApiRoot) + path};
    request.authorization = base::Secret("Bearer " + std::string(key_.reveal()));
    request.headers = {{"accept", "application/json"}};
    if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
    if (!if_match.empty()) request.headers.emplace_back("if-match", if_match);
    request.body = body;
    request.ca_file = ca_file_;
    auto answer = http::fetch_and_wait(std::move(request), kRemoteLimit);
    if (!answer) {
      std::string text = url_ + " does not answer: " + describe(answer.error());
      if (answer.error().code == base::ErrorCode::tls) text += ": " + std::string(net::last_tls_error());
      return std::unexpected(std::move(text));
    }
    return ApiAnswer{
        .status = answer->status, .body = std::move(answer->body), .etag = std::string(answer->header("etag"))};
  }

 private:
  std::string url_;
  base::Secret key_;
  std::string ca_file_;
};

using Opened = std::expected<std::unique_ptr<ObjectClient>, ClientFault>;

std::unexpected<ClientFault> written_wrong(std::string message) {
  return std::unexpected(ClientFault{.message = std::move(message)});
}

std::unexpected<ClientFault> unreachable(std::string message) {
  return std::unexpected(ClientFault{.message = std::move(message), .unreachable = true});
}

Opened open_local(const std::string& option) {
  const auto path = choose_config_path(option, real_path_environment());
  if (!path) return written_wrong(path.error() + "\nor name a gateway's address: --url, --admin-key");
  auto text = control::read_config_file(path->path);
  if (!text) return written_wrong(control::format_errors(text.error(), path->path));
  auto environment = control::real_environment(path->path);
  auto file = control::load_config(*text, environment);
  if (!file) return written_wrong(control::format_errors(file.error(), path->path));
  if (std::string problem = make_data_dir(file->server.data_dir); !problem.empty()) return unreachable(problem);
  auto access = control::StoreAccess::open(file->store, file->server.data_dir);
  if (!access) return unreachable(std::move(access).error());
  if (!access->any()) {
    return written_wrong(path->path + " says store.url = \"none\": there is no store; write objects into that file");
  }
  store::KnownStore known({.connect = [&access](store::Making making) { return access->connect(making); },
                           .saved_path = access->saved_path(),
                           .place = access->place()});
  auto store = known.open();
  if (!store) return unreachable(describe_store(*access, store.error()));
  if (auto prepared = access->prepare(*store, now_ms()); !prepared) {
    return unreachable(describe_store(*access, prepared.error()));
  }
  control::give_to_owner(file->server.data_dir);
  return std::make_unique<LocalClient>(std::move(*file), std::move(environment), std::move(*access), std::move(*store));
}

}  // namespace

std::expected<std::string, std::string> read_secret_argument(const std::string& text) {
  std::string value;
  if (text == "-") {
    std::getline(std::cin, value);
  } else if (text.starts_with("env:")) {
    const char* const found = std::getenv(text.c_str() + 4);
    if (found == nullptr) return std::unexpected("environment variable " + text.substr(4) + " is not set");
    value = found;
  } else if (text.starts_with("file:")) {
    std::ifstream file(text.substr(5), std::ios::binary);
    if (!file) return std::unexpected("file " + text.substr(5) + " cannot be read");
    value.resize(kSecretBytesMax);
    file.read(value.data(), static_cast<std::streamsize>(value.size()));
    value.resize(static_cast<size_t>(file.gcount()));
  } else {
    return text;
  }
  while (value.ends_with('\n') || value.ends_with('\r')) value.pop_back();
  if (value.empty()) return std::unexpected(text + " is empty");
  return value;
}

Opened open_client(const StoreTarget& target) {
  if (target.url.empty()) return open_local(target.config);
  if (target.admin_key.empty()) {
    return written_wrong("--url needs an admin key: --admin-key env:NAME, or $LLM_GATEWAY_ADMIN_KEY");
  }
  auto key = read_secret_argument(target.admin_key);
  if (!key) return written_wrong("--admin-key: " + key.error());
  if (const auto url = http::parse_url(target.url); !url) {
    return written_wrong("--url: " + std::string(url.error().context));
  }
  return std::make_unique<RemoteClient>(target.url, base::Secret(*key), target.ca_file);
}

}  // namespace llmgw::app
