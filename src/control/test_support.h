// Configurations in memory for tests.
#pragma once

#include <cerrno>
#include <map>
#include <string>

#include "control/config_loader.h"

namespace llmgw::control {

// Variables and files of a test; the file name of the configuration is test.toml in /etc/llmgw.
struct TestWorld {
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> files;

  Environment environment() const {
    return {.variable = [this](const std::string& name) -> std::optional<std::string> {
              const auto found = variables.find(name);
              return found == variables.end() ? std::nullopt : std::optional(found->second);
            },
            .read_file = [this](const std::string& path) -> base::Result<std::string> {
              const auto found = files.find(path);
              if (found == files.end()) return std::unexpected(base::Error{base::ErrorCode::not_found, "", ENOENT});
              return found->second;
            },
            .directory = "/etc/llmgw"};
  }
  std::expected<Config, ConfigErrors> load(std::string_view text) const { return load_config(text, environment()); }
  // The formatted errors; empty when there are none.
  std::string errors(std::string_view text) const {
    const auto config = load(text);
    return config ? std::string() : format_errors(config.error(), "test.toml");
  }
};

inline constexpr std::string_view kSmallConfig = R"([server]
listen = "127.0.0.1:0"

[[connections]]
name = "openai-main"
provider = "openai"
api_key = "sk-upstream-secret"

[[models]]
name = "gpt-4o"
connection = "openai-main"

[[keys]]
name = "frontend"
key = "client-key-1"
)";

}  // namespace llmgw::control
