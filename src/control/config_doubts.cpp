#include "control/config_doubts.h"

#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/did_you_mean.h"
#include "control/address.h"
#include "control/config_loader.h"
#include "control/price_table.h"
#include "providers/endpoint.h"
#include "routing/pattern.h"

namespace llmgw::control {
namespace {

class Doubter {
 public:
  Doubter(const Config& file, std::span<const std::string_view> more_models) : file_(file) {
    for (const auto& model : file.models) add(model.name);
    for (const auto name : more_models) add(name);
  }

  ConfigErrors find() {
    for (const auto& each : file_.organizations) look_at(each, SectionId::organization, each.models);
    for (const auto& each : file_.teams) look_at(each, SectionId::team, each.models);
    for (const auto& each : file_.users) look_at(each, SectionId::user, each.models);
    for (const auto& each : file_.keys) {
      if (each.models) look_at(each, SectionId::key, *each.models);
    }
    look_at_ledger();
    for (const auto& each : file_.models) look_at_remote(each);
    for (const auto& each : file_.connections) look_at_endpoint(each);
    for (const auto& each : file_.routes) look_at_itself(each);
    look_at_prices();
    doubts_.sort();
    return std::move(doubts_);
  }

 private:
  void add(std::string_view name) {
    if (!names_.insert(name).second) return;
    ordered_.push_back(name);
    if (routing::is_pattern(name)) patterns_.push_back(name);
  }

  bool served(std::string_view name) {
    if (names_.contains(name)) return true;
    const bool any = routing::is_pattern(name)
                         ? std::ranges::any_of(ordered_, [&](auto model) { return routing::overlap(name, model); })
                         : routing::allowed(patterns_, name);
    if (!any) return false;
    names_.insert(name);  // a hundred thousand keys may have the same list
    return true;
  }

  // The models' names as far as they would be the pattern's own, for "gtp-*".
  std::string near_to(std::string_view name) const {
    if (name.contains(',')) return "; write several as a list, as in [\"a\", \"b\"]";
    const bool prefix = routing::is_pattern(name) && name.find('*') == name.size() - 1;
    if (!prefix) return base::did_you_mean(name, ordered_);
    std::vector<std::string> prefixes;
    for (const auto model : ordered_) prefixes.push_back(std::string(model.substr(0, name.size() - 1)) + "*");
    const std::vector<std::string_view> views(prefixes.begin(), prefixes.end());
    return base::did_you_mean(name, views);
  }

  void look_at(const SectionBase& section, SectionId id, const std::vector<std::string>& models) {
    for (const auto& name : models) {
      if (served(name)) continue;
      const char* const what =
          routing::is_pattern(name) ? ".models: no model has a name like '" : ".models: there is no model '";
      doubts_.add(location_of(section, id, "models"),
                  std::string(section_table(id).name) + what + name + "'" + near_to(name));
    }
  }

  void look_at_ledger() {
    const auto has_budget = [](const auto& each) { return each.budget.has_value(); };
    const auto any = [&](const auto& sections) { return std::ranges::any_of(sections, has_budget); };
    if (file_.ledger.enabled) return;
    if (!any(file_.organizations) && !any(file_.teams) && !any(file_.users) && !any(file_.keys) &&
        !any(file_.assignments) && !any(file_.models)) {
      return;
    }
    doubts_.add(location_of(file_.ledger, SectionId::ledger, "enabled"),
                "ledger.enabled: without a ledger a restart forgets what budgets have spent: they begin anew with it");
  }

  // Whoever writes it means the name that was asked for, or what a pattern's `*` stood for.
  void look_at_remote(const ModelConfig& model) {
    if (!routing::is_pattern(model.remote)) return;
    doubts_.add(location_of(model, SectionId::model, "remote"),
                "models.remote: '" + model.remote +
                    "' is sent to the provider as it stands, and no provider has a model of that name; without "
                    "remote the name goes on that the client asked for");
  }

  // A call that is sent there goes round until it is refused (kHopsMax in gateway/call/own_headers.h).
  void look_at_endpoint(const ConnectionConfig& connection) {
    const auto endpoint = providers::parse_endpoint(connection.endpoint);
    if (!endpoint) return;
    for (const auto& text : file_.server.listen) {
      const auto own = parse_listen_address(text);
      if (!own || !leads_to(*endpoint, *own)) continue;
      doubts_.add(location_of(connection, SectionId::connection, "endpoint"),
                  "connections.endpoint: '" + connection.endpoint + "' is where this gateway itself listens (" + text +
                      "); write the provider's address");
    }
  }

  // A route of several models may name one of them for the others.
  void look_at_itself(const RouteConfig& route) {
    if (route.models.size() != 1) return;
    const std::string& own = route.models.front();
    if (route.mirror == own) {
      doubts_.add(location_of(route, SectionId::route, "mirror"),
                  "routes.mirror: '" + own + "' is the route's own model: it gets each of its calls twice");
    }
    if (std::ranges::find(route.fallbacks, own) != route.fallbacks.end()) {
      doubts_.add(location_of(route, SectionId::route, "fallbacks"),
                  "routes.fallbacks: '" + own + "' is the route's own model, whose instances have failed by then");
    }
  }

  // Read as a name, a pattern is covered by those that are as wide.
  void look_at_prices() {
    const auto lone = [](const PriceConfig& price) { return price.above_tokens > 0; };
    if (std::ranges::none_of(file_.prices, lone)) return;
    const PriceTable table = PriceTable::build(file_.prices, shipped_prices());
    for (const PriceConfig& price : file_.prices) {
      if (!lone(price) || table.find(price.provider, provider_of(price.provider), price.model).all()) continue;
      doubts_.add(location_of(price, SectionId::price, "above_tokens"),
                  "prices.above_tokens: shorter prompts to '" + price.model + "' of '" + price.provider +
                      "' have no price, so no budget counts them; write an entry without above_tokens, too");
    }
  }

  // Of whom a price may be a connection's own, with the tier behind it ("eu:flex": "openai:flex").
  std::string provider_of(std::string_view name) const {
    const size_t end = std::min(name.find(':'), name.size());
    const auto by = std::ranges::find(file_.connections, name.substr(0, end), &ConnectionConfig::name);
    if (by == file_.connections.end()) return std::string(name);
    return by->provider + std::string(name.substr(end));
  }

  static bool leads_to(const providers::Endpoint& endpoint, const ListenAddress& own) {
    if (!own.unix_path.empty() || !endpoint.unix_path.empty()) return own.unix_path == endpoint.unix_path;
    if (own.port != endpoint.port) return false;
    const auto loopback = [](const std::string& host) {
      return host == "localhost" || host == "::1" || host.starts_with("127.");
    };
    const bool everywhere = own.host.empty() || own.host == "0.0.0.0" || own.host == "::";
    return endpoint.host == own.host || (loopback(endpoint.host) && (everywhere || own.host == "localhost"));
  }

  const Config& file_;
  std::unordered_set<std::string_view> names_;
  std::vector<std::string_view> ordered_;
  std::vector<std::string_view> patterns_;
  ConfigErrors doubts_;
};

}  // namespace

ConfigErrors find_doubts(const Config& file, std::span<const std::string_view> more_models) {
  return Doubter(file, more_models).find();
}

}  // namespace llmgw::control
