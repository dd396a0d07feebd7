// Who may call what and how much, as a snapshot holds it: scopes with limits, the people and teams they belong to, keys
// and their assignments. Immutable once built; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "admission/limits.h"
#include "admission/meter.h"
#include "control/model_filter.h"
#include "control/units.h"
#include "routing/model_table.h"

namespace llmgw::control {

enum class ScopeKind : uint8_t { organization, team, user, key, assignment, model };
inline constexpr size_t kScopeKindCount = 6;
// "organization", ...: in messages, reports and shared state.
std::string_view to_string(ScopeKind kind);

// Something that has limits or a budget. Its identity is the same in every snapshot, process and gateway, so that what
// has been used of a limit outlives a reload. Of an object of the store it is made of the id: what it used goes with it
// when it is renamed, and another one of its name begins with nothing. Of the file's, and of models, which several
// entries make up, it is made of the name.
struct Scope {
  struct LimitSet {
    admission::Limits limits;
    admission::CompiledLimits compiled;
  };
  ScopeKind kind;
  uint64_t identity;
  std::string name;
  std::shared_ptr<const LimitSet> set;      // scopes with the same limits share it
  std::shared_ptr<admission::Meter> meter;  // the same in every snapshot of the process
  // Of an object of the store: under what older gateways, which went by names, wrote down what it used, and since when
  // (seconds since 1970) it has the name. 0: of the file, or a model.
  uint64_t identity_by_name = 0;
  int64_t named_since = 0;

  const admission::Limits& limits() const { return set->limits; }
  const admission::CompiledLimits& compiled() const { return set->compiled; }
};
// By the id of an object of the store, or by a name; of an assignment that is the key's, a slash and the alias.
uint64_t scope_identity(ScopeKind kind, std::string_view name);

inline constexpr uint32_t kNone = UINT32_MAX;  // no such object, or no scope because nothing is limited

// Which object of the store it is. Empty and 0: none, but one of the file.
struct StoredAs {
  std::string id;
  int64_t named_since = 0;  // seconds since 1970
};

struct Organization {
  std::string name;
  StoredAs stored;
  ModelFilter models;
  uint32_t scope = kNone;
};

struct Team {
  std::string name;
  StoredAs stored;
  uint32_t organization = kNone;
  ModelFilter models;
  uint32_t scope = kNone;
};

struct User {
  std::string name;
  StoredAs stored;
  std::string email;
  ModelFilter models;
  uint32_t scope = kNone;
};

// A model under a name of one key. Holds views into the snapshot's model table.
struct Assignment {
  std::string alias;
  std::string model;  // what stands for the client's name from here on
  routing::Group group;
  uint32_t scope = kNone;
};

// Who calls without a key is called, and has this id, which no object of the store has.
inline constexpr std::string_view kAnonymous = "anonymous";

// The owner of a key.
struct Principal {
  std::string name;
  std::string id;           // never another's: a key of the store, or kAnonymous; empty: a key of the file
  int64_t named_since = 0;  // seconds since 1970, of a key of the store
  ModelFilter models;
  uint32_t organization = kNone;
  uint32_t team = kNone;
  uint32_t user = kNone;
  bool blocked = false;
  Timestamp expires{INT64_MAX};
  std::vector<std::string> tags = {};
  int32_t priority = 0;  // where calls wait
  int32_t priority_max = 10;
  uint32_t weight = 1;
  bool policy_header = true;      // may choose a policy, where the route allows it
  uint32_t first_assignment = 0;  // in Snapshot::assignments, sorted by alias
  uint32_t assignment_count = 0;
  // The scopes above a call of this key, widest first: organization, team, user, key.
  std::array<uint32_t, 4> scopes{kNone, kNone, kNone, kNone};
  uint8_t scope_count = 0;

  std::span<const uint32_t> governing_scopes() const { return {scopes.data(), scope_count}; }
};

}  // namespace llmgw::control
