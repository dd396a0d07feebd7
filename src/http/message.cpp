#include "http/message.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/text.h"

namespace llmgw::http {
namespace {

constexpr std::array<std::string_view, kHeaderIds> kNames = {"",
#define LLMGW_HTTP_HEADER_TEXT(id, text) text,
                                                             LLMGW_HTTP_HEADERS(LLMGW_HTTP_HEADER_TEXT)
#undef LLMGW_HTTP_HEADER_TEXT
};

// An open-addressing table of the known names, built at compile time; a slot holds an index into kNames, 0 is empty.
constexpr size_t kSlots = 512;  // a seventh full: a probe rarely meets a second name

constexpr size_t slot_of(std::string_view name) {
  const size_t length = name.size();
  const auto at = [name](size_t index) -> size_t { return static_cast<unsigned char>(name[index] | 0x20); };
  return (length * 87 + at(0) * 240 + at(length - 1) * 187 + at(length / 2) * 5) % kSlots;
}

constexpr std::array<uint8_t, kSlots> make_slots() {
  std::array<uint8_t, kSlots> slots{};
  for (size_t id = 1; id < kHeaderIds; ++id) {
    size_t slot = slot_of(kNames[id]);
    while (slots[slot] != 0) slot = (slot + 1) % kSlots;
    slots[slot] = static_cast<uint8_t>(id);
  }
  return slots;
}
constexpr std::array<uint8_t, kSlots> kSlotTable = make_slots();
static_assert(kHeaderIds < 256);

uint64_t load(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Known names are made of a-z, 0-9 and '-', which all have bit 5; in a token only an upper-case letter becomes one of
// them when that bit is set, so setting it is enough to ignore the case.
bool same_name(const char* token, const char* known, size_t length) {
  constexpr uint64_t kBit = 0x2020202020202020;
  if (length < sizeof(uint64_t)) {
    for (size_t i = 0; i < length; ++i) {
      if ((token[i] | 0x20) != known[i]) return false;
    }
    return true;
  }
  for (size_t i = 0; i + sizeof(uint64_t) < length; i += sizeof(uint64_t)) {
    if ((load(token + i) | kBit) != load(known + i)) return false;
  }
  const size_t tail = length - sizeof(uint64_t);
  return (load(token + tail) | kBit) == load(known + tail);
}

struct Reason {
  uint16_t status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {424, "Failed Dependency"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {499, "Client Closed Request"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {529, "Overloaded"},
};

constexpr std::string_view kMethods[] = {"GET",     "HEAD",  "POST",  "PUT",    "DELETE",
                                         "OPTIONS", "PATCH", "TRACE", "CONNECT"};

}  // namespace

HeaderId header_id(std::string_view name) {
  if (name.empty()) return HeaderId::other;
  for (size_t slot = slot_of(name); kSlotTable[slot] != 0; slot = (slot + 1) % kSlots) {
    const std::string_view known = kNames[kSlotTable[slot]];
    if (known.size() == name.size() && same_name(name.data(), known.data(), known.size())) {
      return static_cast<HeaderId>(kSlotTable[slot]);
    }
  }
  return HeaderId::other;
}

std::string_view header_name(HeaderId id) {
  return kNames[static_cast<size_t>(id)];
}

bool is_hop_by_hop(HeaderId id) {
  switch (id) {
    case HeaderId::connection:
    case HeaderId::transfer_encoding:
    case HeaderId::keep_alive:
    case HeaderId::proxy_connection:
    case HeaderId::proxy_authenticate:
    case HeaderId::proxy_authorization:
    case HeaderId::te:
    case HeaderId::trailer:
    case HeaderId::upgrade:
    case HeaderId::http2_settings: return true;
    default: return false;
  }
}

Headers& Headers::operator=(const Headers& other) {
  if (this == &other) return *this;
  clear();
  for (const Header& header : other) append(header);
  return *this;
}

void Headers::spill() {
  spilled_ = std::make_unique<Header[]>(kMax);
  std::copy(begin(), end(), spilled_.get());
  data_ = spilled_.get();
  capacity_ = kMax;
}

void Headers::clear() {
  size_ = 0;
  present_.reset();
  repeated_.reset();
}

const Header* Headers::find(HeaderId id) const {
  if (!has(id)) return nullptr;
  for (const Header& header : *this) {
    if (header.id == id) return &header;
  }
  return nullptr;
}

const Header* Headers::find(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other) return find(id);
  for (const Header& header : *this) {
    if (header.id == HeaderId::other && base::equals_ignoring_case(header.name, name)) return &header;
  }
  return nullptr;
}

std::string_view Headers::value(HeaderId id) const {
  const Header* header = find(id);
  return header == nullptr ? std::string_view{} : header->value;
}

std::string_view Headers::value(std::string_view name) const {
  const Header* header = find(name);
  return header == nullptr ? std::string_view{} : header->value;
}

size_t Headers::count(HeaderId id) const {
  if (!has(id)) return 0;
  return static_cast<size_t>(std::count_if(begin(), end(), [id](const Header& header) { return header.id == id; }));
}

size_t Headers::count(std::string_view name) const {
  const HeaderId id = header_id(name);
  if (id != HeaderId::other) return count(id);
  return static_cast<size_t>(std::count_if(begin(), end(), [name](const Header& header) {
    return header.id == HeaderId::other && base::equals_ignoring_case(header.name, name);
  }));
}

size_t Headers::remove(HeaderId id) {
  if (!has(id)) return 0;
  Header* const kept = std::remove_if(data_, data_ + size_, [id](const Header& header) { return header.id == id; });
  const size_t removed = static_cast<size_t>(data_ + size_ - kept);
  size_ -= removed;
  present_[static_cast<size_t>(id)] = false;
  repeated_[static_cast<size_t>(id)] = false;
  return removed;
}

bool list_contains(std::string_view list, std::string_view member) {
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    if (base::equals_ignoring_case(base::trim(list.substr(0, comma)), member)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool named_in_connection(const Headers& headers, std::string_view name) {
  if (!headers.has(HeaderId::connection)) return false;
  return std::any_of(headers.begin(), headers.end(), [name](const Header& header) {
    return header.id == HeaderId::connection && list_contains(header.value, name);
  });
}

Method method_of(std::string_view text) {
  for (size_t i = 0; i < std::size(kMethods); ++i) {
    if (kMethods[i] == text) return static_cast<Method>(i);
  }
  return Method::other;
}

std::string_view to_string(Method method) {
  return method == Method::other ? std::string_view{} : kMethods[static_cast<size_t>(method)];
}

std::string_view reason_phrase(uint16_t status) {
  const auto* found = std::lower_bound(std::begin(kReasons), std::end(kReasons), status,
                                       [](const Reason& reason, uint16_t wanted) { return reason.status < wanted; });
  return found != std::end(kReasons) && found->status == status ? found->phrase : std::string_view("Unknown");
}

}  // namespace llmgw::http
