#include "admin/spend/spender.h"

#include <algorithm>

#include "admin/api/object_lookup.h"
#include "admin/api/object_view.h"
#include "control/objects/object_document.h"

namespace llmgw::admin {

using control::ReportColumn;

control::ReportFilter Spender::filter() const {
  if (!id.empty()) return {.column = kind, .value = id, .exact = true};
  return {.column = kind, .value = name, .exact = of_file};
}

bool Spender::made(const accounting::LedgerRecord& record) const {
  const auto owner = std::ranges::find_if(accounting::kLedgerOwners, [this](const accounting::LedgerOwner& each) {
    return accounting::to_string(each.name) == control::to_string(kind);
  });
  const auto its_id = record.text(owner->id);
  const bool named = !name.empty() && record.text(owner->name) == name;
  if (id.empty()) return named && (its_id.empty() || !of_file);
  return its_id.empty() ? named && record.time / 1'000'000'000 >= named_since : its_id == id;
}

Spender spender_of(ReportColumn kind, const store::Object& object) {
  return {.kind = kind, .id = object.id, .name = object.name, .named_since = control::named_since(object)};
}

std::expected<Spender, ApiAnswer> find_spender(const ApiContext& context, ReportColumn kind,
                                               const std::string& id_or_name) {
  const control::ObjectKind& of = *control::find_kind(control::to_string(kind));
  if (file_has(context.file, of, id_or_name)) return Spender{.kind = kind, .name = id_or_name, .of_file = true};
  auto object = find_object(context, of, id_or_name);
  if (object) return spender_of(kind, *object);
  if (object.error().status != 404) return std::unexpected(std::move(object).error());
  if (control::is_object_id(of, id_or_name)) return Spender{.kind = kind, .id = id_or_name};
  return Spender{.kind = kind, .name = id_or_name};
}

std::expected<Spender, ApiAnswer> own_team(const ApiContext& context, const Actor& actor) {
  auto team = find_spender(context, ReportColumn::team, actor.team);
  if (team && team->id.empty()) team->of_file = true;
  return team;
}

}  // namespace llmgw::admin
