// What a configuration needs before any call can be served, and what a new one would take away: a file that a broken
// pipeline left empty, or cut short, must not end all traffic as if that were meant. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "control/snapshot.h"

namespace llmgw::control {

struct ServingNeeds {
  size_t connections = 0;
  size_t models = 0;
  size_t callers = 0;  // keys, and the anonymous caller where it is allowed
};

// Of the file, the store and the engines together.
ServingNeeds serving_needs(const Snapshot& snapshot);
// Of the file alone.
ServingNeeds serving_needs(const Config& file);

// "no connection, no model": what no call can do without. Empty: nothing.
std::string missing_needs(const ServingNeeds& needs);
// "the last connection, the last key": what is there before and not after. Empty: nothing.
std::string lost_needs(const ServingNeeds& before, const ServingNeeds& after);

// Nothing but white space and comments.
bool says_nothing(std::string_view text);

}  // namespace llmgw::control
