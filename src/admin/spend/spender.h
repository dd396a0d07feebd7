// Who is meant where a request says whose calls it asks for.
#pragma once

#include <cstdint>
#include <expected>
#include <string>

#include "accounting/ledger_record.h"
#include "admin/api/object_api.h"
#include "control/ledger/ledger_store.h"

namespace llmgw::admin {

struct Spender {
  control::ReportColumn kind;
  std::string id = {};    // of an object of the store, also of one that is gone
  std::string name = {};  // empty: of an object that is gone and was named by its id
  bool of_file = false;
  int64_t named_since = 0;  // seconds since 1970, of an object of the store

  // In the ledger's sums; and whether a record is one of its calls. Records of 2026 have no ids: from when it got its
  // name, those of the name are its own.
  control::ReportFilter filter() const;
  bool made(const accounting::LedgerRecord& record) const;
};

Spender spender_of(control::ReportColumn kind, const store::Object& object);
// By an id or a name: who has it now, the file's before the store's; where nobody has it, whoever had it. The error:
// the store did not say. Blocking: reads the store.
std::expected<Spender, ApiAnswer> find_spender(const ApiContext& context, control::ReportColumn kind,
                                               const std::string& id_or_name);
// The team of a team admin, and no other that had its name.
std::expected<Spender, ApiAnswer> own_team(const ApiContext& context, const Actor& actor);

}  // namespace llmgw::admin
