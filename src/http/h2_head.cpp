#include "http/h2_head.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "http/authority.h"
#include "http/h1_grammar.h"

namespace llmgw::http {

using base::equals_ignoring_case;

namespace {

// What the same line costs in HTTP/1.1 (": " and the line's end), so that one limit means the same for both.
constexpr size_t kFieldOverheadBytes = 4;

ParseError split_target(size_t target_bytes_max, RequestHead& head) {
  const std::string_view target = head.target;
  if (target.size() > target_bytes_max) return ParseError::target_too_long;
  if (!grammar::all(target, grammar::kTarget)) return ParseError::bad_target;
  if (target == "*") {
    head.path = target;
    return head.method == Method::options ? ParseError::none : ParseError::bad_target;
  }
  if (!target.starts_with('/')) return ParseError::bad_target;
  const size_t question = std::min(target.find('?'), target.size());
  head.path = target.substr(0, question);
  head.query = target.substr(std::min(question + 1, target.size()));
  const bool refused =
      std::any_of(head.path.begin(), head.path.end(), [](char c) { return grammar::is(c, grammar::kPathRefused); });
  return refused ? ParseError::bad_target : ParseError::none;
}

template <class Head>
ParseError read_framing(uint64_t most, bool end_stream, Head& head) {
  head.framing = end_stream ? Framing::none : Framing::until_close;
  head.content_length = 0;
  if (!head.headers.has(HeaderId::content_length)) return ParseError::none;
  if (head.headers.repeated(HeaderId::content_length)) return ParseError::repeated_content_length;
  const std::string_view text = head.headers.value(HeaderId::content_length);
  constexpr size_t kDigitsMax = 19;  // what INT64_MAX has
  if (text.empty() || !std::all_of(text.begin(), text.end(), base::is_digit)) return ParseError::bad_content_length;
  const auto value = base::parse_decimal(text);
  if (text.size() > kDigitsMax || !value || *value > most) return ParseError::body_too_large;
  if (end_stream) return ParseError::none;
  head.framing = Framing::content_length;
  head.content_length = *value;
  return ParseError::none;
}

}  // namespace

bool H2HeadBuilder::add(std::string_view name, std::string_view value, Headers& headers) {
  bytes_ += name.size() + value.size() + kFieldOverheadBytes;
  ++fields_;
  if (bytes_ > limits_.head_bytes_max) refuse(ParseError::head_too_large);
  if (fields_ > limits_.headers_max + 4) refuse(ParseError::too_many_headers);  // there are at most 4 pseudo headers
  if (error_ != ParseError::none) {
    return bytes_ <= kToleratedTimes * limits_.head_bytes_max && fields_ <= kToleratedTimes * Headers::kMax;
  }
  if (name.starts_with(':')) {
    add_pseudo(name, value);
    return true;
  }
  const HeaderId id = header_id(name);
  const std::string_view kept_name = id == HeaderId::other ? arena_.copy(name) : header_name(id);
  if (headers.size() >= limits_.headers_max || !headers.append(id, kept_name, arena_.copy(value))) {
    refuse(ParseError::too_many_headers);
  }
  return true;
}

void H2HeadBuilder::add_pseudo(std::string_view name, std::string_view value) {
  const std::string_view kept = arena_.copy(value);
  if (name == ":method") method_ = kept;
  if (name == ":scheme") scheme_ = kept;
  if (name == ":authority") authority_ = kept;
  if (name == ":path") path_ = kept;
  if (name == ":status") status_ = kept;
}

// RFC 9113, section 8.3.1: a Host header beside :authority must say the same.
ParseError H2HeadBuilder::check_authority(RequestHead& head) const {
  if (head.headers.repeated(HeaderId::host)) return ParseError::repeated_host;
  const Header* host = head.headers.find(HeaderId::host);
  if (authority_.empty() && host == nullptr) return ParseError::missing_host;
  head.authority = authority_.empty() ? host->value : authority_;
  if (!valid_authority(head.authority)) return ParseError::bad_host;
  if (host != nullptr && !equals_ignoring_case(host->value, head.authority)) {
    return ParseError::host_differs_from_target;
  }
  return ParseError::none;
}

// One cookie header may come as several fields (RFC 9113, section 8.2.3).
void H2HeadBuilder::join_cookies(Headers& headers) {
  if (!headers.repeated(HeaderId::cookie)) return;
  size_t bytes = 0;
  for (const Header& header : headers) {
    if (header.id == HeaderId::cookie) bytes += header.value.size() + 2;
  }
  const std::span<char> joined = arena_.bytes(bytes);
  char* at = joined.data();
  for (const Header& header : headers) {
    if (header.id != HeaderId::cookie) continue;
    if (at != joined.data()) at = std::copy_n("; ", 2, at);
    at = std::copy_n(header.value.data(), header.value.size(), at);
  }
  headers.remove(HeaderId::cookie);
  headers.append(HeaderId::cookie, {joined.data(), at});
}

ParseError H2HeadBuilder::finish_request(bool end_stream, RequestHead& head) {
  head.version = Version::http_2;
  head.keep_alive = true;
  head.method_text = method_;
  head.method = method_of(method_);
  head.target = path_;
  head.scheme = scheme_;
  if (error_ != ParseError::none) return error_;
  if (method_.empty() || method_.size() > kMethodBytesMax || !grammar::all(method_, grammar::kToken)) {
    return ParseError::bad_method;
  }
  if (head.method == Method::connect) return ParseError::connect_refused;
  if (scheme_ != "http" && scheme_ != "https") return ParseError::bad_target;
  if (const ParseError error = split_target(limits_.target_bytes_max, head); error != ParseError::none) return error;
  if (const ParseError error = check_authority(head); error != ParseError::none) return error;
  const ParseError error = read_framing(limits_.content_length_max, end_stream, head);
  if (error != ParseError::none) return error;
  join_cookies(head.headers);
  head.expect_continue = false;
  if (head.headers.has(HeaderId::expect)) {
    const bool known = !head.headers.repeated(HeaderId::expect) &&
                       equals_ignoring_case(head.headers.value(HeaderId::expect), "100-continue");
    if (!known) return ParseError::unknown_expectation;
    head.expect_continue = head.framing != Framing::none;
  }
  return ParseError::none;
}

ParseError H2HeadBuilder::finish_response(bool end_stream, Method request_method, ResponseHead& head) {
  head.version = Version::http_2;
  head.keep_alive = true;
  if (error_ != ParseError::none) return error_;
  if (status_.size() != 3 || !std::all_of(status_.begin(), status_.end(), base::is_digit)) {
    return ParseError::bad_status_line;
  }
  head.status = static_cast<uint16_t>((status_[0] - '0') * 100 + (status_[1] - '0') * 10 + (status_[2] - '0'));
  if (head.status < 100 || head.status > 599 || head.status == 101) return ParseError::bad_status_line;
  const ParseError error = read_framing(limits_.content_length_max, end_stream, head);
  if (error != ParseError::none) return error;
  if (head.status < 200 || head.status == 204 || head.status == 304 || request_method == Method::head) {
    head.framing = Framing::none;
    head.content_length = 0;
  }
  return ParseError::none;
}

void H2HeadBuilder::clear(Headers& headers) {
  headers.clear();
  arena_.reset();
  bytes_ = fields_ = 0;
  error_ = ParseError::none;
  method_ = scheme_ = authority_ = path_ = status_ = {};
}

}  // namespace llmgw::http
