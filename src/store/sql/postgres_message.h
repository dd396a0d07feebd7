// What PostgreSQL's library said of the last connection that this thread could not make: for people.
#pragma once

#include <string>

namespace llmgw::store {

// Empty if there is none, or if it repeats the URL, which may have a password.
std::string last_postgres_message();

}  // namespace llmgw::store
