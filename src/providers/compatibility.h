// What is carried between the dialects, as Markdown tables: one probe for each feature goes through every pair of a
// client's dialect and a provider, by the very code that serves calls, and what it says of it is written down. For
// docs/compatibility.md; a test keeps the two equal. Deterministic. Any thread; not the hot path.
#pragma once

#include <string>

namespace llmgw::providers {

std::string compatibility_tables();

}  // namespace llmgw::providers
