#include "control/objects/object_document.h"

#include <algorithm>
#include <boost/json.hpp>

namespace llmgw::control {
namespace {

namespace bj = boost::json;

constexpr int kDepthMax = 4;  // a list in a sub-table is 3

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}
std::string_view view(bj::string_view text) {
  return {text.data(), text.size()};
}

TomlValue convert(const bj::value& value, Location at, int depth) {
  TomlValue out;
  out.at = at;
  if (depth > kDepthMax) return out;
  switch (value.kind()) {
    case bj::kind::bool_:
      out.kind = TomlKind::boolean;
      out.boolean = value.get_bool();
      break;
    case bj::kind::int64:
      out.kind = TomlKind::integer;
      out.integer = value.get_int64();
      break;
    case bj::kind::double_:
      out.kind = TomlKind::number;
      out.number = value.get_double();
      break;
    case bj::kind::string:
      out.kind = TomlKind::string;
      out.text = view(value.get_string());
      break;
    case bj::kind::array:
      out.kind = TomlKind::array;
      for (const bj::value& each : value.get_array()) out.items.push_back(convert(each, at, depth + 1));
      break;
    case bj::kind::object:
      out.kind = TomlKind::table;
      for (const auto& [key, each] : value.get_object()) {
        if (!each.is_null()) out.members.push_back({std::string(view(key)), at, convert(each, at, depth + 1)});
      }
      break;
    default: break;  // null, and numbers beyond int64: no setting takes them
  }
  return out;
}

class Opener {
 public:
  Opener(const ObjectKind& kind, std::string_view id, const store::Vault& vault, const ResolveReference& resolve,
         std::vector<DocumentFault>& faults)
      : kind_(kind), id_(id), vault_(vault), resolve_(resolve), faults_(faults) {}

  void open(TomlValue& table) {
    std::erase_if(table.members, [](const TomlMember& member) { return member.key.starts_with('$'); });
    std::string connection;
    for (TomlMember& member : table.members) {
      open_secrets(member);
      for (const ReferenceField& reference : kind_.references) {
        if (reference.field == member.key) refer(reference, member.value, connection);
      }
    }
    // An assignment to one entry of [[models]] means that entry's connection.
    if (kind_.section != SectionId::assignment || connection.empty()) return;
    TomlValue value;
    value.kind = TomlKind::string;
    value.at = table.at;
    value.text = connection;
    std::erase_if(table.members, [](const TomlMember& member) { return member.key == "connection"; });
    table.members.push_back({"connection", table.at, std::move(value)});
  }

 private:
  void open_secrets(TomlMember& member) {
    const auto& settings = section_table(kind_.section).settings;
    const auto setting = std::ranges::find(settings, std::string_view(member.key), &Setting::key);
    if (setting == settings.end() || !is_sealed(*setting)) return;
    if (member.value.kind == TomlKind::table) {
      for (TomlMember& each : member.value.members) open_text(member.key + "." + each.key, each.value);
    } else {
      open_text(member.key, member.value);
    }
  }
  void open_text(const std::string& field, TomlValue& value) {
    if (value.kind != TomlKind::string || !value.text.starts_with(store::kSealedPrefix)) return;
    const auto opened = vault_.open(sealing_place(id_, field), value.text);
    if (opened) {
      value.text = opened->reveal();
      return;
    }
    faults_.push_back({field, std::string(opened.error().context)});
  }
  void refer(const ReferenceField& reference, TomlValue& value, std::string& connection) {
    if (value.kind == TomlKind::array) {
      for (TomlValue& each : value.items) refer(reference, each, connection);
      return;
    }
    const ObjectKind& target_kind = *find_kind(reference.kind);
    if (value.kind != TomlKind::string || !is_object_id(target_kind, value.text)) return;
    auto target = resolve_(target_kind, value.text);
    if (!target) {
      faults_.push_back(
          {std::string(reference.field), "there is no " + std::string(reference.kind) + " " + value.text});
      return;
    }
    value.text = std::move(target->name);
    if (!target->connection.empty()) connection = std::move(target->connection);
  }

  const ObjectKind& kind_;
  std::string_view id_;
  const store::Vault& vault_;
  const ResolveReference& resolve_;
  std::vector<DocumentFault>& faults_;
};

}  // namespace

std::string sealing_place(std::string_view id, std::string_view field) {
  return std::string(id) + " " + std::string(field);
}

TomlValue document_to_table(const ObjectKind& kind, std::string_view id, std::string_view document, Location at,
                            const store::Vault& vault, const ResolveReference& resolve,
                            std::vector<DocumentFault>& faults) {
  boost::system::error_code error;
  const bj::value parsed = bj::parse({document.data(), document.size()}, error);
  TomlValue table;
  table.kind = TomlKind::table;
  table.at = at;
  if (error || !parsed.is_object()) {
    faults.push_back({"", "its document is not a JSON object"});
    return table;
  }
  table = convert(parsed, at, 0);
  Opener(kind, id, vault, resolve, faults).open(table);
  return table;
}

int64_t named_since(const store::Object& object) {
  constexpr int64_t kMilli = 1000;
  const int64_t made = store::object_id_time(object.id) / kMilli;
  if (!object.document.contains(kNamedSince)) return made;  // nearly always
  boost::system::error_code error;
  const bj::value parsed = bj::parse(object.document, error);
  if (error || !parsed.is_object()) return made;
  const bj::value* const named = parsed.get_object().if_contains(kNamedSince);
  return named != nullptr && named->is_int64() ? std::max(made, named->get_int64()) : made;
}

std::vector<HashedKey> keys_of(std::string_view document) {
  std::vector<HashedKey> keys;
  boost::system::error_code error;
  const bj::value parsed = bj::parse({document.data(), document.size()}, error);
  if (error || !parsed.is_object()) return keys;
  const bj::value* const list = parsed.get_object().if_contains("$keys");
  if (list == nullptr || !list->is_array()) return keys;
  for (const bj::value& each : list->get_array()) {
    if (!each.is_object()) continue;
    const bj::value* const hash = each.get_object().if_contains("hash");
    const bj::value* const until = each.get_object().if_contains("until");
    if (hash == nullptr || !hash->is_string()) continue;
    const auto bytes = store::key_hash_from_hex(view(hash->get_string()));
    if (!bytes) continue;
    keys.push_back({*bytes, until != nullptr && until->is_int64() ? until->get_int64() : HashedKey::kForEver});
  }
  return keys;
}

}  // namespace llmgw::control
