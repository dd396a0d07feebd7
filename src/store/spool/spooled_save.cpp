#include "store/spool/spooled_save.h"

#include "base/text.h"

namespace llmgw::store {
namespace {

constexpr std::string_view kMagic = "llm-gateway response 1\n";

void put(std::string& out, std::string_view field) {
  out.append(std::to_string(field.size())).append(":").append(field);
}
void put(std::string& out, uint64_t number) {
  put(out, std::to_string(number));
}
void put(std::string& out, const std::vector<Item>& items) {
  put(out, uint64_t{items.size()});
  for (const Item& item : items) {
    put(out, item.id);
    put(out, item.json);
  }
}

class Fields {
 public:
  explicit Fields(std::string_view text) : left_(text) {}
  std::string text() {
    const size_t colon = left_.find(':');
    const auto length = base::parse_decimal(left_.substr(0, colon));
    if (colon == std::string_view::npos || !length || *length > left_.size() - colon - 1) {
      broken_ = true;
      left_ = {};
      return {};
    }
    std::string field(left_.substr(colon + 1, *length));
    left_.remove_prefix(colon + 1 + *length);
    return field;
  }
  uint64_t number() {
    const auto value = base::parse_decimal(text());
    if (!value) broken_ = true;
    return value.value_or(0);
  }
  std::vector<Item> items() {
    std::vector<Item> list;
    // A count that lies ends where the bytes do.
    for (uint64_t left = number(); left > 0 && !broken_; --left) {
      Item item{.id = text(), .json = {}};
      item.json = text();
      list.push_back(std::move(item));
    }
    return list;
  }
  bool whole() const { return !broken_ && left_.empty(); }

 private:
  std::string_view left_;
  bool broken_ = false;
};

}  // namespace

std::string write_spooled(const SpooledSave& save) {
  const ResponseRecord& record = save.record;
  std::string out(kMagic);
  put(out, static_cast<uint64_t>(save.kind));
  put(out, save.owner);
  put(out, static_cast<uint64_t>(save.now));
  put(out, record.id);
  put(out, record.previous_id);
  put(out, record.conversation_id);
  put(out, record.status);
  put(out, uint64_t{record.background});
  put(out, record.body);
  put(out, record.input);
  put(out, record.output);
  put(out, record.first_event);
  put(out, record.events);
  return out;
}

base::Result<SpooledSave> parse_spooled(std::string_view text) {
  if (!text.starts_with(kMagic)) return base::fail(base::ErrorCode::protocol, "a spooled response");
  Fields fields(text.substr(kMagic.size()));
  SpooledSave save;
  const uint64_t kind = fields.number();
  save.kind = kind == 0 ? SpooledSave::Kind::save : SpooledSave::Kind::complete;
  save.owner = fields.text();
  const uint64_t now = fields.number();
  save.now = static_cast<int64_t>(now);
  ResponseRecord& record = save.record;
  record.id = fields.text();
  record.previous_id = fields.text();
  record.conversation_id = fields.text();
  record.status = fields.text();
  const uint64_t background = fields.number();
  record.background = background == 1;
  record.body = fields.text();
  record.input = fields.items();
  record.output = fields.items();
  record.first_event = fields.number();
  record.events = fields.text();
  if (!fields.whole() || kind > 1 || background > 1 || now > INT64_MAX || record.first_event > INT64_MAX) {
    return base::fail(base::ErrorCode::protocol, "a spooled response");
  }
  return save;
}

base::Result<void> apply(Responses& responses, const SpooledSave& save) {
  return save.kind == SpooledSave::Kind::save ? responses.save(save.owner, save.record, save.now)
                                              : responses.complete(save.owner, save.record, save.now);
}

}  // namespace llmgw::store
