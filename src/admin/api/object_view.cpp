#include "admin/api/object_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>

#include "admin/api/object_fields.h"
#include "control/objects/object_document.h"
#include "control/objects/object_identity.h"
#include "control/units.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::ObjectKind;

bj::string_view bjs(std::string_view text) {
  return {text.data(), text.size()};
}

bj::value hide(const bj::value& value) {
  if (value.is_object()) {
    bj::object shown;
    for (const auto& [key, each] : value.get_object()) shown[key] = hide(each);
    return shown;
  }
  const bool sealed = value.is_string() && value.get_string().starts_with(bjs(store::kSealedPrefix));
  return sealed ? bj::value(bjs(control::kShownSecret)) : value;
}

// A member of an object's document as answers have it.
bj::value show_member(const ObjectKind& kind, std::string_view field, const bj::value& value) {
  const auto& settings = control::section_table(kind.section).settings;
  const auto setting = std::ranges::find(settings, field, &control::Setting::key);
  if (setting == settings.end()) return value;
  if (control::is_sealed(*setting)) return hide(value);
  // Whole dollars may be sent as a number, as the configuration file may have them; answers have a text always.
  if (setting->type == control::SettingType::money && value.is_int64()) {
    return bj::value(bjs(std::to_string(value.get_int64())));
  }
  return value;
}

// A section's setting as JSON: what stands in TOML is JSON too, but for tables, which only headers are.
bj::value from_toml(const control::Setting& setting, const std::string& rendered) {
  if (setting.secret()) return bj::value(bjs(control::kShownSecret));
  boost::system::error_code error;
  bj::value value = bj::parse(rendered, error);
  return error ? bj::value(rendered) : value;
}

// The name that people have for it; an assignment has none.
template <class Section>
std::string called(const Section& section) {
  if constexpr (requires { section.name; }) {
    return section.name;
  } else if constexpr (std::is_same_v<Section, control::AssignmentConfig>) {
    return {};
  } else {
    return control::identity(section);
  }
}

template <class Section>
void show_section(const ObjectKind& kind, const Section& section, std::vector<FileObject>& out) {
  bj::object shown;
  shown["id"] = "file:" + std::to_string(out.size() + 1);
  shown["kind"] = bjs(kind.name);
  for (const control::Setting& setting : control::section_table(kind.section).settings) {
    const std::string rendered = setting.render(&section);
    if (rendered.empty()) continue;
    if (setting.fallback == rendered && setting.key != "provider") continue;
    shown[bjs(setting.key)] = from_toml(setting, rendered);
  }
  shown["source"] = "file";
  out.push_back(
      {.id = "file:" + std::to_string(out.size() + 1), .name = called(section), .json = bj::serialize(shown)});
}

// Calls visit(section) for the file's objects of a kind, in their order.
void each_of_file(const control::Config& file, const ObjectKind& kind, auto visit) {
  const auto each = [&](const auto& sections) {
    for (const auto& section : sections) visit(section);
  };
  switch (kind.section) {
    case control::SectionId::connection: return each(file.connections);
    case control::SectionId::model: return each(file.models);
    case control::SectionId::organization: return each(file.organizations);
    case control::SectionId::team: return each(file.teams);
    case control::SectionId::user: return each(file.users);
    case control::SectionId::key: return each(file.keys);
    case control::SectionId::assignment: return each(file.assignments);
    case control::SectionId::price: return each(file.prices);
    case control::SectionId::route: return each(file.routes);
    case control::SectionId::admin_key: return each(file.admin_keys);
    default: return;
  }
}

// Those that a rotation left good for a while, newest first.
bj::array previous_keys(const bj::object& document, int64_t now_ms) {
  bj::array shown;
  const bj::value* const keys = document.if_contains("$keys");
  if (keys == nullptr || !keys->is_array()) return shown;
  // They are all one key's, and end with it.
  const auto own_end = control::parse_timestamp(text_of(document, "expires"));
  const int64_t expires = own_end ? own_end->seconds : INT64_MAX;
  for (const bj::value& each : keys->get_array()) {
    const bj::value* const until = each.is_object() ? each.get_object().if_contains("until") : nullptr;
    if (until == nullptr || !until->is_int64()) continue;
    const int64_t end = std::min(until->get_int64(), expires);
    if (end <= now_ms / 1000) continue;
    bj::object key;
    if (const bj::value* const hint = each.get_object().if_contains("hint")) key["key_hint"] = *hint;
    key["until"] = format_time_ms(end * 1000);
    shown.push_back(std::move(key));
  }
  return shown;
}

}  // namespace

std::string format_time_ms(int64_t ms) {
  const auto time = std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(ms));
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string etag_of(const store::Object& object) {
  return "\"" + std::to_string(object.version) + "\"";
}

std::string show_object(const ApiContext& context, const ObjectKind& kind, const store::Object& object, int64_t now_ms,
                        std::string_view made_key) {
  bj::object shown;
  shown["id"] = object.id;
  shown["kind"] = bjs(kind.name);
  boost::system::error_code error;
  const bj::value document = bj::parse(object.document, error);
  if (!error && document.is_object()) {
    for (const auto& [key, value] : document.get_object()) {
      if (key.starts_with('$')) continue;
      shown[key] = show_member(kind, {key.data(), key.size()}, value);
    }
    const bj::value* const hint = document.get_object().if_contains("$hint");
    if (hint != nullptr) shown["key_hint"] = *hint;
    if (bj::array before = previous_keys(document.get_object(), now_ms); !before.empty()) {
      shown["previous_keys"] = std::move(before);
    }
  } else {
    shown["problem"] = "its document is not a JSON object";
  }
  for (const control::ReferenceField& field : kind.references) {
    const bj::value* const reference = shown.if_contains(bjs(field.field));
    if (reference == nullptr || !reference->is_string()) continue;
    const std::string_view id{reference->get_string().data(), reference->get_string().size()};
    if (!control::is_object_id(*control::find_kind(field.kind), id)) continue;
    const auto target = context.store.get(id);
    if (target && *target) shown[std::string(field.field) + "_name"] = (*target)->name;
  }
  shown["source"] = "store";
  shown["version"] = object.version;
  shown["created_at"] = format_time_ms(object.created_ms);
  shown["updated_at"] = format_time_ms(object.updated_ms);
  if (!made_key.empty()) shown["key"] = bjs(made_key);
  return bj::serialize(shown);
}

namespace {

// control::identity() of an object of the store, as show_object() has it.
std::string identity_of(const ObjectKind& kind, const std::string& shown, std::string_view name) {
  using enum control::SectionId;
  if (kind.section != model && kind.section != assignment) return std::string(name);
  const bj::value parsed = bj::parse(shown);
  const auto text = [&](const std::string& field) {
    const bj::value* value = parsed.get_object().if_contains(field + "_name");
    if (value == nullptr) value = parsed.get_object().if_contains(field);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  if (kind.section == model) return text("name") + "\n" + text("connection");
  const std::string alias = text("alias");
  return text("key") + "\n" + (alias.empty() ? text("model") : alias);
}

}  // namespace

ProblemFinder::ProblemFinder(const ApiContext& context, const ObjectKind& kind) : kind_(kind), unused_(context.unused) {
  each_of_file(context.file, kind, [&](const auto& section) { identities_.insert(control::identity(section)); });
}

std::string ProblemFinder::mark(std::string shown, const store::Object& object) const {
  std::string_view problem;
  if (unused_ != nullptr) {
    if (const auto found = unused_->find(object.id); found != unused_->end()) problem = found->second;
  }
  // The file's names are known without anything in force.
  if (!identities_.empty() && identities_.contains(identity_of(kind_, shown, object.name))) {
    problem = control::kHiddenByFile;
  }
  if (problem.empty()) return shown;
  bj::object marked = bj::parse(shown).get_object();
  marked["problem"] = bjs(problem);
  return bj::serialize(marked);
}

std::vector<FileObject> show_file_objects(const control::Config& file, const ObjectKind& kind) {
  std::vector<FileObject> out;
  each_of_file(file, kind, [&](const auto& section) { show_section(kind, section, out); });
  return out;
}

bool file_has(const control::Config& file, const ObjectKind& kind, std::string_view name) {
  bool has = false;
  each_of_file(file, kind, [&](const auto& section) { has = has || called(section) == name; });
  return has;
}

}  // namespace llmgw::admin
