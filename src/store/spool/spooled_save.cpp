#include "store/spool/spooled_save.h"

#include "store/netstrings.h"

namespace llmgw::store {
namespace {

constexpr std::string_view kMagic = "llm-gateway response 1\n";

void put_items(std::string& out, const std::vector<Item>& items) {
  put_field(out, uint64_t{items.size()});
  for (const Item& item : items) {
    put_field(out, item.id);
    put_field(out, item.json);
  }
}

std::vector<Item> read_items(FieldReader& fields) {
  std::vector<Item> list;
  // A count that lies ends where the bytes do.
  for (uint64_t left = fields.number(); left > 0 && !fields.broken(); --left) {
    Item item{.id = std::string(fields.text()), .json = {}};
    item.json = fields.text();
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace

std::string write_spooled(const SpooledSave& save) {
  const ResponseRecord& record = save.record;
  std::string out(kMagic);
  put_field(out, static_cast<uint64_t>(save.kind));
  put_field(out, save.owner);
  put_field(out, static_cast<uint64_t>(save.now));
  put_field(out, record.id);
  put_field(out, record.previous_id);
  put_field(out, record.conversation_id);
  put_field(out, record.status);
  put_field(out, uint64_t{record.background});
  put_field(out, record.body);
  put_items(out, record.input);
  put_items(out, record.output);
  put_field(out, record.first_event);
  put_field(out, record.events);
  return out;
}

base::Result<SpooledSave> parse_spooled(std::string_view text) {
  if (!text.starts_with(kMagic)) return base::fail(base::ErrorCode::protocol, "a spooled response");
  FieldReader fields(text.substr(kMagic.size()));
  SpooledSave save;
  save.kind = fields.number(1) == 0 ? SpooledSave::Kind::save : SpooledSave::Kind::complete;
  save.owner = fields.text();
  save.now = static_cast<int64_t>(fields.number(INT64_MAX));
  ResponseRecord& record = save.record;
  record.id = fields.text();
  record.previous_id = fields.text();
  record.conversation_id = fields.text();
  record.status = fields.text();
  record.background = fields.number(1) == 1;
  record.body = fields.text();
  record.input = read_items(fields);
  record.output = read_items(fields);
  record.first_event = fields.number(INT64_MAX);
  record.events = fields.text();
  if (!fields.whole()) return base::fail(base::ErrorCode::protocol, "a spooled response");
  return save;
}

base::Result<void> apply(Responses& responses, const SpooledSave& save) {
  return save.kind == SpooledSave::Kind::save ? responses.save(save.owner, save.record, save.now)
                                              : responses.complete(save.owner, save.record, save.now);
}

}  // namespace llmgw::store
