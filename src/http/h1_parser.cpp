#include "http/h1_parser.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/authority.h"
#include "http/h1_grammar.h"

namespace llmgw::http {
namespace {

using base::equals_ignoring_case;
using grammar::is;

constexpr ParseResult refused(ParseError error) {
  return {ParseStatus::error, error, 0};
}

// A head being read: the cursor, and what went wrong.
struct Reading {
  const char* at;
  const char* end;
  ParseError error = ParseError::none;
  bool out_of_bytes = false;

  explicit Reading(std::string_view bytes) : at(bytes.data()), end(bytes.data() + bytes.size()) {}
  bool fail(ParseError why) {
    error = why;
    return false;
  }
  bool wait() {
    out_of_bytes = true;
    return false;
  }
  size_t left() const { return static_cast<size_t>(end - at); }
};

std::string_view between(const char* first, const char* last) {
  return {first, static_cast<size_t>(last - first)};
}

bool read_line_end(Reading& in, ParseError otherwise) {
  if (in.at == in.end) return in.wait();
  if (*in.at == '\n') return in.fail(ParseError::bare_line_feed);
  if (*in.at != '\r') return in.fail(otherwise);
  if (in.left() < 2) return in.wait();
  if (in.at[1] != '\n') return in.fail(ParseError::bare_carriage_return);
  in.at += 2;
  return true;
}

// "HTTP/1.0" or "HTTP/1.1".
bool read_version(Reading& in, ParseError otherwise, Version& version) {
  constexpr std::string_view kShape = "HTTP/d.d";
  const size_t available = std::min(in.left(), kShape.size());
  for (size_t i = 0; i < available; ++i) {
    const bool good = kShape[i] == 'd' ? base::is_digit(in.at[i]) : in.at[i] == kShape[i];
    if (!good) return in.fail(in.at[i] == '\n' ? ParseError::bare_line_feed : otherwise);
  }
  if (available < kShape.size()) return in.wait();
  if (in.at[5] != '1' || in.at[7] > '1') return in.fail(ParseError::unsupported_version);
  version = in.at[7] == '0' ? Version::http_1_0 : Version::http_1_1;
  in.at += kShape.size();
  return true;
}

bool read_method(Reading& in, RequestHead& head) {
  const char* const first = in.at;
  const char* const last_allowed = first + std::min(in.left(), kMethodBytesMax + 1);
  in.at = grammar::skip(first, last_allowed, grammar::kToken);
  if (between(first, in.at).size() > kMethodBytesMax) return in.fail(ParseError::bad_method);
  if (in.at == in.end) return in.wait();
  if (*in.at == '\n') return in.fail(ParseError::bare_line_feed);
  if (*in.at != ' ' || in.at == first) return in.fail(ParseError::bad_method);
  head.method_text = between(first, in.at);
  head.method = method_of(head.method_text);
  ++in.at;
  return true;
}

bool read_target(Reading& in, size_t target_bytes_max, RequestHead& head) {
  const char* const first = in.at;
  const char* const last_allowed = first + std::min(in.left(), target_bytes_max);
  in.at = grammar::skip_target(first, last_allowed);
  if (in.at == in.end) return in.wait();
  if (in.at == last_allowed && is(*in.at, grammar::kTarget)) return in.fail(ParseError::target_too_long);
  if (*in.at == '\n') return in.fail(ParseError::bare_line_feed);
  if (*in.at == '\r') return in.fail(ParseError::bad_request_line);  // HTTP/0.9, or a version left out
  if (*in.at != ' ' || in.at == first) return in.fail(ParseError::bad_target);
  head.target = between(first, in.at);
  ++in.at;
  return true;
}

ParseError split_path(std::string_view text, RequestHead& head) {
  const size_t question = std::min(text.find('?'), text.size());
  head.path = text.substr(0, question);
  head.query = text.substr(std::min(question + 1, text.size()));
  if (head.path.find('\\') != std::string_view::npos) {
    return ParseError::bad_target;
  }
  return ParseError::none;
}

// RFC 9112, section 3.2: origin, absolute, authority and asterisk form.
ParseError take_target_apart(RequestHead& head) {
  if (head.method == Method::connect) return ParseError::connect_refused;
  const std::string_view target = head.target;
  if (target.front() == '/') return split_path(target, head);
  if (target == "*") {
    head.path = target;
    return head.method == Method::options ? ParseError::none : ParseError::bad_target;
  }
  const size_t colon = target.find("://");
  if (colon == std::string_view::npos) return ParseError::bad_target;
  head.scheme = target.substr(0, colon);
  if (!equals_ignoring_case(head.scheme, "http") && !equals_ignoring_case(head.scheme, "https")) {
    return ParseError::bad_target;
  }
  const std::string_view rest = target.substr(colon + 3);
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  head.authority = rest.substr(0, authority_end);
  if (!valid_authority(head.authority)) return ParseError::bad_target;
  if (const ParseError error = split_path(rest.substr(authority_end), head); error != ParseError::none) return error;
  if (head.path.empty()) head.path = "/";
  return ParseError::none;
}

ParseError check_host(RequestHead& head) {
  const Headers& headers = head.headers;
  if (headers.repeated(HeaderId::host)) return ParseError::repeated_host;
  const Header* host = headers.find(HeaderId::host);
  if (host == nullptr) return head.version == Version::http_1_0 ? ParseError::none : ParseError::missing_host;
  if (!valid_authority(host->value)) return ParseError::bad_host;
  if (!head.scheme.empty() && !equals_ignoring_case(head.authority, host->value)) {
    return ParseError::host_differs_from_target;
  }
  head.authority = host->value;
  return ParseError::none;
}

ParseError read_content_length(std::string_view text, uint64_t most, uint64_t& length) {
  constexpr size_t kDigitsMax = 19;  // what INT64_MAX has
  const auto value = base::parse_decimal(text);
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), base::is_digit);
  if (!digits) return ParseError::bad_content_length;
  if (text.size() > kDigitsMax || !value || *value > most) return ParseError::body_too_large;
  length = *value;
  return ParseError::none;
}

ParseError check_transfer_encoding(const Headers& headers, Version version) {
  if (headers.has(HeaderId::content_length)) return ParseError::length_and_encoding;
  if (version == Version::http_1_0) return ParseError::encoding_in_http_1_0;
  if (headers.repeated(HeaderId::transfer_encoding)) return ParseError::bad_transfer_encoding;
  const std::string_view value = headers.value(HeaderId::transfer_encoding);
  if (equals_ignoring_case(value, "chunked")) return ParseError::none;
  // "gzip, chunked" is well-formed, only nothing we do; anything else leaves the length in doubt.
  const size_t last = value.rfind(',');
  const bool others_first = last != std::string_view::npos && !list_contains(value.substr(0, last), "chunked") &&
                            equals_ignoring_case(base::trim(value.substr(last + 1)), "chunked");
  return others_first ? ParseError::unsupported_transfer_encoding : ParseError::bad_transfer_encoding;
}

// Framing as the fields declare it, RFC 9112, section 6.3, with everything ambiguous refused.
template <class Head>
ParseError read_framing(const HeadLimits& limits, Framing without_fields, Head& head) {
  const Headers& headers = head.headers;
  head.framing = without_fields;
  head.content_length = 0;
  if (headers.has(HeaderId::transfer_encoding)) {
    head.framing = Framing::chunked;
    return check_transfer_encoding(headers, head.version);
  }
  if (!headers.has(HeaderId::content_length)) return ParseError::none;
  if (headers.repeated(HeaderId::content_length)) return ParseError::repeated_content_length;
  head.framing = Framing::content_length;
  return read_content_length(headers.value(HeaderId::content_length), limits.content_length_max, head.content_length);
}

bool wants_keep_alive(const Headers& headers, Version version) {
  if (!headers.has(HeaderId::connection)) return version == Version::http_1_1;
  if (named_in_connection(headers, "close")) return false;
  return version == Version::http_1_1 || named_in_connection(headers, "keep-alive");
}

std::string_view upgrade_of(const Headers& headers, Version version) {
  if (version != Version::http_1_1 || !headers.has(HeaderId::upgrade) || headers.repeated(HeaderId::upgrade) ||
      !named_in_connection(headers, "upgrade")) {
    return {};
  }
  return headers.value(HeaderId::upgrade);
}

ParseError understand_request(const HeadLimits& limits, RequestHead& head) {
  if (const ParseError error = check_host(head); error != ParseError::none) return error;
  if (const ParseError error = read_framing(limits, Framing::none, head); error != ParseError::none) return error;
  const Headers& headers = head.headers;
  head.keep_alive = wants_keep_alive(headers, head.version);
  head.upgrade = upgrade_of(headers, head.version);
  head.expect_continue = false;
  if (head.version == Version::http_1_1 && headers.has(HeaderId::expect)) {
    if (headers.repeated(HeaderId::expect) || !equals_ignoring_case(headers.value(HeaderId::expect), "100-continue")) {
      return ParseError::unknown_expectation;
    }
    head.expect_continue =
        head.framing == Framing::chunked || (head.framing == Framing::content_length && head.content_length != 0);
  }
  return ParseError::none;
}

ParseError understand_response(const HeadLimits& limits, Method request_method, ResponseHead& head) {
  head.keep_alive = wants_keep_alive(head.headers, head.version);
  head.upgrade = head.status == 101 ? upgrade_of(head.headers, head.version) : std::string_view{};
  // The answer to CONNECT turns into a tunnel: its framing fields mean nothing (RFC 9110, section 9.3.6).
  if (request_method == Method::connect && head.status >= 200 && head.status < 300) {
    head.framing = Framing::none;
    head.content_length = 0;
    return ParseError::none;
  }
  const ParseError error = read_framing(limits, Framing::until_close, head);
  if (error != ParseError::none) return error;
  const bool declares_body =
      head.framing == Framing::chunked || (head.framing == Framing::content_length && head.content_length != 0);
  if (head.status < 200 || head.status == 204) {
    // Forbidden there (RFC 9110, section 8.6; RFC 9112, section 6.1): the bytes behind it may or may not be a body.
    if (declares_body && head.status < 200) return ParseError::body_not_allowed;
    if (declares_body) head.keep_alive = false;
    head.framing = Framing::none;
  } else if (request_method == Method::head || head.status == 304) {
    head.framing = Framing::none;
  }
  if (head.framing == Framing::until_close) head.keep_alive = false;
  return ParseError::none;
}

// "HTTP/1.1 200 OK". The space behind the status is optional: servers that have no phrase leave it out.
bool read_status_line(Reading& in, ResponseHead& head) {
  if (!read_version(in, ParseError::bad_status_line, head.version)) return false;
  constexpr std::string_view kShape = " ddd";
  const size_t available = std::min(in.left(), kShape.size());
  for (size_t i = 0; i < available; ++i) {
    const bool good = kShape[i] == 'd' ? base::is_digit(in.at[i]) : in.at[i] == kShape[i];
    if (!good) return in.fail(ParseError::bad_status_line);
  }
  if (available < kShape.size()) return in.wait();
  head.status = static_cast<uint16_t>((in.at[1] - '0') * 100 + (in.at[2] - '0') * 10 + (in.at[3] - '0'));
  if (head.status < 100 || head.status > 599) return in.fail(ParseError::bad_status_line);
  in.at += kShape.size();
  head.reason = {};
  if (in.at != in.end && *in.at == ' ') {
    const char* const first = ++in.at;
    in.at = grammar::skip_value(first, in.end);
    head.reason = between(first, in.at);
  }
  return read_line_end(in, ParseError::bad_status_line);
}

// The end of a parse that stopped for want of bytes, or of good ones.
ParseResult stopped(const Reading& in, std::string_view bytes, const HeadLimits& limits) {
  if (!in.out_of_bytes) return refused(in.error);
  if (bytes.size() >= limits.head_bytes_max) return refused(ParseError::head_too_large);
  return {};
}

bool read_fields(Reading& in, const HeadLimits& limits, Headers& headers) {
  const size_t most = std::min(limits.headers_max, Headers::kMax);
  switch (grammar::parse_fields(in.at, in.end, most, headers, in.error)) {
    case ParseStatus::complete: return true;
    case ParseStatus::incomplete: return in.wait();
    case ParseStatus::error: return false;
  }
  return false;
}

}  // namespace

ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead& head) {
  Reading in(bytes.substr(0, limits.head_bytes_max));
  head.headers.clear();
  head.scheme = head.authority = head.path = head.query = {};
  if (in.at != in.end && *in.at == '\r') {
    if (!read_line_end(in, ParseError::bad_request_line)) return stopped(in, bytes, limits);
  }
  if (!read_method(in, head) || !read_target(in, limits.target_bytes_max, head)) return stopped(in, bytes, limits);
  if (!read_version(in, ParseError::bad_version, head.version)) return stopped(in, bytes, limits);
  if (!read_line_end(in, ParseError::bad_request_line)) return stopped(in, bytes, limits);
  if (const ParseError error = take_target_apart(head); error != ParseError::none) return refused(error);
  if (!read_fields(in, limits, head.headers)) return stopped(in, bytes, limits);
  if (const ParseError error = understand_request(limits, head); error != ParseError::none) return refused(error);
  return {ParseStatus::complete, ParseError::none, static_cast<size_t>(in.at - bytes.data())};
}

ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, Method request_method,
                                ResponseHead& head) {
  Reading in(bytes.substr(0, limits.head_bytes_max));
  head.headers.clear();
  if (!read_status_line(in, head)) return stopped(in, bytes, limits);
  if (!read_fields(in, limits, head.headers)) return stopped(in, bytes, limits);
  if (const ParseError error = understand_response(limits, request_method, head); error != ParseError::none) {
    return refused(error);
  }
  return {ParseStatus::complete, ParseError::none, static_cast<size_t>(in.at - bytes.data())};
}

bool HeadScanner::ready(std::string_view bytes, size_t head_bytes_max) {
  const std::string_view head = bytes.substr(0, head_bytes_max);
  while (scanned_ < head.size()) {
    const size_t feed = head.find('\n', scanned_);
    if (feed == std::string_view::npos) break;
    const bool bare = feed == 0 || head[feed - 1] != '\r';
    if (bare || head.substr(0, feed).ends_with("\n\r")) return true;
    scanned_ = feed + 1;
  }
  scanned_ = head.size();
  return bytes.size() >= head_bytes_max;
}

PrefaceMatch is_h2_preface(std::string_view bytes) {
  if (bytes.starts_with(kH2Preface)) return PrefaceMatch::yes;
  return kH2Preface.starts_with(bytes) ? PrefaceMatch::partial : PrefaceMatch::no;
}

}  // namespace llmgw::http
