// From what a client wrote to a change of the store: fields checked, names of other objects turned into ids, keys made
// and hashed, secrets sealed, and the whole judged as the loader of configurations will judge it. Blocking: reads the
// store, writes nothing.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "admin/api/object_api.h"
#include "admin/api/object_lookup.h"

namespace llmgw::admin {

struct Draft {
  store::ObjectChange change;
  base::Secret made_key;  // shown once: the key that was made or given; empty if none was
};

// From the fields in the request's body.
std::expected<Draft, ApiAnswer> draft_creation(const ApiContext& context, const ApiRequest& request,
                                               const control::ObjectKind& kind);
// The body is a patch as RFC 7396 has it: null removes a field.
std::expected<Draft, ApiAnswer> draft_update(const ApiContext& context, const ApiRequest& request,
                                             const control::ObjectKind& kind, const store::Object& before);
// Another key; the ones before are good for what the body's "overlap" says.
std::expected<Draft, ApiAnswer> draft_rotation(const ApiContext& context, const ApiRequest& request,
                                               const control::ObjectKind& kind, const store::Object& before);

}  // namespace llmgw::admin
