// Which members of the objects inside a request are read, see dialects/members.h. Internal to the folder.
#pragma once

#include "dialects/members.h"

namespace llmgw::dialects::openai_responses {

extern const Shape kRequestShape;

}  // namespace llmgw::dialects::openai_responses
