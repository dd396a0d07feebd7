#include "control/config_text.h"

#include <algorithm>

#include "control/settings.h"
#include "providers/provider.h"

namespace llmgw::control {
namespace {

constexpr size_t kCommentColumns = 100;

const Origin* origin_of(const SectionBase& section, size_t setting) {
  const auto found = std::ranges::find(section.origins, setting, &Origin::setting);
  return found == section.origins.end() ? nullptr : &*found;
}

std::string reference_of(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::environment: return "env:" + origin.name;
    case Origin::Kind::referenced_file: return "file:" + origin.name;
    case Origin::Kind::file: break;
  }
  return {};
}

class Shower {
 public:
  explicit Shower(std::string_view file) : file_(file) {}

  template <class Section>
  void section(SectionId id, const Section& section) {
    const auto& table = section_table(id);
    text_ += table.repeated ? "\n[[" : "\n[";
    text_.append(table.name).append(table.repeated ? "]]\n" : "]\n");
    for (size_t i = 0; i < table.settings.size(); ++i) {
      const auto value = table.settings[i].render(&section);
      if (!value.empty()) line(table.settings[i], value, origin_of(section, i));
    }
  }
  std::string take() { return std::move(text_); }

 private:
  void line(const Setting& setting, const std::string& value, const Origin* origin) {
    const auto reference = origin == nullptr ? std::string() : reference_of(*origin);
    text_.append(setting.key).append(" = ");
    if (setting.type == SettingType::secret) {
      text_ += quote("(secret, " + (reference.empty() ? "written in the file" : "from " + reference) + ")");
    } else {
      text_ += value;
    }
    text_ += "  # ";
    if (origin == nullptr) {
      text_ += "default\n";
      return;
    }
    text_.append(file_).append(":").append(std::to_string(origin->at.line));
    if (!reference.empty() && setting.type != SettingType::secret) text_.append(", from ").append(reference);
    text_ += '\n';
  }

  std::string_view file_;
  std::string text_;
};

// "# " lines of at most kCommentColumns columns.
void append_comment(std::string& text, std::string_view comment) {
  while (!comment.empty()) {
    size_t end = comment.size();
    if (end > kCommentColumns - 2) {
      const size_t space = comment.rfind(' ', kCommentColumns - 2);
      end = space == std::string_view::npos || space == 0 ? end : space;
    }
    text.append("# ").append(comment.substr(0, end)).append("\n");
    comment.remove_prefix(std::min(comment.size(), end + 1));
  }
}

// Settings are commented out, but for server.data_dir where there is one.
void append_starter_section(std::string& text, const SectionTable& table, std::string_view data_dir) {
  text += '\n';
  append_comment(text, table.help);
  text.append("[").append(table.name).append("]\n");
  for (const auto& setting : table.settings) {
    append_comment(text, setting.help);
    if (table.id == SectionId::server && setting.key == "data_dir" && !data_dir.empty()) {
      text.append("data_dir = ").append(quote(data_dir)).append("\n");
      continue;
    }
    text.append("#").append(setting.key).append(" = ");
    text.append(setting.fallback.empty() ? setting.example : setting.fallback).append("\n");
  }
}

// Code in backquotes may hold a '|', which would end a cell.
std::string cell(std::string_view text) {
  std::string result;
  for (char c : text) result.append(c == '|' ? "\\|" : std::string(1, c));
  return result;
}

std::string code(std::string_view text) {
  return text.empty() ? "" : "`" + cell(text) + "`";
}

std::string bounds_of(const Setting& setting) {
  const auto bound = [&](int64_t value) {
    if (setting.type == SettingType::duration) return format_duration(Duration(value * 1'000'000));
    if (setting.type == SettingType::size) return format_size({static_cast<uint64_t>(value)});
    return std::to_string(value);
  };
  const bool bounded = setting.type == SettingType::integer || setting.type == SettingType::number ||
                       setting.type == SettingType::duration || setting.type == SettingType::size;
  if (!bounded || setting.max == std::numeric_limits<int64_t>::max()) return {};
  return ", " + bound(setting.min) + " to " + bound(setting.max);
}

void append_reference_table(std::string& text, const SectionTable& table) {
  const std::string brackets =
      table.repeated ? "[[" + std::string(table.name) + "]]" : "[" + std::string(table.name) + "]";
  text.append("\n### `").append(brackets).append("`\n\n").append(table.help).append("\n\n");
  text += "| key | type | default | what it does |\n|---|---|---|---|\n";
  for (const auto& setting : table.settings) {
    text.append("| `").append(setting.key).append("` | ").append(type_name(setting)).append(bounds_of(setting));
    text.append(" | ").append(setting.required ? "required" : code(setting.fallback)).append(" | ");
    text.append(cell(setting.help));
    if (!setting.example.empty()) text.append(" Example: ").append(code(setting.example)).append(".");
    if (setting.needs_restart) text += " A change needs a restart.";
    text += " |\n";
  }
}

void append_providers(std::string& text) {
  text += "\n### Providers\n\nThe words of `provider`.\n\n";
  text += "| provider | endpoint by default | credential |\n|---|---|---|\n";
  for (const auto* info : providers::all_providers()) {
    text.append("| `").append(info->name).append("` | ");
    const bool by_location = info->kind == providers::ProviderKind::vertex;
    text += by_location                      ? "by `location`"
            : info->by_region                ? "by `region`"
            : info->default_endpoint.empty() ? "none: give `endpoint`"
                                             : code(info->default_endpoint);
    text += info->credential == providers::CredentialNeed::required ? " | required |\n" : " | optional |\n";
  }
}

}  // namespace

std::string show_config(const Config& config, std::string_view file) {
  Shower shower(file);
  shower.section(SectionId::server, config.server);
  shower.section(SectionId::server_tls, config.server_tls);
  shower.section(SectionId::log, config.log);
  shower.section(SectionId::metrics, config.metrics);
  shower.section(SectionId::ledger, config.ledger);
  shower.section(SectionId::redis, config.redis);
  shower.section(SectionId::upstream, config.upstream);
  shower.section(SectionId::upstream_tls, config.upstream_tls);
  for (const auto& connection : config.connections) {
    shower.section(SectionId::connection, connection);
    if (!connection.tls.origins.empty()) shower.section(SectionId::connection_tls, connection.tls);
  }
  for (const auto& model : config.models) shower.section(SectionId::model, model);
  for (const auto& organization : config.organizations) shower.section(SectionId::organization, organization);
  for (const auto& team : config.teams) shower.section(SectionId::team, team);
  for (const auto& user : config.users) shower.section(SectionId::user, user);
  for (const auto& key : config.keys) shower.section(SectionId::key, key);
  for (const auto& route : config.routes) shower.section(SectionId::route, route);
  for (const auto& assignment : config.assignments) shower.section(SectionId::assignment, assignment);
  for (const auto& price : config.prices) shower.section(SectionId::price, price);
  return "# The effective configuration of " + std::string(file) + ".\n" + shower.take();
}

std::string starter_config(std::string_view client_key, std::string_view data_dir) {
  std::string text =
      "# Configuration of llm-gateway. `llm-gateway config validate` checks it, `llm-gateway config show` prints what "
      "is\n"
      "# in effect. Strings may be references: \"env:NAME\" (an environment variable) or \"file:PATH\" (a file's "
      "content).\n"
      "\n"
      "# Who may call, with which key. This one was made at random for this file.\n"
      "[[keys]]\n"
      "name = \"default\"\n"
      "key = " +
      quote(client_key) +
      "\n"
      "models = [\"*\"]\n"
      "\n"
      "# Where calls go: here an engine on this machine that speaks OpenAI's API.\n"
      "[[connections]]\n"
      "name = \"local\"\n"
      "provider = \"openai-compatible\"\n"
      "endpoint = \"http://127.0.0.1:8000/v1\"\n"
      "\n"
      "#[[connections]]\n"
      "#name = \"openai-main\"\n"
      "#provider = \"openai\"\n"
      "#api_key = \"env:OPENAI_API_KEY\"\n"
      "\n"
      "# What clients may ask for, and which connection serves it. `*` stands for any text; without `remote` the name "
      "is\n"
      "# passed on as the client gave it.\n"
      "[[models]]\n"
      "name = \"*\"\n"
      "connection = \"local\"\n"
      "\n"
      "#[[models]]\n"
      "#name = \"gpt-4-turbo\"\n"
      "#connection = \"openai-main\"\n"
      "#remote = \"gpt-4-turbo-preview\"\n";
  for (const auto& table : section_tables()) {
    if (!table.repeated && table.id != SectionId::connection_tls) append_starter_section(text, table, data_dir);
  }
  return text;
}

std::string settings_reference() {
  std::string text;
  for (const auto& table : section_tables()) append_reference_table(text, table);
  append_providers(text);
  return text.substr(1);
}

}  // namespace llmgw::control
