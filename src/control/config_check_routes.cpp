// The part of check_config about routes.
#include <algorithm>

#include "base/did_you_mean.h"
#include "control/config_loader.h"
#include "control/config_place.h"
#include "control/route.h"
#include "routing/pattern.h"

namespace llmgw::control {
namespace {

class RouteChecker {
 public:
  RouteChecker(const Config& config, ConfigErrors& errors) : config_(config), errors_(errors) {}
  void check() {
    for (const auto& route : config_.routes) {
      check_models(route);
      check_fallbacks(route);
      if (auto session = parse_session(route.session); !session) {
        fault(route, "session", "'" + route.session + "' is no kind of session; " + session.error());
      }
      if (auto hedge = parse_hedge(route.hedge); !hedge) {
        fault(route, "hedge", "'" + route.hedge + "' is no time to hedge after; " + hedge.error());
      }
      if (!route.mirror.empty() && !served(route.mirror)) fault(route, "mirror", missing(route, route.mirror));
      for (const auto& word : route.fallback_on) {
        if (word == "error" || word == "context_length" || word == "content_filter") continue;
        fault(route, "fallback_on",
              "'" + word +
                  "' is nothing to fall back on; write error, context_length or "
                  "content_filter");
      }
    }
  }

 private:
  void fault(const RouteConfig& route, std::string_view key, const std::string& message) {
    errors_.add(location_of(route, SectionId::route, key), "routes." + std::string(key) + ": " + message);
  }
  bool served(std::string_view name) const {
    return std::ranges::any_of(config_.models, [&](const ModelConfig& model) {
      return model.name == name || routing::matches(model.name, name);
    });
  }
  void check_models(const RouteConfig& route) {
    for (const auto& name : route.models) {
      const bool any = std::ranges::any_of(config_.models, [&](const ModelConfig& model) {
        return model.name == name || routing::matches(name, model.name);
      });
      if (!any) fault(route, "models", missing(route, name));
    }
  }
  void check_fallbacks(const RouteConfig& route) {
    for (const auto& name : route.fallbacks) {
      if (!served(name)) fault(route, "fallbacks", missing(route, name));
    }
  }
  std::string missing(const RouteConfig& route, const std::string& name) const {
    std::vector<std::string_view> names;
    for (const auto& model : config_.models) names.emplace_back(model.name);
    const std::string near = base::did_you_mean(name, names);
    return "there is no model '" + name + "'" + (near.empty() ? add_or_list(route.at, "models", "model") : near);
  }

  const Config& config_;
  ConfigErrors& errors_;
};

}  // namespace

void check_routes(const Config& config, ConfigErrors& errors) {
  RouteChecker(config, errors).check();
}

}  // namespace llmgw::control
