// Any bytes as a configuration: never a crash; what is refused has errors with places; what is accepted makes a
// snapshot and can be shown without its secrets.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/config_loader.h"
#include "control/config_text.h"
#include "control/reload.h"
#include "control/snapshot.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::string_view kCanary = "canary-71c2e0";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace llmgw;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find(kCanary) != std::string_view::npos) return 0;
  const control::Environment environment{.variable = [](const std::string& name) -> std::optional<std::string> {
                                           if (name == "MISSING") return std::nullopt;
                                           return std::string(kCanary);
                                         },
                                         .read_file = [](const std::string& path) -> base::Result<std::string> {
                                           if (path.ends_with("missing"))
                                             return base::fail(base::ErrorCode::not_found, "no such file");
                                           return std::string(kCanary) + "\n";
                                         },
                                         .directory = "/etc"};
  auto config = control::load_config(text, environment);
  if (!config) {
    require(!config.error().empty());
    for (const auto& error : config.error().all()) {
      require(error.at.line >= 1 && error.at.column >= 1 && !error.message.empty());
    }
    require(control::format_errors(config.error(), "f").find(kCanary) == std::string::npos);
    return 0;
  }
  const auto snapshot = control::build_snapshot(*config, {.version = 1, .hash_key = {1, 2}, .created_default = 0});
  require(snapshot.has_value());
  for (const auto& key : config->keys) {
    const auto* principal = (*snapshot)->authenticate(key.key.reveal());
    require(principal != nullptr && principal->name == key.name);
  }
  for (const auto& model : config->models) require((*snapshot)->resolve(model.name).has_value());
  require(control::diff_configs(*config, *config).empty);
  (void)control::show_config(*config, "f");
  return 0;
}
