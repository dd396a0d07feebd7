// What tells an object from the others of its kind, by names. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "control/config.h"
#include "control/objects/object_kinds.h"

namespace llmgw::control {

// Of an object of the store that is hidden by one of the file with the same identity.
inline constexpr std::string_view kHiddenByFile =
    "the configuration file has one of the same name, which is used instead";
// Of a key whose secret is another's already, be it the newest there or one from before a rotation.
inline constexpr std::string_view kSameKey = "another object has the same key";

// The same for an object of the file and one of the store that cannot both be used.
template <class Section>
std::string identity(const Section& section) {
  if constexpr (std::is_same_v<Section, ModelConfig>) {
    return section.name + "\n" + section.connection;
  } else if constexpr (std::is_same_v<Section, AssignmentConfig>) {
    return section.key + "\n" + (section.alias.empty() ? section.model : section.alias);
  } else if constexpr (std::is_same_v<Section, PriceConfig>) {
    return price_name(section.provider, section.model, section.above_tokens);
  } else if constexpr (std::is_same_v<Section, RouteConfig>) {
    return route_name(section.models);
  } else {
    return section.name;
  }
}

}  // namespace llmgw::control
