// What PostgreSQL or its library said of the last connection that this thread could not make, or of the last statement
// that failed on it: for people.
#pragma once

#include <string>

namespace llmgw::store {

// Empty if there is none, or if it repeats the URL, which may have a password.
std::string last_postgres_message();

}  // namespace llmgw::store
