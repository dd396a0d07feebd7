#include "providers/sigv4.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "base/text.h"

namespace llmgw::providers {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";
constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";
constexpr size_t kHashBlockBytes = 64;  // of SHA-256
constexpr size_t kHexHashBytes = 64;
constexpr size_t kTimeBytes = 16;  // "20250102T030405Z"
constexpr size_t kDateBytes = 8;

// OpenSSL's digest, fetched once, its context kept for each thread: looking it up costs more than hashing a request.
class Hasher {
 public:
  Hasher() : context_(context()) { check(EVP_DigestInit_ex2(context_, algorithm(), nullptr)); }
  Hasher& add(std::string_view bytes) {
    check(EVP_DigestUpdate(context_, bytes.data(), bytes.size()));
    return *this;
  }
  Sha256 finish() {
    Sha256 hash;
    check(EVP_DigestFinal_ex(context_, hash.data(), nullptr));
    return hash;
  }

 private:
  // SHA-256 is in every build of OpenSSL; without it nothing can be signed.
  static void check(int ok) {
    if (ok != 1) std::abort();
  }
  static const EVP_MD* algorithm() {
    static const EVP_MD* const kSha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return kSha256;
  }
  static EVP_MD_CTX* context() {
    thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> kOwn(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
    return kOwn.get();
  }
  EVP_MD_CTX* context_;  // of the thread: one Hasher at a time
};

std::string_view view_of(const Sha256& hash) {
  return {reinterpret_cast<const char*>(hash.data()), hash.size()};
}

// RFC 2104.
Sha256 hmac(std::string_view key, std::string_view message) {
  std::array<char, kHashBlockBytes> inner{};
  std::array<char, kHashBlockBytes> outer{};
  Sha256 hashed;
  if (key.size() > kHashBlockBytes) {
    hashed = Hasher().add(key).finish();
    key = view_of(hashed);
  }
  std::copy(key.begin(), key.end(), inner.begin());
  for (size_t i = 0; i < kHashBlockBytes; ++i) {
    outer[i] = static_cast<char>(inner[i] ^ 0x5c);
    inner[i] = static_cast<char>(inner[i] ^ 0x36);
  }
  const Sha256 first = Hasher().add({inner.data(), inner.size()}).add(message).finish();
  const Sha256 result = Hasher().add({outer.data(), outer.size()}).add(view_of(first)).finish();
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return result;
}

Sha256 derive_key(std::string_view secret, std::string_view date, std::string_view region, std::string_view service) {
  const base::Secret start("AWS4" + std::string(secret));
  const Sha256 of_date = hmac(start.reveal(), date);
  const Sha256 of_region = hmac(view_of(of_date), region);
  const Sha256 of_service = hmac(view_of(of_region), service);
  return hmac(view_of(of_service), kTerminator);
}

bool is_unreserved(char c) {
  const char lower = base::to_lower(c);
  return (lower >= 'a' && lower <= 'z') || base::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void append_encoded(std::string& out, std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_unreserved(c) || (keep_slash && c == '/')) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back('%');
    out.push_back(kHex[byte >> 4]);
    out.push_back(kHex[byte & 15]);
  }
}

// Without empty and dot segments (RFC 3986, section 6.2.2.3).
std::string normalized(std::string_view path) {
  std::vector<std::string_view> kept;
  std::string_view last;
  for (std::string_view rest = path; !rest.empty();) {
    const size_t slash = rest.find('/');
    last = rest.substr(0, slash);
    if (last == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!last.empty() && last != ".") {
      kept.push_back(last);
    }
    rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  }
  std::string result;
  for (const auto segment : kept) result.append("/").append(segment);
  if (kept.empty() || path.ends_with('/')) result.push_back('/');
  return result;
}

bool is_plain(std::string_view path) {
  return path.starts_with('/') && path.find("//") == std::string_view::npos &&
         path.find("/.") == std::string_view::npos;
}

void append_path(std::string& out, std::string_view path) {
  if (is_plain(path)) return append_encoded(out, path, true);
  append_encoded(out, normalized(path), true);
}

// Names and values may be encoded already, or not: both mean the same parameter.
std::string encoded_part(std::string_view part) {
  const auto decoded = base::percent_decode(part);
  std::string encoded;
  append_encoded(encoded, decoded ? std::string_view(*decoded) : part, false);
  return encoded;
}

void append_query(std::string& out, std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    if (parameter.empty()) continue;
    const size_t equals = std::min(parameter.find('='), parameter.size());
    parameters.emplace_back(encoded_part(parameter.substr(0, equals)),
                            encoded_part(parameter.substr(std::min(equals + 1, parameter.size()))));
  }
  std::ranges::sort(parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (i > 0) out.push_back('&');
    out.append(parameters[i].first).append("=").append(parameters[i].second);
  }
}

// Surrounding white space goes, and of several spaces inside one stays.
void append_value(std::string& out, std::string_view value) {
  bool space = false;
  const size_t start = out.size();
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      space = out.size() > start;
      continue;
    }
    if (space) out.push_back(' ');
    space = false;
    out.push_back(c);
  }
}

struct Canonical {
  std::string text;
  std::string signed_headers;
};

Canonical canonicalize(const SigV4Request& request) {
  assert(request.headers.size() <= kSigV4HeadersMax);
  std::array<const SigV4Header*, kSigV4HeadersMax> sorted;
  const size_t count = std::min(request.headers.size(), kSigV4HeadersMax);
  for (size_t i = 0; i < count; ++i) sorted[i] = &request.headers[i];
  // Those of one name keep their order.
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count),
            [](const SigV4Header* a, const SigV4Header* b) { return a->name != b->name ? a->name < b->name : a < b; });
  Canonical result;
  std::string& out = result.text;
  out.reserve(1024);
  out.append(request.method).push_back('\n');
  append_path(out, request.path);
  out.push_back('\n');
  append_query(out, request.query);
  for (size_t i = 0; i < count; ++i) {
    const bool again = i > 0 && sorted[i]->name == sorted[i - 1]->name;
    if (again) {
      out.push_back(',');
    } else {
      out.append("\n").append(sorted[i]->name).append(":");
      result.signed_headers.append(i > 0 ? ";" : "").append(sorted[i]->name);
    }
    append_value(out, sorted[i]->value);
  }
  out.append("\n\n").append(result.signed_headers).append("\n").append(request.payload_hash);
  return result;
}

std::string signature_of(const Canonical& canonical, const Sha256& key, std::string_view time, std::string_view scope) {
  const std::string_view text[] = {canonical.text};
  std::string to_sign(kAlgorithm);
  to_sign.append("\n").append(time).append("\n").append(scope).append("\n").append(base::hex(sha256(text)));
  return base::hex(hmac(view_of(key), to_sign));
}

std::string scope_of(std::string_view date, std::string_view region, std::string_view service) {
  std::string scope(date);
  return scope.append("/").append(region).append("/").append(service).append("/").append(kTerminator);
}

std::unexpected<SigV4Refusal> refuse(SigV4Problem problem, const char* message) {
  return std::unexpected(SigV4Refusal{problem, message});
}

constexpr SigV4Refusal kMalformed{SigV4Problem::malformed,
                                  "The Authorization header is not of the form 'AWS4-HMAC-SHA256 Credential=<key>/"
                                  "<date>/<region>/<service>/aws4_request, SignedHeaders=<names>, Signature=<hex>'."};

std::optional<base::WallTime> parse_time(std::string_view text) {
  if (text.size() != kTimeBytes || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  const auto number = [&](size_t at, size_t size) { return base::parse_decimal(text.substr(at, size)); };
  const auto year = number(0, 4);
  const auto month = number(4, 2);
  const auto day = number(6, 2);
  const auto hour = number(9, 2);
  const auto minute = number(11, 2);
  const auto second = number(13, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // The clock counts nanoseconds, which end in the year 2262.
  if (!date.ok() || *year < 1970 || *year > 2200 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return base::WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second);
}

// The first header of that name, in lower case.
std::string_view value_of(std::span<const SigV4Header> headers, std::string_view name) {
  for (const auto& header : headers) {
    if (base::equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

template <class Wanted>
bool names(std::string_view signed_headers, Wanted wanted) {
  while (!signed_headers.empty()) {
    const auto each = signed_headers.substr(0, signed_headers.find(';'));
    if (wanted(each)) return true;
    signed_headers.remove_prefix(std::min(signed_headers.size(), each.size() + 1));
  }
  return false;
}

// AWS's SDK for JavaScript signs what it sends over HTTP/2: the pseudo-header.
bool is_host(std::string_view name) {
  return name == "host" || name == ":authority";
}

// The headers the client says it signed, as they came.
std::expected<std::vector<SigV4Header>, SigV4Refusal> collect(const SigV4Claim& claim, const SigV4Received& request) {
  std::vector<SigV4Header> headers;
  std::string_view names = claim.signed_headers;
  while (!names.empty()) {
    const auto name = names.substr(0, names.find(';'));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    const size_t before = headers.size();
    if (is_host(name)) {
      headers.push_back({name, request.host});
    } else {
      for (const auto& header : request.headers) {
        if (!base::equals_ignoring_case(header.name, name)) continue;
        if (headers.size() == kSigV4HeadersMax) return refuse(SigV4Problem::malformed, "Too many signed headers.");
        headers.push_back({name, header.value});
      }
    }
    if (headers.size() == before || headers.size() > kSigV4HeadersMax) {
      return refuse(SigV4Problem::mismatch, "A header that SignedHeaders names is not in the request.");
    }
  }
  return headers;
}

std::expected<std::string, SigV4Refusal> payload_hash(const SigV4Claim& claim, const SigV4Received& request) {
  const std::string_view body[] = {request.body};
  std::string actual = base::hex(sha256(body));
  static constexpr std::string_view kHeader = "x-amz-content-sha256";
  const auto said = value_of(request.headers, kHeader);
  const bool is_signed = names(claim.signed_headers, [](std::string_view each) { return each == kHeader; });
  if (said.empty() || !is_signed) return actual;
  if (said == kUnsignedPayload) return std::string(said);
  if (said.starts_with("STREAMING-")) {
    return refuse(SigV4Problem::unsupported, "A body signed in pieces (aws-chunked) is not supported; sign it whole.");
  }
  if (said != actual) return refuse(SigV4Problem::mismatch, "The body is not the one that x-amz-content-sha256 names.");
  return actual;
}

}  // namespace

Sha256 sha256(std::span<const std::string_view> parts) {
  Hasher hasher;
  for (const auto part : parts) hasher.add(part);
  return hasher.finish();
}

std::string_view sigv4_time(base::WallTime time, base::Arena& arena) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  std::array<char, 32> text;
  const int size = std::snprintf(text.data(), text.size(), "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                                 static_cast<int>(clock.seconds().count()));
  return arena.copy({text.data(), static_cast<size_t>(size)});
}

std::string sigv4_canonical_request(const SigV4Request& request) {
  return canonicalize(request).text;
}

const Sha256& SigningKeys::find(std::string_view secret, std::string_view date, std::string_view region,
                                std::string_view service) {
  const auto fits = [&](const Entry& entry) {
    std::string_view scope = entry.scope;
    for (const auto part : {date, region, service}) {
      if (!scope.starts_with(part) || scope.size() == part.size() || scope[part.size()] != '/') return false;
      scope.remove_prefix(part.size() + 1);
    }
    return scope == kTerminator && entry.secret.reveal() == secret;
  };
  const auto found = std::ranges::find_if(entries_, fits);
  if (found != entries_.end()) return found->key;
  ++derivations_;
  if (entries_.size() < kEntriesMax) {
    next_ = entries_.size();
    entries_.emplace_back();
  }
  Entry& entry = entries_[next_];
  next_ = (next_ + 1) % kEntriesMax;
  entry = {base::Secret(secret), scope_of(date, region, service), derive_key(secret, date, region, service)};
  return entry.key;
}

base::Secret sign_sigv4(const SigV4Request& request, const AwsCredentials& credentials, std::string_view region,
                        std::string_view service, std::string_view time, SigningKeys& keys) {
  const std::string_view date = time.substr(0, kDateBytes);
  const Canonical canonical = canonicalize(request);
  const std::string scope = scope_of(date, region, service);
  const Sha256& key = keys.find(credentials.secret_access_key.reveal(), date, region, service);
  std::string header(kAlgorithm);
  header.append(" Credential=").append(credentials.access_key_id.reveal()).append("/").append(scope);
  header.append(", SignedHeaders=").append(canonical.signed_headers);
  header.append(", Signature=").append(signature_of(canonical, key, time, scope));
  return base::Secret(header);
}

bool is_sigv4(std::string_view authorization) {
  return base::trim(authorization).starts_with(kAlgorithm);
}

std::expected<SigV4Claim, SigV4Refusal> parse_sigv4(std::string_view authorization) {
  authorization = base::trim(authorization);
  if (!authorization.starts_with(kAlgorithm)) return std::unexpected(kMalformed);
  std::string_view rest = authorization.substr(kAlgorithm.size());
  SigV4Claim claim;
  std::string_view credential;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = base::trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = part.find('=');
    if (equals == std::string_view::npos) return std::unexpected(kMalformed);
    const auto name = part.substr(0, equals);
    const auto value = part.substr(equals + 1);
    if (name == "Credential") credential = value;
    if (name == "SignedHeaders") claim.signed_headers = value;
    if (name == "Signature") claim.signature = value;
  }
  // From the back: an access key may hold a slash.
  std::array<std::string_view, 4> scope;  // terminator, service, region, date
  for (auto& part : scope) {
    const size_t slash = credential.rfind('/');
    if (slash == std::string_view::npos) return std::unexpected(kMalformed);
    part = credential.substr(slash + 1);
    credential = credential.substr(0, slash);
  }
  claim.access_key_id = credential;
  claim.date = scope[3];
  claim.region = scope[2];
  claim.service = scope[1];
  if (scope[0] != kTerminator || credential.empty() || claim.date.size() != kDateBytes || claim.region.empty() ||
      claim.service.empty() || claim.signed_headers.empty() || claim.signature.size() != kHexHashBytes) {
    return std::unexpected(kMalformed);
  }
  return claim;
}

std::expected<void, SigV4Refusal> verify_sigv4(const SigV4Claim& claim, const SigV4Received& request,
                                               std::string_view secret, base::WallTime now) {
  const auto time_text = value_of(request.headers, "x-amz-date");
  const auto time = parse_time(time_text);
  if (!time) return refuse(SigV4Problem::malformed, "A signed request needs a header x-amz-date: 20250102T030405Z.");
  if (!names(claim.signed_headers, is_host) ||
      !names(claim.signed_headers, [](std::string_view each) { return each == "x-amz-date"; })) {
    return refuse(SigV4Problem::malformed, "The headers host and x-amz-date must be among the signed ones.");
  }
  if (time_text.substr(0, kDateBytes) != claim.date) {
    return refuse(SigV4Problem::malformed, "The date of the credential is not that of x-amz-date.");
  }
  if (now - *time > kSigV4SkewMax || *time - now > kSigV4SkewMax) {
    return refuse(SigV4Problem::expired, "Signature expired or not yet valid: set this computer's clock.");
  }
  auto headers = collect(claim, request);
  if (!headers) return std::unexpected(headers.error());
  const auto hash = payload_hash(claim, request);
  if (!hash) return std::unexpected(hash.error());
  const Canonical canonical = canonicalize({.method = request.method,
                                            .path = request.path,
                                            .query = request.query,
                                            .headers = *headers,
                                            .payload_hash = *hash});
  const Sha256 key = derive_key(secret, claim.date, claim.region, claim.service);
  const std::string expected =
      signature_of(canonical, key, time_text, scope_of(claim.date, claim.region, claim.service));
  if (!base::constant_time_equal(expected, claim.signature)) {
    return refuse(SigV4Problem::mismatch,
                  "The request signature does not match the signature provided: use the key as access key id and as "
                  "secret access key, and let no proxy change Host, path or body.");
  }
  return {};
}

}  // namespace llmgw::providers
