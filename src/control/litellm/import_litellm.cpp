#include "control/litellm/import_litellm.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "control/litellm/litellm_names.h"
#include "control/litellm/litellm_text.h"
#include "control/litellm/litellm_yaml.h"
#include "control/settings.h"
#include "providers/families.h"

namespace llmgw::control {
namespace {

// What happens to calls of one model.
struct Fallbacks {
  std::vector<std::string> models;
  std::vector<std::string_view> on;
};

class Importer {
 public:
  Importer(const YAML::Node& root, const ModelPlaces& places) : root_(root), places_(places) {}
  LitellmImport run();

 private:
  void add_model(const YAML::Node& entry, size_t index);
  std::string connection_for(std::string_view provider, const YAML::Node& parameters, const std::string& place,
                             const std::string& named_region);
  std::optional<std::pair<std::string, std::string>> split_model(const std::string& model) const;
  void complete_bedrock(Fields& fields, const YAML::Node& parameters, const std::string& place);
  void complete_vertex(Fields& fields, const YAML::Node& parameters, const std::string& place);
  void note_limits(const YAML::Node& parameters, const std::string& name, const std::string& place);
  void add_limits();
  void add_price(const YAML::Node& entry, const std::string& place, const std::string& connection,
                 const std::string& model);
  void add_aliases();
  void leave_out_of_alias(const YAML::Node& alias, const std::string& place);
  void price_alias(const std::string& alias, const Fields& model, const std::string& group, const std::string& place);
  void add_routes();
  void add_fallbacks(const std::string& path, const YAML::Node& list, std::string_view on);
  void take_first(std::string& into, std::string_view value, const std::string& path, std::string_view first);
  bool read_setting(const std::string& section, const std::string& name, const YAML::Node& value);
  bool has_model(const std::string& name) const {
    return std::ranges::any_of(models_, [&](const auto& model) { return model.first == name; });
  }
  void add_master_key();
  void read_section(const std::string& name, const YAML::Node& section);
  void read_rest();
  void leave_out(const std::string& what, const std::string& why = "") {
    out_.left_out.push_back(what + (why.empty() ? "" : ": " + why));
  }

  const YAML::Node& root_;
  const ModelPlaces& places_;
  LitellmImport out_;
  std::map<std::string, std::string> connections_;  // by everything that tells them apart: the name
  std::map<std::string, size_t> names_;
  std::vector<std::pair<std::string, Fields>> models_;
  struct Deployment {
    std::string name;
    std::string place;
    std::map<std::string_view, uint64_t> limits;
  };
  std::vector<Deployment> deployments_;
  std::string connection_text_;
  std::map<std::string, Fields> prices_;  // by what they are for
  std::map<std::string, std::string> aliases_;
  std::vector<std::pair<std::string, Fallbacks>> fallbacks_;  // by model
  Fields route_;                                              // of all models
  std::string attempts_;
  std::string timeout_;
};

// Provider and the provider's name of a model.
std::optional<std::pair<std::string, std::string>> Importer::split_model(const std::string& model) const {
  if (const size_t slash = model.find('/'); slash != std::string::npos) {
    const std::string_view theirs = std::string_view(model).substr(0, slash);
    const auto* const renamed = std::ranges::find(kProviders, theirs, &ProviderName::theirs);
    const std::string ours(renamed == std::end(kProviders) ? theirs : renamed->ours);
    if (providers::find_provider(ours) == nullptr) return std::nullopt;
    return std::pair(ours, model.substr(slash + 1));
  }
  for (const KnownModel& known : kKnownModels) {
    if (model.starts_with(known.prefix)) return std::pair(std::string(known.provider), model);
  }
  return std::nullopt;
}

std::string Importer::connection_for(std::string_view provider, const YAML::Node& parameters, const std::string& place,
                                     const std::string& named_region) {
  Fields fields = {{"provider", quote(provider)}};
  for (const ParameterName& parameter : kConnectionParameters) {
    const YAML::Node node = parameters[std::string(parameter.theirs)];
    if (!node) continue;
    const std::string text = value_text(node);
    if (parameter.theirs == "vertex_credentials" && (text.starts_with('{') || text.starts_with("env:"))) {
      leave_out(place + ".vertex_credentials", "write the key into a file and name it in service_account_file");
      continue;
    }
    if (!text.empty()) fields.emplace_back(parameter.ours, quote(text));
  }
  if (!named_region.empty() && !parameters["aws_region_name"]) fields.emplace_back("region", quote(named_region));
  if (provider == "bedrock") complete_bedrock(fields, parameters, place);
  if (provider == "vertex") complete_vertex(fields, parameters, place);
  for (const char* const limit : {"timeout", "stream_timeout"}) {
    const YAML::Node node = parameters[limit];
    if (!node) continue;
    const std::string ours = std::string_view(limit) == "timeout" ? "total_timeout" : "first_byte_timeout";
    double seconds = 0;
    if (!YAML::convert<double>::decode(node, seconds) || seconds <= 0) {
      leave_out(place + "." + limit, "not a number of seconds");
      continue;
    }
    fields.emplace_back(ours, quote(std::to_string(static_cast<int64_t>(seconds * 1000)) + "ms"));
  }
  if (const YAML::Node weight = parameters["weight"]) fields.emplace_back("weight", scalar(weight));
  std::string identity;
  for (const auto& [key, value] : fields) identity += key + "=" + value + "\n";
  const auto found = connections_.find(identity);
  if (found != connections_.end()) return found->second;
  std::string name(provider);
  if (const size_t number = ++names_[name]; number > 1) name += "-" + std::to_string(number);
  fields.insert(fields.begin(), {"name", quote(name)});
  connection_text_ += table("connections", fields);
  connections_.emplace(std::move(identity), name);
  ++out_.connections;
  return name;
}

// Where a model says nothing, LiteLLM asks the environment as AWS's own programs do.
void Importer::complete_bedrock(Fields& fields, const YAML::Node& parameters, const std::string& place) {
  constexpr std::string_view kRegionDefault = "us-west-2";  // LiteLLM's
  const auto has = [&](std::string_view key) {
    return std::ranges::any_of(fields, [&](const auto& field) { return field.first == key; });
  };
  if (!has("region")) {
    fields.emplace_back("region", quote(kRegionDefault));
    leave_out(place + ".aws_region_name",
              "not given: region is us-west-2, LiteLLM's default; write the one of AWS_REGION_NAME or AWS_REGION if "
              "that is set there");
  }
  if (has("api_key")) return;
  for (const std::string_view other : {"aws_profile_name", "aws_role_name", "aws_web_identity_token"}) {
    if (!parameters[std::string(other)]) continue;
    return leave_out(place + ": its AWS credentials",
                     "credentials are not fetched here; add access_key_id and secret_access_key (and session_token), "
                     "or api_key, to the connection");
  }
  if (has("access_key_id") && has("secret_access_key")) return;
  if (!has("access_key_id")) fields.emplace_back("access_key_id", "\"env:AWS_ACCESS_KEY_ID\"");
  if (!has("secret_access_key")) fields.emplace_back("secret_access_key", "\"env:AWS_SECRET_ACCESS_KEY\"");
  leave_out(place + ": its AWS credentials",
            "not given, so LiteLLM takes the environment's: the connection names AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY; add session_token = \"env:AWS_SESSION_TOKEN\" for temporary ones");
}

// The same of Google's.
void Importer::complete_vertex(Fields& fields, const YAML::Node& parameters, const std::string& place) {
  const auto has = [&](std::string_view key) {
    return std::ranges::any_of(fields, [&](const auto& field) { return field.first == key; });
  };
  if (!has("location")) {
    fields.emplace_back("location", "\"us-central1\"");
    leave_out(place + ".vertex_location", "not given: location is us-central1, LiteLLM's default");
  }
  if (!has("project")) {
    leave_out(place + ".vertex_project", "not given, so LiteLLM takes the credentials'; add project to the connection");
  }
  if (has("service_account_file") || parameters["vertex_credentials"]) return;
  leave_out(place + ": its Google credentials",
            "not given, so LiteLLM takes the environment's; add service_account_file to the connection: the file that "
            "GOOGLE_APPLICATION_CREDENTIALS names, or gcloud's application_default_credentials.json");
}

void Importer::note_limits(const YAML::Node& parameters, const std::string& name, const std::string& place) {
  Deployment& deployment = deployments_.emplace_back(Deployment{.name = name, .place = place, .limits = {}});
  for (const std::string_view limit : kLimits) {
    const YAML::Node node = parameters[std::string(limit)];
    if (!node || node.IsNull()) continue;
    uint64_t value = 0;
    if (YAML::convert<uint64_t>::decode(node, value) && value > 0) {
      deployment.limits[limit] = value;
    } else {
      leave_out(place + ".litellm_params." + std::string(limit), "expected a whole number, 1 or larger");
    }
  }
}

// A name's limit is the sum of its deployments', if all of them have one.
void Importer::add_limits() {
  for (const std::string_view limit : kLimits) {
    std::map<std::string, uint64_t> sums;
    std::map<std::string, bool> all;
    for (const Deployment& each : deployments_) {
      const auto found = each.limits.find(limit);
      all.emplace(each.name, true).first->second &= found != each.limits.end();
      if (found != each.limits.end()) sums[each.name] += found->second;
    }
    for (const Deployment& each : deployments_) {
      if (all[each.name] || !each.limits.contains(limit)) continue;
      leave_out(each.place + ".litellm_params." + std::string(limit),
                "a limit here is that of the model's name, and others of this name have none");
    }
    for (auto& [name, fields] : models_) {
      const auto sum = sums.find(name);
      if (sum == sums.end() || !all[name]) continue;
      fields.emplace_back(limit, std::to_string(sum->second));
      sums.erase(sum);  // in one entry of the name
    }
  }
}

void Importer::add_model(const YAML::Node& entry, size_t index) {
  const std::string place = "model_list[" + std::to_string(index) + "]";
  if (const std::string missing = missing_of(entry); !missing.empty()) {
    const bool placed = index < places_.size() && !places_[index].empty();
    return leave_out(place + (placed ? " (" + places_[index] + ")" : ""), "needs " + missing);
  }
  const std::string name = scalar(entry["model_name"]);
  const YAML::Node parameters = entry["litellm_params"];
  const std::string model = scalar(parameters["model"]);
  auto split = split_model(model);
  if (!split) return leave_out(place + " (" + name + ")", "there is no provider here for '" + model + "'");
  const std::string region = split->first == "bedrock" ? trim_bedrock(split->second) : std::string();
  const bool pattern = name.find('*') != std::string::npos;
  if (pattern && split->second != name && split->second != "*") {
    return leave_out(place + " (" + name + ")", "a pattern's calls go on by the client's own name, not as " + model);
  }
  if (pattern && split->second == "*" && name != "*") {
    return leave_out(place + " (" + name + ")", "the prefix would be part of the name that is sent on");
  }
  const std::string connection = connection_for(split->first, parameters, place, region);
  Fields fields = {{"name", quote(name)}, {"connection", quote(connection)}};
  if (!pattern) add_price(entry, place + " (" + name + ")", connection, split->first == "azure" ? name : split->second);
  if (!pattern) fields.emplace_back(split->first == "azure" ? "deployment" : "remote", quote(split->second));
  models_.emplace_back(name, fields);
  note_limits(parameters, name, place + " (" + name + ")");
  for (const auto& each : parameters) {
    const std::string key = scalar(each.first);
    static constexpr std::array<std::string_view, 6> kRead = {"model",  "timeout", "stream_timeout",
                                                              "weight", "rpm",     "tpm"};
    const bool known = std::ranges::find(kRead, key) != kRead.end() ||
                       std::ranges::find(kConnectionParameters, std::string_view(key), &ParameterName::theirs) !=
                           std::end(kConnectionParameters) ||
                       (is_cost(key) && !pattern);
    if (!known) leave_out(place + " (" + name + ").litellm_params." + key);
  }
  const YAML::Node info = entry["model_info"];
  if (!info || !info.IsMap()) return;
  for (const auto& each : info) {
    const std::string key = scalar(each.first);
    if (pattern || !is_cost(key)) leave_out(place + " (" + name + ").model_info." + key);
  }
}

// What LiteLLM is told to reckon with, of the parameters or of what is known of the model.
void Importer::add_price(const YAML::Node& entry, const std::string& place, const std::string& connection,
                         const std::string& model) {
  Fields fields = {{"provider", quote(connection)}, {"model", quote(model)}};
  const std::string what = connection + "/" + model;
  const Fields costs =
      costs_of(entry, [&](const std::string& which, const std::string& why) { leave_out(place + "." + which, why); });
  if (costs.empty()) return;
  fields.insert(fields.end(), costs.begin(), costs.end());
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(fields, [&](const auto& field) { return field.first == name; });
  };
  if (!has("input") || !has("output")) {
    return leave_out(place + ": its price", "needs input_cost_per_token and output_cost_per_token");
  }
  const auto [at, added] = prices_.emplace(what, fields);
  if (!added && at->second != fields) leave_out(place + ": its price", "there is another for " + what);
}

// Of what both sections may say: the router's word is read first, and LiteLLM goes by it.
void Importer::take_first(std::string& into, std::string_view value, const std::string& path, std::string_view first) {
  if (into.empty()) into = value;
  if (into != value) leave_out(path, std::string(first) + " is another, and LiteLLM goes by that");
}

// What is known of settings beside the models. True: it is in the configuration, or said why not.
bool Importer::read_setting(const std::string& section, const std::string& name, const YAML::Node& value) {
  const std::string path = section + "." + name;
  if (path == "general_settings.master_key" || path == "router_settings.model_group_alias") return true;
  if (section != "litellm_settings" && section != "router_settings") return false;
  const auto* const fallback = std::ranges::find(kFallbacks, name, &FallbackName::theirs);
  if (fallback != std::end(kFallbacks)) {
    add_fallbacks(path, value, fallback->ours);
    return true;
  }
  double number = 0;
  const bool is_number = value.IsScalar() && YAML::convert<double>::decode(value, number);
  if (name == "num_retries" && is_number && number >= 0 && number < 20) {
    take_first(attempts_, std::to_string(static_cast<int>(number) + 1), path, "router_settings.num_retries");
    return true;
  }
  constexpr double kSecondsMax = 7 * 24 * 3600;
  if ((path == "litellm_settings.request_timeout" || path == "router_settings.timeout") && is_number &&
      number >= 0.01 && number <= kSecondsMax) {
    take_first(timeout_, std::to_string(static_cast<int64_t>(number * 1000)) + "ms", path, "router_settings.timeout");
    return true;
  }
  if (path == "router_settings.routing_strategy") {
    const auto* const policy = std::ranges::find(kPolicies, scalar(value), &PolicyName::theirs);
    if (policy == std::end(kPolicies)) return false;
    route_.emplace_back("policy", quote(policy->ours));
    return true;
  }
  return false;
}

void Importer::add_fallbacks(const std::string& path, const YAML::Node& list, std::string_view on) {
  if (!list.IsSequence()) return leave_out(path, "expected a list");
  for (const auto& entry : list) {
    if (!entry.IsMap()) {
      leave_out(path, "expected a list of {model: [other models]}");
      continue;
    }
    for (const auto& each : entry) {
      const std::string model = scalar(each.first);
      std::vector<std::string> others;
      if (each.second.IsSequence()) {
        for (const auto& other : each.second) {
          const std::string name = scalar(other);
          if (has_model(name)) {
            others.push_back(name);
          } else {
            leave_out(path + "." + model, "there is no model " + name);
          }
        }
      }
      if (!has_model(model)) {
        leave_out(path + "." + model, "there is no such model");
      } else if (!others.empty()) {
        auto found = std::ranges::find(fallbacks_, model, &std::pair<std::string, Fallbacks>::first);
        if (found == fallbacks_.end()) found = fallbacks_.insert(found, {model, {.models = others, .on = {}}});
        if (found->second.models == others) {
          found->second.on.push_back(on);
        } else {
          leave_out(path + "." + model, "a model has one list of fallbacks here, and there is another");
        }
      }
    }
  }
}

// The first route that has a model is its only one, so that each says everything.
void Importer::add_routes() {
  for (const auto& [model, fallback] : fallbacks_) {
    std::vector<std::string> names = {model};
    for (const auto& [alias, group] : aliases_) {
      if (group == model) names.push_back(alias);
    }
    Fields fields = {{"models", quoted_list(names)},
                     {"fallbacks", quoted_list(fallback.models)},
                     {"fallback_on", quoted_list(fallback.on)}};
    fields.insert(fields.end(), route_.begin(), route_.end());
    out_.toml += table("routes", fields);
  }
  if (!route_.empty() && !models_.empty()) {
    Fields fields = {{"models", "[\"*\"]"}};
    fields.insert(fields.end(), route_.begin(), route_.end());
    out_.toml += table("routes", fields);
  }
  for (const auto& [what, price] : prices_) out_.toml += table("prices", price);
  if (!timeout_.empty()) out_.toml += "[upstream]\ntotal_timeout = " + quote(timeout_) + "\n\n";
}

// On Azure a price goes by the model's name, which is another now.
void Importer::price_alias(const std::string& alias, const Fields& model, const std::string& group,
                           const std::string& place) {
  const auto field = [&](std::string_view key) {
    const auto found = std::ranges::find(model, key, &Fields::value_type::first);
    return found == model.end() ? std::string() : found->second;
  };
  if (field("deployment").empty()) return;
  const std::string connection = field("connection");
  const auto is_it = [&](const auto& price) {
    return price.second[0].second == connection && price.second[1].second == quote(group);
  };
  const auto found = std::ranges::find_if(prices_, is_it);
  if (found == prices_.end()) {
    return leave_out(place, "on Azure prices go by the model's name: calls of " + alias + " cost what is known of " +
                                alias + ", not what " + group + " costs, unless [[prices]] say so");
  }
  Fields price = found->second;
  price[1].second = quote(alias);
  prices_.emplace(found->first + "\n" + alias, std::move(price));
}

void Importer::leave_out_of_alias(const YAML::Node& alias, const std::string& place) {
  for (const auto& each : alias) {
    const std::string key = scalar(each.first);
    bool hidden = false;
    if (key == "hidden" && YAML::convert<bool>::decode(each.second, hidden) && !hidden) continue;
    if (key == "hidden") leave_out(place + ".hidden", "it is in the list of models here, as every name is");
    if (key != "hidden" && key != "model") leave_out(place + "." + key);
  }
}

// The same models under another name.
void Importer::add_aliases() {
  const YAML::Node router = root_["router_settings"];
  if (!router || !router.IsMap()) return;
  const YAML::Node aliases = router["model_group_alias"];
  if (!aliases || !aliases.IsMap()) return;
  const auto originals = models_;
  for (const auto& each : aliases) {
    const std::string alias = scalar(each.first);
    const std::string group = each.second.IsMap() ? scalar(each.second["model"]) : scalar(each.second);
    const std::string place = "router_settings.model_group_alias." + alias;
    bool any = false;
    bool limited = false;
    for (const auto& [name, fields] : originals) {
      if (name != group) continue;
      Fields copy = fields;
      copy.front().second = quote(alias);
      limited = limited || std::ranges::any_of(copy, [](const auto& field) { return is_limit(field.first); });
      price_alias(alias, copy, group, place);
      models_.emplace_back(alias, std::move(copy));
      any = true;
    }
    if (any) aliases_.emplace(alias, group);
    if (!any) leave_out(place, "there is no model " + group);
    if (any && each.second.IsMap()) leave_out_of_alias(each.second, place);
    if (!limited) continue;
    leave_out(place, "limits belong to a name here: " + alias + " has those of " + group +
                         " once more, so both together may use twice as much; lower them, or use one of the names");
  }
}

// There it is an administrator's key, and a client's.
void Importer::add_master_key() {
  const YAML::Node general = root_["general_settings"];
  if (!general || !general.IsMap() || !general["master_key"]) return;
  const std::string key = value_text(general["master_key"]);
  if (key.empty()) return;
  out_.toml += table("admin_keys", {{"name", "\"litellm-master\""}, {"key", quote(key)}, {"role", "\"owner\""}});
  out_.toml += table("keys", {{"name", "\"litellm-master\""}, {"key", quote(key)}});
}

void Importer::read_section(const std::string& name, const YAML::Node& section) {
  if (!section.IsMap()) return leave_out(name);
  for (const auto& each : section) {
    if (!read_setting(name, scalar(each.first), each.second)) leave_out(name + "." + scalar(each.first));
  }
}

void Importer::read_rest() {
  const std::string first = "router_settings";
  if (root_[first]) read_section(first, root_[first]);
  for (const auto& section : root_) {
    const std::string name = scalar(section.first);
    if (name != "model_list" && name != first) read_section(name, section.second);
  }
  if (!attempts_.empty()) route_.insert(route_.begin(), {"attempts", attempts_});
}

LitellmImport Importer::run() {
  const YAML::Node models = root_["model_list"];
  if (models && models.IsSequence()) {
    for (size_t i = 0; i < models.size(); ++i) add_model(models[i], i);
  } else {
    leave_out("model_list", "is not there, or no list");
  }
  add_limits();
  add_aliases();
  out_.models = models_.size();
  for (const auto& [name, fields] : models_) connection_text_ += table("models", fields);
  out_.toml = std::move(connection_text_);
  read_rest();
  add_routes();
  add_master_key();
  while (out_.toml.ends_with("\n\n")) out_.toml.pop_back();
  return std::move(out_);
}

}  // namespace

std::expected<LitellmImport, std::string> import_litellm(std::string_view yaml, const ReadIncluded& read) {
  if (yaml.size() > kImportBytesMax) return std::unexpected("the file is larger than 4 MiB");
  try {
    ModelPlaces places;
    YAML::Node root = load_as_pyyaml(yaml, places);
    if (!root.IsMap())
      return std::unexpected("this is no configuration of LiteLLM: expected a mapping with model_list");
    take_in_included_files(root, places, read);
    return Importer(root, places).run();
  } catch (const YAML::Exception& error) {
    return std::unexpected(error.what());
  }
}

}  // namespace llmgw::control
