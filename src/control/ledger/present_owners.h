// Which of the owners that the ledger knows are in the objects' store, and what they are called there now. Blocking.
#pragma once

#include <memory>

#include "base/result.h"
#include "control/ledger/ledger_store.h"
#include "store/objects/object_store.h"

namespace llmgw::control {

// Of the kinds that the report sums or chooses by.
base::Result<std::shared_ptr<const PresentOwners>> present_owners(store::ObjectStore& store, const ReportQuery& query);

}  // namespace llmgw::control
