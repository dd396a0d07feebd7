#include "app/service/config_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "app/process/file_descriptor.h"
#include "control/config_loader.h"
#include "control/settings.h"
#include "control/units.h"
#include "net/tls_files.h"
#include "telemetry/log_file.h"

namespace llmgw::app {
namespace {

using control::SectionBase;
using control::SectionId;

// Many connections may name the same files: each is read once.
class TlsFiles {
 public:
  explicit TlsFiles(control::ConfigErrors& errors) : errors_(errors) {}

  struct Setting {
    std::string_view key;
    std::string path;
  };

  void check_authorities(const SectionBase& section, SectionId id, const Setting& setting) {
    if (unusable(setting.path)) return;
    auto [found, is_new] = authorities_.try_emplace(setting.path);
    if (is_new) found->second = net::check_authorities_file(setting.path);
    if (found->second.empty()) return;
    fault(section, id, setting.key,
          "file " + setting.path + " holds no authorities that can be used (" + found->second +
              "); name a PEM file of their certificates");
  }

  void check_pair(const SectionBase& section, SectionId id, const Setting& chain, const Setting& key) {
    if (unusable(chain.path) || unusable(key.path)) return;
    auto [entry, is_new] = pairs_.try_emplace({chain.path, key.path});
    if (is_new) entry->second = net::check_certificate_files({.chain_file = chain.path, .key_file = key.path});
    if (!entry->second) return;
    const std::string reason = " (" + entry->second->reason + "); ";
    switch (entry->second->kind) {
      case net::TlsFileFault::Kind::certificate:
        return fault(section, id, chain.key,
                     "file " + chain.path + " cannot be used as a certificate" + reason +
                         "name a PEM file, the own certificate first and then those above it");
      case net::TlsFileFault::Kind::key:
        return fault(section, id, key.key,
                     "file " + key.path + " cannot be used as a key" + reason +
                         "name a PEM file with a private key that needs no passphrase");
      case net::TlsFileFault::Kind::pair:
        return fault(section, id, key.key,
                     "the key in " + key.path + " does not belong to the certificate in " + chain.path + reason +
                         "name the key that the certificate was made with, or the certificate of this key");
    }
  }

 private:
  // Not given, or reported as a file that cannot be read.
  static bool unusable(const std::string& path) { return path.empty() || access(path.c_str(), R_OK) != 0; }

  void fault(const SectionBase& section, SectionId id, std::string_view key, const std::string& message) {
    errors_.add(control::location_of(section, id, key),
                std::string(control::section_table(id).name) + "." + std::string(key) + ": " + message);
  }

  control::ConfigErrors& errors_;
  std::map<std::string, std::string> authorities_;
  std::map<std::pair<std::string, std::string>, std::optional<net::TlsFileFault>> pairs_;
};

std::string parent_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

// Whether somebody has the pipe open for reading, as far as this user can tell.
bool has_reader(const std::string& path) {
  const process::FileDescriptor pipe(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  return pipe.valid() || errno != ENXIO;
}

// Why nothing can be written to the end of the file; empty: it can be, or the file can be made.
std::string why_not_appendable(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return "it is a directory";
    if (S_ISFIFO(status.st_mode) && !has_reader(path)) return "nobody reads from this pipe";
    return access(path.c_str(), W_OK) == 0 ? "" : std::strerror(errno);
  }
  if (errno != ENOENT) return std::strerror(errno);
  const std::string directory = parent_of(path);
  if (access(directory.c_str(), F_OK) != 0) return "there is no directory " + directory;
  return access(directory.c_str(), W_OK | X_OK) == 0
             ? ""
             : "no file can be made in " + directory + ": " + std::strerror(errno);
}

void check_tls_files(const control::Config& file, control::ConfigErrors& errors) {
  TlsFiles files(errors);
  const auto& server = file.server_tls;
  files.check_pair(server, SectionId::server_tls, {"certificate", server.certificate}, {"key", server.key});
  files.check_authorities(server, SectionId::server_tls, {"client_ca", server.client_ca});
  const auto& upstream = file.upstream_tls;
  files.check_authorities(upstream, SectionId::upstream_tls, {"ca_file", upstream.ca_file});
  files.check_pair(upstream, SectionId::upstream_tls, {"client_certificate", upstream.client_certificate},
                   {"client_key", upstream.client_key});
  for (const auto& connection : file.connections) {
    const auto& tls = connection.tls;
    files.check_authorities(tls, SectionId::connection_tls, {"ca_file", tls.ca_file.value_or("")});
    files.check_pair(tls, SectionId::connection_tls, {"client_certificate", tls.client_certificate.value_or("")},
                     {"client_key", tls.client_key.value_or("")});
  }
}

void check_log_output(const control::Config& file, control::ConfigErrors& errors) {
  const auto destination = telemetry::parse_log_destination(file.log.output);
  if (destination.kind != telemetry::LogDestination::Kind::file) return;
  const std::string why = why_not_appendable(destination.path);
  if (why.empty()) return;
  errors.add(control::location_of(file.log, SectionId::log, "output"),
             "log.output: " + destination.path + " cannot be written: " + why +
                 "; name a file in a directory that is there and this user may write to");
}

}  // namespace

control::ConfigErrors check_files(const control::Config& file, const control::Config* running) {
  control::ConfigErrors errors;
  check_tls_files(file, errors);
  if (running == nullptr || file.log.output != running->log.output) check_log_output(file, errors);
  errors.sort();
  return errors;
}

void doubt_certificates(const control::Config& file, base::WallTime now, control::ConfigErrors& doubts) {
  const auto look = [&](const SectionBase& section, SectionId id, std::string_view key, const std::string& path) {
    if (path.empty()) return;
    const auto validity = net::certificate_validity(path);
    if (!validity || (now >= validity->not_before && now <= validity->not_after)) return;
    const bool over = now > validity->not_after;
    const base::WallTime when = over ? validity->not_after : validity->not_before;
    const std::string time = control::format_timestamp({.seconds = when.time_since_epoch() / std::chrono::seconds(1)});
    doubts.add(control::location_of(section, id, key),
               std::string(control::section_table(id).name) + "." + std::string(key) + ": the certificate in " + path +
                   (over ? " expired at " : " is not valid before ") + time +
                   (over ? "; renew it: " : "; look at the clock, too: ") + "nobody who verifies it will accept it");
  };
  look(file.server_tls, SectionId::server_tls, "certificate", file.server_tls.certificate);
  look(file.upstream_tls, SectionId::upstream_tls, "client_certificate", file.upstream_tls.client_certificate);
  for (const auto& connection : file.connections) {
    look(connection.tls, SectionId::connection_tls, "client_certificate",
         connection.tls.client_certificate.value_or(""));
  }
}

void doubt_data_dir(const control::Config& file, control::ConfigErrors& doubts) {
  // The gateway makes it and its parents.
  std::string existing = file.server.data_dir;
  while (access(existing.c_str(), F_OK) != 0 && errno == ENOENT && existing != "/" && existing != ".") {
    existing = parent_of(existing);
  }
  std::error_code ignored;
  const bool directory = std::filesystem::is_directory(existing, ignored);
  if (directory && access(existing.c_str(), W_OK | X_OK) == 0) return;
  const std::string why = directory ? std::strerror(errno) : existing + " is no directory";
  doubts.add(control::location_of(file.server, SectionId::server, "data_dir"),
             "server.data_dir: " + file.server.data_dir + " cannot be used by this user: " + why +
                 "; the gateway has to be started by one who may write there");
}

}  // namespace llmgw::app
