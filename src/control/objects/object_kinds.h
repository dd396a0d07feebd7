// The kinds of objects a store holds, one table: what the command line and the admin API call them, which section of
// the configuration has the same fields, what they refer to. Static; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "control/settings.h"

namespace llmgw::control {

struct ReferenceField {
  std::string_view field;
  std::string_view kind;
};

struct ObjectKind {
  std::string_view name;       // "connection", in the store and in messages
  std::string_view plural;     // "connections", in paths of the admin API
  std::string_view command;    // of the command line: "connection", "vkey", "assign"
  std::string_view id_prefix;  // "conn_"
  SectionId section;           // where its fields are declared
  std::string_view id_option;  // what other commands call its id: "--conn-id"
  std::span<const ReferenceField> references = {};
  // The field, beside the name, that tells objects of one name apart; empty: names are unique.
  std::string_view also_unique = {};
  std::string_view key_prefix = {};  // of the key that is made for it; empty: it has none
  std::string_view help;             // one line

  bool has_key() const { return !key_prefix.empty(); }
  // Assignments, prices and routes have no name of their own: they are called by what they are for.
  bool has_name() const {
    return section != SectionId::assignment && section != SectionId::price && section != SectionId::route;
  }
};

std::span<const ObjectKind> object_kinds();
// Null where there is none of that name.
const ObjectKind* find_kind(std::string_view name);
const ObjectKind* find_kind_by_plural(std::string_view plural);
const ObjectKind* find_kind_by_command(std::string_view command);

// Whether a text looks like an id of that kind: such a name could not be told from one.
bool is_object_id(const ObjectKind& kind, std::string_view text);

// What a price is called: "openai/gpt-4o", "openai/gpt-4o/above-200000".
std::string price_name(std::string_view provider, std::string_view model, uint64_t above_tokens);
// What a route is called: its models, "gpt-*,o3".
std::string route_name(std::span<const std::string> models);

// A setting whose value is sealed in the store.
bool is_sealed(const Setting& setting);

}  // namespace llmgw::control
