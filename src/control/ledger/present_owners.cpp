#include "control/ledger/present_owners.h"

#include <algorithm>

namespace llmgw::control {

base::Result<std::shared_ptr<const PresentOwners>> present_owners(store::ObjectStore& store, const ReportQuery& query) {
  auto present = std::make_shared<PresentOwners>();
  for (const ReportColumn column :
       {ReportColumn::organization, ReportColumn::team, ReportColumn::user, ReportColumn::key}) {
    const bool asked = std::ranges::find(query.by, column) != query.by.end() ||
                       std::ranges::find(query.where, column, &ReportFilter::column) != query.where.end();
    if (!asked) continue;
    TRY(names, store.names(to_string(column)));
    for (auto& [id, name] : names)
      present->emplace(std::move(id), PresentOwner{.kind = column, .name = std::move(name)});
  }
  return present;
}

}  // namespace llmgw::control
