// Where the databases of a gateway are, beside that of its objects (objects/store_access.h): files of its data
// directory, or the PostgreSQL of the store, which several gateways share. Copied freely; any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "control/config.h"
#include "store/sql/session.h"

namespace llmgw::control {

// Blocking.
using OpenDatabase = std::function<base::Result<std::unique_ptr<store::SqlSession>>()>;

// The files of the ledger, and the database that has their sums.
struct LedgerAccess {
  std::string data_dir;
  OpenDatabase open_database;
  std::string place;    // of the database, for people: without a password
  bool shared = false;  // several gateways' sums are there
};

LedgerAccess ledger_access(const StoreSettings& settings, const std::string& data_dir);

// What the Responses API remembers, and the folder where that waits which the database cannot take.
OpenDatabase responses_database(const StoreSettings& settings, const std::string& data_dir);
std::string responses_spool(const std::string& data_dir);

}  // namespace llmgw::control
