// An object's document, as the store keeps it: a JSON object with the fields of its section that were set, secrets
// sealed, references as ids where they mean an object of the store. Members that begin with '$' are the store's own:
//   $keys   hashes of the keys a virtual key has: [{"hash": "<hex>", "until": <seconds since 1970, absent: for ever>}]
//   $hint   the first and last characters of the newest
// Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "control/config.h"
#include "control/objects/object_kinds.h"
#include "control/toml_tree.h"
#include "store/objects/object_store.h"
#include "store/vault/key_hash.h"
#include "store/vault/vault.h"

namespace llmgw::control {

// What replaces a sealed value wherever a document is shown.
inline constexpr std::string_view kShownSecret = "(secret)";

// Where a value is sealed for: "<id> <field>".
std::string sealing_place(std::string_view id, std::string_view field);

struct DocumentFault {
  std::string field;  // empty: the document as a whole
  std::string message;
};

// How a reference is written in a configuration: the name behind an id. Empty: there is no such object.
struct ReferenceTarget {
  std::string name;
  std::string connection = {};  // of a model
};
using ResolveReference = std::function<std::optional<ReferenceTarget>(const ObjectKind& kind, std::string_view id)>;

// The document as a table that the loader of configurations reads, with secrets opened and references as names. All of
// it is at `at`. Faults go to `faults`; what can be read is there all the same.
TomlValue document_to_table(const ObjectKind& kind, std::string_view id, std::string_view document, Location at,
                            const store::Vault& vault, const ResolveReference& resolve,
                            std::vector<DocumentFault>& faults);

// When a document's object got its name, if that was not when it was made: seconds since 1970.
inline constexpr std::string_view kNamedSince = "$named";
// When an object got its name.
int64_t named_since(const store::Object& object);

std::vector<HashedKey> keys_of(std::string_view document);

}  // namespace llmgw::control
