#include "control/reload.h"

#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "base/rng.h"
#include "control/serving_needs.h"

namespace llmgw::control {
namespace {

// Calls visit(id, section, the other's) for every section that a configuration has once.
void each_section(auto& config, auto& other, auto visit) {
  visit(SectionId::server, config.server, other.server);
  visit(SectionId::server_tls, config.server_tls, other.server_tls);
  visit(SectionId::log, config.log, other.log);
  visit(SectionId::metrics, config.metrics, other.metrics);
  visit(SectionId::ledger, config.ledger, other.ledger);
  visit(SectionId::redis, config.redis, other.redis);
  visit(SectionId::upstream, config.upstream, other.upstream);
  visit(SectionId::upstream_tls, config.upstream_tls, other.upstream_tls);
  visit(SectionId::store, config.store, other.store);
  visit(SectionId::admin, config.admin, other.admin);
}

// Calls visit(name, setting) for every setting of those sections with another value.
void each_changed_setting(const Config& before, const Config& after, auto visit) {
  each_section(before, after, [&](SectionId id, const auto& a, const auto& b) {
    const auto& table = section_table(id);
    for (const auto& setting : table.settings) {
      if (!setting.equal(&a, &b)) visit(std::string(table.name) + "." + std::string(setting.key), setting);
    }
  });
}

// Thousands of objects are not kept a second time.
std::shared_ptr<const Config> without_objects(const Config& config) {
  auto copy = std::make_shared<Config>();
  each_section(*copy, config, [](SectionId, auto& to, const auto& from) { to = from; });
  return copy;
}

// The connections' are the file's and the store's.
std::set<std::string> certificate_files(const Snapshot& snapshot) {
  std::set<std::string> files{snapshot.server_tls.certificate, snapshot.server_tls.key, snapshot.server_tls.client_ca};
  for (const Connection& connection : snapshot.connections) {
    for (const auto* path : {&connection.tls.ca_file, &connection.tls.client_certificate, &connection.tls.client_key}) {
      if (!path->empty()) files.insert(*path);
    }
  }
  files.erase("");
  return files;
}

void say_renewed(const std::vector<std::string>& files, ConfigDiff& diff) {
  constexpr size_t kNamedMax = 4;  // a certificate and its key, of two places
  if (files.empty()) return;
  if (diff.empty) diff.summary.clear();
  diff.empty = false;
  for (size_t i = 0; i < std::min(files.size(), kNamedMax); ++i) {
    diff.summary += (diff.summary.empty() ? "" : ", ") + files[i] + " changed";
  }
  if (files.size() > kNamedMax) diff.summary += ", and " + std::to_string(files.size() - kNamedMax) + " more files";
}

class Differ {
 public:
  Differ(const Config& before, const Config& after) : before_(before), after_(after) {}

  ConfigDiff diff() {
    objects(
        "connection", before_.connections, after_.connections, [](const auto& each) { return each.name; },
        [](const auto& a, const auto& b) {
          return same(SectionId::connection, a, b) && same(SectionId::connection_tls, a.tls, b.tls);
        });
    objects(
        "model", before_.models, after_.models, [](const auto& each) { return each.name + '\n' + each.connection; },
        [](const auto& a, const auto& b) { return same(SectionId::model, a, b); });
    named("organization", SectionId::organization, before_.organizations, after_.organizations);
    named("team", SectionId::team, before_.teams, after_.teams);
    named("user", SectionId::user, before_.users, after_.users);
    named("key", SectionId::key, before_.keys, after_.keys);
    objects(
        "assignment", before_.assignments, after_.assignments,
        [](const auto& each) { return each.key + '\n' + (each.alias.empty() ? each.model : each.alias); },
        [](const auto& a, const auto& b) { return same(SectionId::assignment, a, b); });
    objects(
        "route", before_.routes, after_.routes, [](const auto& each) { return each.models.front(); },
        [](const auto& a, const auto& b) { return same(SectionId::route, a, b); });
    objects(
        "price", before_.prices, after_.prices,
        [](const auto& each) { return each.provider + '\n' + each.model + '\n' + std::to_string(each.above_tokens); },
        [](const auto& a, const auto& b) { return same(SectionId::price, a, b); });
    named("admin key", SectionId::admin_key, before_.admin_keys, after_.admin_keys);
    each_changed_setting(before_, after_, [&](const std::string& name, const Setting&) { say(name + " changed"); });
    result_.empty = result_.summary.empty();
    if (result_.empty) result_.summary = "nothing changed";
    return std::move(result_);
  }

 private:
  template <class Section>
  static bool same(SectionId id, const Section& a, const Section& b) {
    return std::ranges::all_of(section_table(id).settings, [&](const Setting& each) { return each.equal(&a, &b); });
  }

  void say(const std::string& text) { result_.summary += (result_.summary.empty() ? "" : ", ") + text; }

  void count(size_t number, std::string_view noun, std::string_view verb) {
    if (number == 0) return;
    say(std::to_string(number) + " " + std::string(noun) + (number == 1 ? " " : "s ") + std::string(verb));
  }

  template <class Object>
  void named(std::string_view noun, SectionId id, const std::vector<Object>& before, const std::vector<Object>& after) {
    objects(
        noun, before, after, [](const auto& each) { return each.name; },
        [id](const auto& a, const auto& b) { return same(id, a, b); });
  }

  template <class Object, class Identity, class Same>
  void objects(std::string_view noun, const std::vector<Object>& before, const std::vector<Object>& after,
               Identity identity, Same equal) {
    std::map<std::string, const Object*> old;
    for (const auto& each : before) old.emplace(identity(each), &each);
    size_t added = 0;
    size_t changed = 0;
    for (const auto& each : after) {
      const auto found = old.find(identity(each));
      if (found == old.end()) {
        ++added;
        continue;
      }
      if (!equal(*found->second, each)) ++changed;
      old.erase(found);
    }
    count(added, noun, "added");
    count(old.size(), noun, "removed");
    count(changed, noun, "changed");
    if (old.size() * 2 > before.size()) {
      result_.shrunk += (result_.shrunk.empty() ? "" : ", ") + std::to_string(old.size()) + " of " +
                        std::to_string(before.size()) + " " + std::string(noun) + (before.size() == 1 ? "" : "s");
    }
    const bool same_set = added == 0 && old.empty() && before.size() == after.size();
    const bool moved = same_set && !std::ranges::equal(before, after, {}, identity, identity);
    if (moved) say(std::string(noun) + "s reordered");
  }

  const Config& before_;
  const Config& after_;
  ConfigDiff result_;
};

std::unexpected<ConfigErrors> one_error(std::string message) {
  ConfigErrors errors;
  errors.add({}, std::move(message));
  return std::unexpected(std::move(errors));
}

}  // namespace

ConfigDiff diff_configs(const Config& before, const Config& after) {
  return Differ(before, after).diff();
}

std::vector<std::string> restart_required(const Config& started, const Config& now) {
  std::vector<std::string> names;
  each_changed_setting(started, now, [&](std::string name, const Setting& setting) {
    if (setting.needs_restart) names.push_back(std::move(name));
  });
  if (started.server_tls.certificate.empty() != now.server_tls.certificate.empty()) names.emplace_back("server.tls");
  return names;
}

std::expected<MergedSnapshot, ConfigErrors> merge_snapshot(const Config& file, const StoredObjects* stored,
                                                           const Environment& environment, SnapshotInputs inputs) {
  if (stored == nullptr) {
    auto snapshot = build_snapshot(file, inputs);
    if (!snapshot) return std::unexpected(std::move(snapshot).error());
    return MergedSnapshot{std::move(*snapshot)};
  }
  inputs.key_hasher = stored->secrets.hasher;
  ObjectMerger merger(file, stored->objects, stored->secrets, environment);
  while (true) {
    auto snapshot = build_snapshot(merger.config(), inputs);
    if (snapshot) {
      MergedSnapshot merged{std::move(*snapshot), merger.notes()};
      std::ranges::move(merger.doubts(), std::back_inserter(merged.notes));
      return merged;
    }
    // Every round takes at least one object out.
    if (!merger.blame(snapshot.error())) return std::unexpected(std::move(snapshot).error());
  }
}

std::expected<ReloadPlan, ConfigErrors> plan_reload(const Config& running, std::string_view text,
                                                    const Environment& environment, const SnapshotInputs& inputs,
                                                    const StoredObjects* stored) {
  auto config = load_config(text, environment);
  if (!config) return std::unexpected(std::move(config).error());
  auto merged = merge_snapshot(*config, stored, environment, inputs);
  if (!merged) return std::unexpected(std::move(merged).error());
  ConfigDiff diff = diff_configs(running, *config);
  return ReloadPlan{.config = std::move(*config),
                    .snapshot = std::move(merged->snapshot),
                    .diff = std::move(diff),
                    .notes = std::move(merged->notes)};
}

std::expected<std::string, ConfigErrors> read_config_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    const base::Error error{base::ErrorCode::io, "reading the configuration", errno};
    const auto* hint = error.os_error == ENOENT ? "; `llm-gateway config init` writes a first one" : "";
    return one_error("the file cannot be read: " + reason(error) + hint);
  }
  if (std::error_code error; std::filesystem::is_directory(path, error)) return one_error("is a directory, not a file");
  const auto size = file.tellg();
  if (size < 0) return one_error("not a regular file");
  if (static_cast<uint64_t>(size) > kConfigBytesMax) return one_error("the file is larger than 16 MiB");
  std::string text(static_cast<size_t>(size), '\0');
  file.seekg(0);
  file.read(text.data(), size);
  if (file.bad()) return one_error("the file cannot be read to its end");
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

void release_parse_memory() {
  malloc_trim(0);
}

Reloader::Reloader(std::string path, int64_t created_default)
    : path_(std::move(path)),
      created_default_(created_default),
      hash_key_{base::system_random(), base::system_random()},
      file_(std::make_shared<const Config>()) {}

SnapshotInputs Reloader::next_inputs() {
  return {.version = snapshot_ ? snapshot_->version + 1 : 1,
          .hash_key = hash_key_,
          .created_default = created_default_,
          .meters = &meters_,
          .tls_files_version = tls_files_version_};
}

std::expected<void, ConfigErrors> Reloader::load() {
  auto loaded = reload();
  if (!loaded) return std::unexpected(std::move(loaded).error());
  started_ = without_objects(*file_);
  return {};
}

std::vector<std::string> Reloader::restart_required() const {
  return started_ == nullptr ? std::vector<std::string>() : control::restart_required(*started_, *file_);
}

// A file that cannot be read keeps its hash: whoever uses it says so.
std::vector<std::string> Reloader::look_at_certificates() {
  std::vector<std::string> renewed;
  for (auto& [path, hash] : certificates_) {
    const auto text = read_config_file(path);
    const Hash128 now = text ? siphash128(hash_key_, *text) : hash;
    if (now == hash) continue;
    hash = now;
    renewed.push_back(path);
  }
  if (!renewed.empty()) ++tls_files_version_;
  return renewed;
}

void Reloader::learn_certificates() {
  const auto used = certificate_files(*snapshot_);
  std::erase_if(certificates_, [&](const auto& known) { return !used.contains(known.first); });
  for (const std::string& path : used) {
    if (certificates_.contains(path)) continue;
    if (const auto text = read_config_file(path)) certificates_.emplace(path, siphash128(hash_key_, *text));
  }
}

std::string Reloader::emptied(std::string_view text, const Snapshot& next) const {
  if (snapshot_ == nullptr) return {};
  if (!file_says_nothing_ && says_nothing(text)) return "the file is empty, and what is in force was not";
  const std::string lost = lost_needs(serving_needs(*snapshot_), serving_needs(next));
  return lost.empty() ? lost : "this would take away " + lost + ", and no call could be served";
}

std::expected<ConfigDiff, ConfigErrors> Reloader::reload(Emptying emptying) {
  auto text = read_config_file(path_);
  if (!text) return std::unexpected(std::move(text).error());
  std::vector<std::string> renewed = look_at_certificates();
  auto plan = plan_reload(*file_, *text, real_environment(path_), next_inputs(), with_engines(stored_, engines_).get());
  if (!plan) return std::unexpected(std::move(plan).error());
  if (const std::string why = emptied(*text, *plan->snapshot); !why.empty() && emptying == Emptying::refused) {
    return one_error(why + "; if that is meant: `llm-gateway reload --force`");
  }
  file_says_nothing_ = says_nothing(*text);
  text->clear();
  text->shrink_to_fit();
  file_ = std::make_shared<const Config>(std::move(plan->config));
  snapshot_ = std::move(plan->snapshot);
  learn_certificates();
  std::erase_if(renewed, [&](const std::string& path) { return !certificates_.contains(path); });
  say_renewed(renewed, plan->diff);
  notes_ = std::move(plan->notes);
  release_parse_memory();
  return std::move(plan->diff);
}

std::expected<void, ConfigErrors> Reloader::apply(std::shared_ptr<const StoredObjects> stored) {
  auto merged = merge_snapshot(*file_, with_engines(stored, engines_).get(), real_environment(path_), next_inputs());
  if (!merged) return std::unexpected(std::move(merged).error());
  stored_ = std::move(stored);
  snapshot_ = std::move(merged->snapshot);
  learn_certificates();
  notes_ = std::move(merged->notes);
  release_parse_memory();
  return {};
}

std::expected<void, ConfigErrors> Reloader::apply_engines(std::vector<store::Object> engines) {
  auto merged = merge_snapshot(*file_, with_engines(stored_, engines).get(), real_environment(path_), next_inputs());
  if (!merged) return std::unexpected(std::move(merged).error());
  engines_ = std::move(engines);
  snapshot_ = std::move(merged->snapshot);
  learn_certificates();
  notes_ = std::move(merged->notes);
  return {};
}

std::shared_ptr<const StoredObjects> Reloader::with_engines(const std::shared_ptr<const StoredObjects>& stored,
                                                            const std::vector<store::Object>& engines) {
  if (engines.empty()) return stored;
  auto all = std::make_shared<StoredObjects>();
  if (stored != nullptr) {
    *all = *stored;
  } else {
    all->secrets = secrets_of_none();
  }
  all->objects.insert(all->objects.end(), engines.begin(), engines.end());
  return all;
}

std::vector<std::string> Reloader::watched_files() const {
  const Config& config = *file_;
  std::vector<std::string> files{path_};
  files.insert(files.end(), config.referenced_files.begin(), config.referenced_files.end());
  std::ranges::copy(certificate_files(*snapshot_), std::back_inserter(files));
  std::ranges::sort(files);
  const auto repeated = std::ranges::unique(files);
  files.erase(repeated.begin(), repeated.end());
  return files;
}

}  // namespace llmgw::control
