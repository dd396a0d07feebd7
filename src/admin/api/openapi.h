// The admin API's description in the form of OpenAPI 3.1 (February 2021), written from the tables that the API itself
// works by: kinds of objects, their settings, roles. Pure; any thread.
#pragma once

#include <string>

namespace llmgw::admin {

std::string openapi_document();

}  // namespace llmgw::admin
