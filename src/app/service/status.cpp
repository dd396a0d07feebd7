#include "app/service/status.h"

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <utility>

#include "base/text.h"
#include "control/units.h"
#include "json/reader.h"
#include "json/text.h"
#include "json/writer.h"

namespace llmgw::app {
namespace {

using Members = std::map<std::string, std::vector<std::string>, std::less<>>;

std::string plain(std::string_view escaped) {
  std::string text(escaped.size(), '\0');
  auto length = json::unescape(escaped, text.data());
  text.resize(length ? *length : 0);
  return text;
}

std::string read_scalar(json::Reader& reader) {
  return reader.kind() == json::Kind::string ? plain(reader.string()) : std::string(reader.skip());
}

// A flat object: every value as text, an array as several.
std::optional<Members> read_members(std::string_view text) {
  json::Parser parser;
  auto document = parser.parse(text);
  if (!document) return std::nullopt;
  json::Reader reader(*document);
  Members members;
  if (!reader.enter_object()) return std::nullopt;
  for (std::string_view key; reader.next_member(key);) {
    auto& values = members[std::string(key)];
    if (reader.kind() == json::Kind::array && reader.enter_array()) {
      while (reader.next_element()) values.push_back(read_scalar(reader));
    } else {
      values.push_back(read_scalar(reader));
    }
  }
  if (!reader.finish()) return std::nullopt;
  return members;
}

double seconds(base::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

base::Duration from_seconds(const std::string& text) {
  return std::chrono::duration_cast<base::Duration>(std::chrono::duration<double>(std::strtod(text.c_str(), nullptr)));
}

void write_predecessor(json::Writer& w, const process::DrainingProcess& predecessor) {
  w.begin_object().member("pid", predecessor.pid);
  if (const auto& note = predecessor.note) {
    w.member("in_flight", note->in_flight);
    w.member("draining_since", note->since).member("draining_until", note->until);
  } else {
    w.null_member("in_flight").null_member("draining_since").null_member("draining_until");
  }
  w.end_object();
}

struct Predecessor {
  std::string pid;
  std::optional<process::DrainNote> note;
};

// A gateway of an earlier version has nothing but the number there.
Predecessor read_predecessor(const std::string& text) {
  const auto members = read_members(text);
  if (!members) return {.pid = text, .note = {}};
  const auto number = [&](std::string_view key) -> std::optional<uint64_t> {
    const auto found = members->find(key);
    return found == members->end() || found->second.empty() ? std::nullopt : base::parse_decimal(found->second[0]);
  };
  Predecessor predecessor{.pid = std::to_string(number("pid").value_or(0)), .note = {}};
  const auto since = number("draining_since");
  const auto until = number("draining_until");
  const auto in_flight = number("in_flight");
  if (since && until && in_flight) predecessor.note = {.since = *since, .until = *until, .in_flight = *in_flight};
  return predecessor;
}

class Lines {
 public:
  explicit Lines(const Members& members) : members_(members) {}
  std::string_view value(std::string_view key) const {
    const auto found = members_.find(key);
    return found == members_.end() || found->second.empty() || found->second[0] == "null" ? std::string_view{}
                                                                                          : found->second[0];
  }
  void add(std::string_view label, std::string_view text) {
    if (text.empty()) return;
    out_.append(label).append(label.size() < kWidth ? kWidth - label.size() : 1, ' ').append(text).append("\n");
  }
  // Settings that a new process takes, and what does not come with an upgrade.
  void add_waiting(std::string_view key) {
    const auto found = members_.find(key);
    if (found == members_.end()) return;
    std::string upgrade;
    std::string restart;
    for (const std::string& each : found->second) {
      std::string& text = each == kKeptByUpgrade ? restart : upgrade;
      text += (text.empty() ? "" : ", ") + each;
    }
    add("needs upgrade", upgrade);
    add("needs restart", restart);
  }
  void add_predecessors() {
    const auto found = members_.find("predecessors");
    if (found == members_.end()) return;
    for (const std::string& each : found->second) {
      const auto [pid, note] = read_predecessor(each);
      add("replaced", "pid " + pid + ", finishes what it has begun" + describe_drain(note));
    }
  }
  // A unix socket never speaks TLS.
  void add_listeners() {
    const auto found = members_.find("listen");
    if (found == members_.end()) return;
    const bool tls = value("tls") == "true";
    for (const std::string& text : found->second)
      add(tls && !text.starts_with("unix:") ? "listen (TLS)" : "listen", text);
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr size_t kWidth = 16;
  const Members& members_;
  std::string out_;
};

}  // namespace

std::string describe_drain(const std::optional<process::DrainNote>& note) {
  if (!note) return {};
  const auto time = [](uint64_t seconds) {
    return control::format_timestamp({.seconds = static_cast<int64_t>(seconds)});
  };
  return ": " + std::to_string(note->in_flight) + (note->in_flight == 1 ? " call" : " calls") + " in flight, since " +
         time(note->since) + ", until " + time(note->until) + " at the latest";
}

std::string human_duration(base::Duration duration) {
  struct Unit {
    const char* name;
    int64_t ns;
  };
  constexpr Unit kUnits[] = {{"days", 86'400'000'000'000}, {"h", 3'600'000'000'000}, {"min", 60'000'000'000},
                             {"s", 1'000'000'000},         {"ms", 1'000'000},        {"us", 1'000}};
  int64_t left = duration.count();
  std::string text;
  int shown = 0;
  for (const Unit& unit : kUnits) {
    const int64_t count = left / unit.ns;
    if (count == 0 && shown == 0) continue;
    if (count != 0) text += (shown > 0 ? " " : "") + std::to_string(count) + " " + unit.name;
    left -= count * unit.ns;
    // Below a second one unit says enough.
    if (++shown == 2 || unit.ns <= 1'000'000'000) break;
  }
  return text.empty() ? "0 s" : text;
}

std::string write_status(const StatusReport& report) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("ok", true).member("pid", report.pid).member("version", report.version);
  w.member("state", report.state).text_or_null("trouble", report.trouble);
  w.member("uptime_seconds", seconds(report.uptime)).member("config", report.config);
  w.member("snapshot", report.snapshot_version).text_or_null("last_reload_error", report.last_reload_error);
  w.text_or_null("log_trouble", report.log_trouble);
  w.key("restart_required").begin_array();
  for (const std::string& setting : report.restart_required) w.value(setting);
  w.end_array();
  w.text_or_null("store", report.store).text_or_null("store_trouble", report.store_trouble);
  w.member("store_away", report.store_away);
  w.text_or_null("store_unreadable", report.store_unreadable).text_or_null("master_key", report.master_key);
  w.key("predecessors").begin_array();
  for (const process::DrainingProcess& predecessor : report.predecessors) write_predecessor(w, predecessor);
  w.end_array();
  w.key("listen").begin_array();
  for (const std::string& address : report.listen) w.value(address);
  w.end_array().text_or_null("admin_listen", report.admin_listen).member("tls", report.tls);
  w.member("workers", report.workers).text_or_null("missing", report.missing);
  w.member("connections_configured", report.connections_configured);
  w.member("models", report.models).member("keys", report.keys);
  w.member("requests", report.requests).member("in_flight", report.in_flight);
  w.member("client_connections", report.client_connections);
  w.member("upstream_connections", report.upstream_connections);
  const auto latency = [&](std::string_view name, const std::optional<base::Duration>& value) {
    if (value) {
      w.member(name, seconds(*value));
    } else {
      w.null_member(name);
    }
  };
  latency("added_p50_seconds", report.added_p50);
  latency("added_p99_seconds", report.added_p99);
  w.end_object();
  return out;
}

std::expected<std::string, std::string> render_status(std::string_view text) {
  const auto members = read_members(text);
  if (!members) return std::unexpected("the gateway's answer is not a status");
  Lines lines(*members);
  if (lines.value("pid").empty()) return std::unexpected("the gateway's answer is not a status");
  const auto joined = [&](std::initializer_list<std::string_view> parts) {
    std::string out;
    for (const std::string_view part : parts) out += part;
    return out;
  };
  lines.add("state",
            joined({lines.value("state"), ", pid ", lines.value("pid"), ", version ", lines.value("version")}));
  lines.add_predecessors();
  lines.add("trouble", lines.value("trouble"));
  lines.add("up for", human_duration(from_seconds(std::string(lines.value("uptime_seconds")))));
  lines.add_listeners();
  lines.add("administration", lines.value("admin_listen"));
  lines.add("workers", lines.value("workers"));
  lines.add("configuration", joined({lines.value("config"), ", version ", lines.value("snapshot")}));
  lines.add("", joined({lines.value("connections_configured"), " connections, ", lines.value("models"), " models, ",
                        lines.value("keys"), " keys"}));
  lines.add("serves nothing", lines.value("missing").empty() ? "" : joined({"there is ", lines.value("missing")}));
  lines.add("store", lines.value("store"));
  lines.add(lines.value("store_away") == "true" ? "database away" : "store trouble", lines.value("store_trouble"));
  lines.add("not readable", lines.value("store_unreadable"));
  lines.add("not reloaded", lines.value("last_reload_error"));
  lines.add("log not reopened", lines.value("log_trouble"));
  lines.add_waiting("restart_required");
  lines.add("requests", joined({lines.value("requests"), ", in flight ", lines.value("in_flight")}));
  lines.add("connections", joined({lines.value("client_connections"), " of clients, ",
                                   lines.value("upstream_connections"), " to upstreams"}));
  if (!lines.value("added_p50_seconds").empty()) {
    lines.add("added time", "p50 " + human_duration(from_seconds(std::string(lines.value("added_p50_seconds")))) +
                                ", p99 " + human_duration(from_seconds(std::string(lines.value("added_p99_seconds")))));
  }
  return lines.take();
}

bool is_serving(std::string_view json) {
  const auto members = read_members(json);
  return members && Lines(*members).value("state") == "serving";
}

std::string master_key_of(std::string_view json) {
  const auto members = read_members(json);
  if (!members) return {};
  const std::string_view id = Lines(*members).value("master_key");
  return id == "null" ? std::string() : std::string(id);
}

std::string write_answer(const CommandAnswer& answer) {
  std::string out;
  json::Writer w(out);
  w.begin_object().member("ok", answer.ok).member(answer.ok ? "message" : "error", answer.message).end_object();
  return out;
}

std::expected<CommandAnswer, std::string> read_answer(std::string_view text) {
  const auto members = read_members(text);
  if (!members || !members->contains("ok")) return std::unexpected("the gateway's answer cannot be understood");
  CommandAnswer answer;
  answer.ok = members->at("ok") == std::vector<std::string>{"true"};
  const auto message = members->find(answer.ok ? "message" : "error");
  if (message != members->end() && !message->second.empty()) answer.message = message->second[0];
  return answer;
}

}  // namespace llmgw::app
