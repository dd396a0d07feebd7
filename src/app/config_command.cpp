#include "app/config_command.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <expected>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "app/service/config_files.h"
#include "base/rng.h"
#include "base/text.h"
#include "control/config_doubts.h"
#include "control/config_text.h"
#include "control/litellm/import_litellm.h"
#include "control/reload.h"
#include "control/serving_needs.h"
#include "control/snapshot.h"
#include "gateway/gateway.h"
#include "providers/compatibility.h"

namespace llmgw::app {
namespace {

std::expected<control::Config, control::ConfigErrors> load(const std::string& path) {
  auto text = control::read_config_file(path);
  if (!text) return std::unexpected(std::move(text).error());
  return control::load_config(*text, control::real_environment(path));
}

// What a start or a reload would refuse of a configuration that is right in itself.
std::string faults_of_start(const control::Config& config, const std::string& path) {
  if (const auto errors = check_files(config); !errors.empty()) return control::format_errors(errors, path);
  const auto snapshot = control::build_snapshot(config, {.version = 1, .hash_key = {}, .created_default = 0});
  if (!snapshot) return control::format_errors(snapshot.error(), path);
  if (const auto checked = gateway::Gateway::check(**snapshot); !checked) return path + ": " + checked.error() + "\n";
  return {};
}

std::string random_key() {
  std::array<uint8_t, 24> bytes;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = base::system_random();
    std::memcpy(bytes.data() + i, &word, 8);
  }
  return "sk-gw-" + base::hex(bytes);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

int run_config_init(const std::string& path, const std::string& data_dir, std::ostream& out, std::ostream& err) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int error = errno;
    if (error == EEXIST) {
      err << path << ": exists already and stays as it is; name another file, or remove it first\n";
    } else {
      err << path << ": cannot be created: " << std::strerror(error) << "\n";
    }
    return 1;
  }
  const bool written = write_all(fd, control::starter_config(random_key(), data_dir));
  const int error = errno;
  if (close(fd) != 0 || !written) {
    err << path << ": cannot be written: " << std::strerror(error) << "\n";
    unlink(path.c_str());
    return 1;
  }
  if (!data_dir.empty()) out << "server.data_dir is " << data_dir << ", which this user may write to\n";
  out << "wrote " << path << "; set the connection in it, then: llm-gateway config validate --config " << path << "\n";
  return 0;
}

int run_config_validate(const std::string& path, std::ostream& out, std::ostream& err) {
  const auto config = load(path);
  if (!config) {
    err << control::format_errors(config.error(), path);
    return 1;
  }
  if (const std::string faults = faults_of_start(*config, path); !faults.empty()) {
    err << faults;
    return 1;
  }
  const bool stored = config->store.url.value.reveal() != control::kNoStore;
  const auto plural = [](size_t count, const char* noun) {
    return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
  };
  out << path << ": valid: " << plural(config->connections.size(), "connection") << ", "
      << plural(config->models.size(), "model") << ", " << plural(config->keys.size(), "key") << "\n";
  if (const std::string missing = control::missing_needs(control::serving_needs(*config)); !missing.empty()) {
    err << "warning: the file has " << missing
        << (stored ? "; without those of the store no call can be served\n" : "; no call can be served\n");
  }
  auto doubts = control::find_doubts(*config);
  doubt_data_dir(*config, doubts);
  doubt_certificates(*config, base::real_wall_now(), doubts);
  doubts.sort();
  if (!doubts.empty()) {
    err << "warnings:\n" << control::format_errors(doubts, path);
    if (stored) err << "(models of the store, and engines that register themselves, are not known here)\n";
  }
  return 0;
}

int run_config_show(const std::string& path, std::ostream& out, std::ostream& err) {
  const auto config = load(path);
  if (!config) {
    err << control::format_errors(config.error(), path);
    return 1;
  }
  out << control::show_config(*config, path);
  return 0;
}

int run_config_compatibility(std::ostream& out) {
  out << providers::compatibility_tables();
  return 0;
}

namespace {

std::expected<std::string, std::string> read_for_import(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::unexpected(std::string("cannot be read: ") + std::strerror(errno));
  std::string text(control::kImportBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::unexpected(std::string("cannot be read: ") + std::strerror(errno));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

}  // namespace

int run_import_litellm(const std::string& path, const std::string& output, std::ostream& out, std::ostream& err) {
  const auto text = read_for_import(path);
  if (!text) {
    err << path << ": " << text.error() << "\n";
    return 1;
  }
  // Names of included files are relative to this one's directory.
  const auto imported = control::import_litellm(*text, [&](const std::string& name) {
    return read_for_import(std::filesystem::path(path).parent_path() / name);
  });
  if (!imported) {
    err << path << ": " << imported.error() << "\n";
    return 1;
  }
  if (output.empty()) {
    out << imported->toml;
  } else if (const int fd = open(output.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); fd < 0) {
    err << output << ": cannot be created: " << std::strerror(errno) << "\n";
    return 1;
  } else if (const bool written = write_all(fd, imported->toml); close(fd) != 0 || !written) {
    err << output << ": cannot be written: " << std::strerror(errno) << "\n";
    return 1;
  }
  err << "imported " << imported->connections << " connections and " << imported->models << " models\n";
  if (!imported->left_out.empty()) err << "not imported:\n";
  for (const std::string& each : imported->left_out) err << "  " << each << "\n";
  const std::string target = output.empty() ? "the configuration" : output;
  if (const auto loaded = control::load_config(imported->toml, control::real_environment(target)); !loaded) {
    err << "it cannot be served by as it is:\n" << control::format_errors(loaded.error(), target);
    return 2;
  }
  return 0;
}

int run_config_reference(std::ostream& out) {
  out << control::settings_reference();
  return 0;
}

}  // namespace llmgw::app
