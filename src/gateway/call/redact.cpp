#include "gateway/call/redact.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>

#include "base/base64.h"
#include "base/text.h"
#include "net/public_address.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kRedacted = "[redacted]";
// Shorter values are words; no credential is that short.
constexpr size_t kSecretBytesMin = 8;
// Of a credential's base64: 6 bytes of it, which no other text has by chance.
constexpr size_t kEncodedBytesMin = 8;

bool is_base64(char c) {
  return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '+' || c == '/' ||
         c == '-' || c == '_' || c == '=';
}

// The two alphabets are one.
char fold_base64(char c) {
  return c == '-' ? '+' : c == '_' ? '/' : c;
}

// Base64 of a text depends on where in its group of three bytes it begins. What is left out at both ends depends on its
// neighbours.
void add_encoded(chat::List<std::string_view>& encoded, std::string_view secret, base::Arena& arena) {
  constexpr size_t kGroup = 3;
  for (size_t before = 0; before < kGroup; ++before) {
    const std::string padded = std::string(before, '\0') + std::string(secret);
    const std::string_view text = base::base64_encode(padded, arena);
    const size_t first = before == 0 ? 0 : before + 1;
    const size_t end = padded.size() * 4 / kGroup;  // characters that are whole
    if (end >= first + kEncodedBytesMin) encoded.push(arena, text.substr(first, end - first));
  }
}

void add_credential(Secrets& secrets, std::string_view secret, base::Arena& arena) {
  if (secret.size() < kSecretBytesMin) return;
  secrets.credentials.push(arena, secret);
  add_encoded(secrets.encoded, secret, arena);
}

// A header's value, and what is the secret in it.
void add_value(Secrets& secrets, std::string_view value, base::Arena& arena) {
  constexpr std::string_view kBearer = "bearer ";
  constexpr std::string_view kBasic = "basic ";
  const auto has_scheme = [value](std::string_view scheme) {
    return base::equals_ignoring_case(value.substr(0, scheme.size()), scheme);
  };
  if (has_scheme(kBearer)) return add_credential(secrets, value.substr(kBearer.size()), arena);
  if (!has_scheme(kBasic)) return add_credential(secrets, value, arena);
  value.remove_prefix(kBasic.size());
  if (value.size() >= kSecretBytesMin) secrets.credentials.push(arena, value);
  const std::span<char> bytes = arena.bytes(value.size());
  const auto size = base::base64_decode(value, bytes.data());
  const std::string_view plain(bytes.data(), size.value_or(0));
  add_credential(secrets, plain.substr(std::min(plain.find(':') + 1, plain.size())), arena);
}

int hex_value(std::string_view digits) {
  int value = 0;
  for (const char c : digits) {
    const char low = base::to_lower(c);
    if (!base::is_digit(c) && (low < 'a' || low > 'f')) return -1;
    value = value * 16 + (base::is_digit(c) ? c - '0' : low - 'a' + 10);
  }
  return digits.empty() ? -1 : value;
}

struct Spelling {
  char c = 0;
  size_t size = 0;
};

struct Entity {
  std::string_view name;
  char c;
};

// Those of HTML that are one character of ASCII and no letter or digit.
constexpr std::array<Entity, 33> kEntities{{
    {"amp", '&'},   {"AMP", '&'},    {"quot", '"'},     {"QUOT", '"'},  {"apos", '\''},  {"lt", '<'},
    {"LT", '<'},    {"gt", '>'},     {"GT", '>'},       {"sol", '/'},   {"bsol", '\\'},  {"equals", '='},
    {"plus", '+'},  {"lowbar", '_'}, {"period", '.'},   {"colon", ':'}, {"commat", '@'}, {"percnt", '%'},
    {"num", '#'},   {"dollar", '$'}, {"excl", '!'},     {"quest", '?'}, {"ast", '*'},    {"comma", ','},
    {"semi", ';'},  {"lpar", '('},   {"rpar", ')'},     {"lsqb", '['},  {"rsqb", ']'},   {"Hat", '^'},
    {"grave", '`'}, {"vert", '|'},   {"UnderBar", '_'},
}};

// &#47; &#x2F; &sol; also with zeros before the number.
std::optional<Spelling> read_entity(std::string_view text) {
  constexpr size_t kEntityBytesMax = 10;
  const size_t end = text.substr(0, kEntityBytesMax).find(';');
  if (end == std::string_view::npos || end < 3) return std::nullopt;
  const std::string_view name = text.substr(1, end - 1);
  if (const auto* const known = std::ranges::find(kEntities, name, &Entity::name); known != kEntities.end()) {
    return Spelling{known->c, end + 1};
  }
  if (name.front() != '#') return std::nullopt;
  int value = -1;
  if (base::to_lower(name[1]) == 'x') {
    value = hex_value(name.substr(2));
  } else if (std::ranges::all_of(name.substr(1), base::is_digit)) {
    value = 0;
    for (const char digit : name.substr(1)) value = std::min(value * 10 + (digit - '0'), 0xFF);
  }
  if (value < 0 || value > 0x7F) return std::nullopt;
  return Spelling{static_cast<char>(value), end + 1};
}

// The character that an escape at the front of `text` stands for: of URLs, of JSON, of HTML.
std::optional<Spelling> read_escape(std::string_view text) {
  constexpr size_t kPercentBytes = 3;
  constexpr size_t kUnicodeBytes = 6;
  if (text.front() == '&') return read_entity(text);
  if (text.front() == '%' && text.size() >= kPercentBytes) {
    const int value = hex_value(text.substr(1, 2));
    if (value >= 0) return Spelling{static_cast<char>(value), kPercentBytes};
  }
  if (text.front() != '\\' || text.size() < 2) return std::nullopt;
  if (text[1] == '/' || text[1] == '\\' || text[1] == '"') return Spelling{text[1], 2};
  if (text[1] != 'u' || text.size() < kUnicodeBytes) return std::nullopt;
  const int value = hex_value(text.substr(2, 4));
  if (value < 0 || value > 0x7F) return std::nullopt;
  return Spelling{static_cast<char>(value), kUnicodeBytes};
}

using Same = bool (*)(char a, char b);

bool same(char a, char b) {
  return a == b;
}
bool same_letter(char a, char b) {
  return base::to_lower(a) == base::to_lower(b);
}
bool same_base64(char a, char b) {
  return fold_base64(a) == fold_base64(b);
}

// How many bytes from the front are an escape of `wanted`; 0: none is. Escapes may be escaped in their turn:
// "\u0026#x2F;" of a page in JSON, "%252F" of an address in an address.
size_t escaped(std::string_view text, char wanted, Same equal) {
  constexpr int kLevels = 4;
  constexpr size_t kEscapeBytesMax = 12;
  auto escape = read_escape(text);
  for (int level = 1; escape && level < kLevels; ++level) {
    if (equal(escape->c, wanted)) return escape->size;
    std::array<char, kEscapeBytesMax> inner{escape->c};
    const std::string_view rest = text.substr(escape->size, inner.size() - 1);
    std::ranges::copy(rest, inner.begin() + 1);
    const auto nested = read_escape({inner.data(), rest.size() + 1});
    if (!nested) return 0;
    escape = Spelling{nested->c, escape->size + nested->size - 1};
  }
  return escape && equal(escape->c, wanted) ? escape->size : 0;
}

// How many bytes of `text` from the front are `secret`, however it is spelt; npos: it does not begin with it. A secret
// that has such a character itself may stand there as it is, or escaped.
size_t spelt(std::string_view text, std::string_view secret, Same equal) {
  size_t at = 0;
  for (size_t i = 0; i < secret.size(); ++i) {
    if (at == text.size()) return std::string_view::npos;
    const size_t escape = escaped(text.substr(at), secret[i], equal);
    const bool plain = equal(text[at], secret[i]);
    if (escape != 0 && plain) {
      const size_t rest = spelt(text.substr(at + escape), secret.substr(i + 1), equal);
      if (rest != std::string_view::npos) return at + escape + rest;
    }
    if (escape == 0 && !plain) return std::string_view::npos;
    at += plain ? 1 : escape;
  }
  return at;
}

struct Range {
  size_t first = 0;
  size_t end = 0;
};

std::optional<Range> find_spelt(std::string_view text, size_t from, std::string_view secret, Same equal) {
  std::array<bool, 256> begins{};
  for (size_t c = 0; c < begins.size(); ++c) begins[c] = equal(static_cast<char>(c), secret.front());
  for (const unsigned char c : std::string_view("%\\&")) begins[c] = true;
  for (size_t at = from; at < text.size(); ++at) {
    if (!begins[static_cast<unsigned char>(text[at])]) continue;
    const size_t size = spelt(text.substr(at), secret, equal);
    if (size != std::string_view::npos) return Range{at, at + size};
  }
  return std::nullopt;
}

// The whole run of base64 in which it stands.
std::optional<Range> find_encoded(std::string_view text, size_t from, std::string_view secret) {
  auto found = find_spelt(text, from, secret, same_base64);
  if (!found) return std::nullopt;
  while (found->first > from && is_base64(text[found->first - 1])) --found->first;
  while (found->end < text.size() && is_base64(text[found->end])) ++found->end;
  return found;
}

// A host is no part of a longer name.
std::optional<Range> find_host(std::string_view text, size_t from, std::string_view host) {
  const auto is_label = [](char c) {
    return base::is_digit(c) || (base::to_lower(c) >= 'a' && base::to_lower(c) <= 'z') || c == '-' || c == '_';
  };
  while (auto found = find_spelt(text, from, host, same_letter)) {
    const char before = found->first == 0 ? ' ' : text[found->first - 1];
    const bool begins = !is_label(before) && before != '.';
    const bool ends = found->end == text.size() || !is_label(text[found->end]);
    if (begins && ends) return found;
    from = found->first + 1;
  }
  return std::nullopt;
}

// An address that only the operator's network knows. Not everything that reads as one is meant so: "0.1.2.3" is a
// version, "a::b" a name.
bool is_inner_address(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    constexpr size_t kGroupBytes = 4;
    const std::string_view first = text.substr(0, text.find(':'));
    const int group = first.size() == kGroupBytes ? hex_value(first) : 0;
    const bool local = (group & 0xFE00) == 0xFC00 || (group & 0xFFC0) == 0xFE80;
    if (!local && text != "::1" && !text.starts_with("::ffff:")) return false;
  } else if (text.starts_with("0.")) {
    return false;
  }
  const auto address = net::Address::from_ip(text, 0);
  return address && !net::is_public(*address);
}

// The next run of hexadecimal digits, dots and colons that is an address, with a port or not.
std::optional<Range> find_address(std::string_view text, size_t from, std::string_view /*unused*/) {
  constexpr size_t kAddressBytesMax = 45;  // ::ffff: and so on, with an IPv4 at the end
  constexpr size_t kPortBytesMax = 6;
  const auto is_part = [](char c) { return hex_value({&c, 1}) >= 0 || c == '.' || c == ':'; };
  const auto is_word = [](char c) { return (base::to_lower(c) >= 'g' && base::to_lower(c) <= 'z') || c == '_'; };
  for (size_t at = from; at < text.size(); ++at) {
    if (!is_part(text[at])) continue;
    size_t end = at;
    while (end < text.size() && is_part(text[end])) ++end;
    const bool word = (at > from && is_word(text[at - 1])) || (end < text.size() && is_word(text[end]));
    size_t size = std::min(end - at, kAddressBytesMax + kPortBytesMax);
    while (size > 1 && !word && (text[at + size - 1] == '.' || text[at + size - 1] == ':')) --size;
    const std::string_view run = text.substr(at, size);
    const std::string_view bare = run.substr(0, run.find(':'));  // of IPv4, before a port
    if (!word && (is_inner_address(run) || (run.find('.') != std::string_view::npos && is_inner_address(bare)))) {
      return Range{at, at + size};
    }
    at = end;
  }
  return std::nullopt;
}

using Find = std::optional<Range> (*)(std::string_view text, size_t from, std::string_view secret);

std::optional<Range> find_credential(std::string_view text, size_t from, std::string_view secret) {
  return find_spelt(text, from, secret, same);
}

std::string_view replace(std::string_view text, std::string_view secret, Find find, base::Arena& arena) {
  auto found = find(text, 0, secret);
  if (!found) return text;
  std::string clean;
  size_t done = 0;
  for (; found; found = find(text, done, secret)) {
    clean += text.substr(done, found->first - done);
    clean += kRedacted;
    done = found->end;
  }
  clean += text.substr(done);
  return arena.copy(clean);
}

constexpr std::array<std::string_view, 1> kAnyAddress = {""};

struct Search {
  std::span<const std::string_view> secrets;
  Find find;
};

// Longer ones before what may be a part of them.
std::array<Search, 4> searches(const Secrets& secrets, Redaction redaction) {
  const bool all = redaction == Redaction::everything;
  return {{{secrets.credentials, find_credential},
           {secrets.encoded, find_encoded},
           {all ? std::span<const std::string_view>(secrets.hosts) : std::span<const std::string_view>(), find_host},
           {all ? std::span<const std::string_view>(kAnyAddress) : std::span<const std::string_view>(), find_address}}};
}

}  // namespace

Secrets secrets_of(const providers::Upstream& upstream, std::string_view token, base::Arena& arena) {
  Secrets secrets;
  for (const providers::HeaderField& field : upstream.set_headers) add_value(secrets, field.value.reveal(), arena);
  if (upstream.aws) {
    const providers::AwsCredentials& aws = upstream.aws->credentials;
    for (const base::Secret* const secret : {&aws.access_key_id, &aws.secret_access_key, &aws.session_token}) {
      add_credential(secrets, secret->reveal(), arena);
    }
  }
  add_value(secrets, token, arena);
  const providers::Endpoint& endpoint = upstream.endpoint;
  for (const std::string_view host : {std::string_view(endpoint.authority), std::string_view(endpoint.host)}) {
    // A name without a dot may be any word ("ollama"), and localhost is nobody's.
    const bool telling = host.find_first_of(".:") != std::string_view::npos;
    if (telling && host.size() >= kSecretBytesMin) secrets.hosts.push(arena, host);
  }
  return secrets;
}

std::string_view redact(std::string_view text, const Secrets& secrets, base::Arena& arena, Redaction redaction) {
  for (const Search& search : searches(secrets, redaction)) {
    for (const std::string_view secret : search.secrets) text = replace(text, secret, search.find, arena);
  }
  return text;
}

bool shows_any(std::string_view text, const Secrets& secrets, Redaction redaction) {
  return std::ranges::any_of(searches(secrets, redaction), [text](const Search& search) {
    return std::ranges::any_of(search.secrets,
                               [&](std::string_view secret) { return search.find(text, 0, secret).has_value(); });
  });
}

}  // namespace llmgw::gateway
