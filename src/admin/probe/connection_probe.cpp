#include "admin/probe/connection_probe.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/temporary_directory.h"
#include "control/ledger/ledger.h"
#include "control/settings.h"
#include "control/snapshot.h"
#include "gateway/gateway.h"
#include "http/fetch.h"
#include "json/writer.h"
#include "routing/pattern.h"
#include "store/vault/key_hash.h"

namespace llmgw::admin {
namespace {

constexpr int kTokensMax = 16;  // the fewest that all providers allow

// Nothing but the connection, one name for a model on it, and one key.
control::Config probe_config(const control::Config& config, const control::ConnectionConfig& connection,
                             const std::string& data_dir, const base::Secret& key) {
  control::Config probe = config;
  probe.server.listen = {"127.0.0.1:0"};
  probe.server.admin_listen.clear();
  probe.server.data_dir = data_dir;
  probe.server.workers = 1;
  probe.server_tls = control::default_section<control::ServerTls>(control::SectionId::server_tls);
  probe.log.output = "off";
  probe.log.access = false;
  probe.connections = {connection};
  probe.models.clear();
  probe.organizations.clear();
  probe.teams.clear();
  probe.users.clear();
  probe.keys = {control::default_section<control::KeyConfig>(control::SectionId::key)};
  probe.keys.front().name.clear();  // it is nobody's
  probe.keys.front().tags = {"test"};
  probe.keys.front().key = key;
  probe.assignments.clear();
  probe.routes.clear();
  probe.store.url.value = base::Secret(control::kSqliteStore);  // in that directory, for a moment
  probe.redis.url = base::Secret();
  probe.admin_keys.clear();
  return probe;
}

// What root makes there belongs to whom the gateway runs as.
void give(const std::string& path, const std::string& data_dir) {
  struct stat owner{};
  if (geteuid() != 0 || stat(data_dir.c_str(), &owner) != 0 || owner.st_uid == 0) return;
  // Where it cannot be given, the gateway says so when it needs it.
  static_cast<void>(!lchown(path.c_str(), owner.st_uid, owner.st_gid));
}

// What the provider was paid for belongs into the ledger that reports are made of. The gateway whose it is takes in
// files that nobody writes any more.
bool keep_records(const std::string& from, const std::string& data_dir) {
  namespace fs = std::filesystem;
  const std::string to = control::ledger_directory(data_dir);
  std::error_code error;
  fs::create_directories(to, error);
  for (const std::string& path : control::ledger_segments(from)) {
    const std::string target = to + "/" + fs::path(path).filename().string();
    // Under its name when it is whole.
    fs::copy_file(path, target + ".part", error);
    if (!error) fs::rename(target + ".part", target, error);
    if (error) return false;
    give(to, data_dir);
    give(target, data_dir);
  }
  return true;
}

std::string request_body(const std::string& model) {
  std::string body;
  json::Writer writer(body);
  writer.begin_object().member("model", model).member("max_tokens", kTokensMax);
  writer.key("messages").begin_array().begin_object();
  writer.member("role", "user").member("content", "Say OK.").end_object().end_array().end_object();
  return body;
}

base::Result<http::FetchAnswer> post(const std::string& address, const base::Secret& key, const std::string& model,
                                     std::stop_token stop) {
  http::FetchRequest request{.method = "POST", .url = "http://" + address + "/v1/chat/completions"};
  request.headers = {{"content-type", "application/json"}};
  request.authorization = base::Secret("Bearer " + std::string(key.reveal()));
  request.body = request_body(model);
  request.direct = true;
  return http::fetch_and_wait(std::move(request), kProbeLimit, std::move(stop));
}

}  // namespace

std::expected<ProbeResult, std::string> probe_connection(const control::Config& config, const std::string& connection,
                                                         const std::string& model, std::stop_token stop) {
  const auto found = std::ranges::find(config.connections, connection, &control::ConnectionConfig::name);
  if (found == config.connections.end()) return std::unexpected("there is no connection '" + connection + "'");
  const base::TemporaryDirectory directory;
  if (directory.path().empty()) return std::unexpected("no temporary directory can be made");
  const base::Secret key = store::make_key(store::kVirtualKeyPrefix);
  control::Config probe = probe_config(config, *found, directory.path(), key);
  auto entry = control::default_section<control::ModelConfig>(control::SectionId::model);
  const auto is_on_it = [&](const control::ModelConfig& each) { return each.connection == connection; };
  const auto served = std::ranges::find_if(config.models, [&](const control::ModelConfig& each) {
    return is_on_it(each) && !routing::is_pattern(each.name);
  });
  if (!model.empty()) {
    entry.remote = model;
  } else if (served != config.models.end()) {
    entry = *served;
    if (entry.remote.empty()) entry.remote = entry.name;
  } else if (const auto pattern = std::ranges::find_if(config.models, is_on_it); pattern != config.models.end()) {
    return std::unexpected("the models on '" + connection + "' are called by patterns, as '" + pattern->name +
                           "' is: name one that the provider has, with --model");
  } else {
    return std::unexpected("no model is on '" + connection + "' yet: name one that the provider has, with --model");
  }
  entry.name = model.empty() ? entry.name : model;
  entry.connection = connection;
  probe.models = {entry};
  auto snapshot = control::build_snapshot(probe, {.hash_key = {1, 2}});
  if (!snapshot) return std::unexpected(control::format_errors(snapshot.error(), "the connection"));
  auto gateway = gateway::Gateway::start({.snapshot = std::move(*snapshot)});
  if (!gateway) return std::unexpected(std::move(gateway).error());
  const base::Instant began = base::real_now();
  auto answer = post((*gateway)->addresses().front(), key, entry.name, std::move(stop));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(base::real_now() - began);
  gateway->reset();  // then its ledger is closed
  const bool recorded = !config.ledger.enabled || keep_records(directory.path(), config.server.data_dir);
  if (!answer) return std::unexpected("the call came to nothing: " + std::string(answer.error().context));
  return ProbeResult{.status = answer->status,
                     .milliseconds = took.count(),
                     .model = entry.deployment.empty() ? entry.remote : entry.deployment,
                     .body = std::move(answer->body),
                     .recorded = recorded};
}

}  // namespace llmgw::admin
