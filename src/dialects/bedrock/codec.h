// Bedrock's Converse API, both roles: POST /model/{id}/converse and /converse-stream (botocore, service model
// bedrock-runtime of 2023-09-30, as of August 2026). Models of every family stand behind it; what they differ in is in
// Target, and in additionalModelRequestFields. Stream events here are payloads: WireEvent.name is the :event-type or
// :exception-type, frames are read and written elsewhere. Pure; any thread.
#pragma once

#include "dialects/codec.h"

namespace llmgw::dialects::bedrock {

const Codec& codec();

}  // namespace llmgw::dialects::bedrock
