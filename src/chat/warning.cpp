#include "chat/warning.h"

#include "chat/client_field.h"

namespace llmgw::chat {
namespace {

// An RFC 8941 string: printable ASCII; anything else becomes '?'.
void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7F ? c : '?';
  }
  out += '"';
}

}  // namespace

std::string_view to_string(WarningKind kind) {
  switch (kind) {
    case WarningKind::dropped: return "dropped";
    case WarningKind::changed: return "changed";
    case WarningKind::emulated: return "emulated";
    case WarningKind::estimated: return "estimated";
  }
  return "dropped";
}

std::string_view Warnings::name_of(std::string_view field) const {
  for (const Spelling& spelling : spellings_) {
    if (spelling.field == field) return spelling.client;
  }
  return client_field(client_, field);
}

void Warnings::add(WarningKind kind, std::string_view field, std::string_view reason) {
  std::string cut;
  field = name_of(field);
  if (field.size() > kFieldBytesMax) {
    cut = std::string(field.substr(0, kFieldBytesMax)) + "...";
    field = cut;
  }
  for (const Warning& known : list_) {
    if (known.kind == kind && known.field == field) return;
  }
  if (list_.size() == kCountMax) {
    ++left_out_;
    return;
  }
  list_.push(arena_, {.kind = kind, .field = arena_.copy(field), .reason = arena_.copy(reason)});
}

void Warnings::keep_first(size_t count) {
  while (list_.size() > count) list_.pop();
  left_out_ = 0;
}

std::string Warnings::header() const {
  constexpr size_t kMoreBytes = 24;  // room for "more;count=N"
  std::string out;
  size_t left_out = left_out_;
  for (size_t i = 0; i < list_.size(); ++i) {
    std::string entry(to_string(list_[i].kind));
    entry += ";field=";
    append_string(entry, list_[i].field);
    entry += ";reason=";
    append_string(entry, list_[i].reason);
    if (out.size() + entry.size() + kMoreBytes > kHeaderBytesMax) {
      left_out += list_.size() - i;
      break;
    }
    if (!out.empty()) out += ", ";
    out += entry;
  }
  if (left_out > 0) out += (out.empty() ? "more;count=" : ", more;count=") + std::to_string(left_out);
  return out;
}

}  // namespace llmgw::chat
