#include <algorithm>

#include "http/h1_grammar.h"

namespace llmgw::http::grammar {
namespace {

ParseError name_error(const char* at, const char* name) {
  switch (*at) {
    case ' ':
    case '\t': return at == name ? ParseError::folded_header : ParseError::space_before_colon;
    case '\n': return ParseError::bare_line_feed;
    default: return ParseError::bad_header_name;
  }
}

std::string_view trimmed(const char* first, const char* last) {
  while (first != last && (*first == ' ' || *first == '\t')) ++first;
  while (first != last && (last[-1] == ' ' || last[-1] == '\t')) --last;
  return {first, static_cast<size_t>(last - first)};
}

// Around their values a tab is allowed, but some parsers (llhttp) then take "chunked" for an unknown coding.
bool is_framing(HeaderId id) {
  return id == HeaderId::transfer_encoding || id == HeaderId::content_length;
}

}  // namespace

ParseStatus parse_fields(const char*& at, const char* end, size_t headers_max, Headers& headers, ParseError& error) {
  const auto refuse = [&error](ParseError why) {
    error = why;
    return ParseStatus::error;
  };
  while (true) {
    if (at == end) return ParseStatus::incomplete;
    if (*at == '\r') {
      if (at + 1 == end) return ParseStatus::incomplete;
      if (at[1] != '\n') return refuse(ParseError::bare_carriage_return);
      at += 2;
      return ParseStatus::complete;
    }
    const char* const name = at;
    at = skip_token(at, end);
    if (at == end) return ParseStatus::incomplete;
    if (*at != ':' || at == name) return refuse(name_error(at, name));
    const char* const value = at + 1;
    const char* const stop = skip_value(value, end);
    if (stop == end || (*stop == '\r' && stop + 1 == end)) return ParseStatus::incomplete;
    if (*stop == '\n') return refuse(ParseError::bare_line_feed);
    if (*stop != '\r') return refuse(ParseError::bad_header_value);
    if (stop[1] != '\n') return refuse(ParseError::bare_carriage_return);
    const std::string_view name_text{name, static_cast<size_t>(at - name)};
    const HeaderId id = header_id(name_text);
    if (is_framing(id) && std::find(value, stop, '\t') != stop) return refuse(ParseError::bad_header_value);
    if (headers.size() >= headers_max || !headers.append({name_text, trimmed(value, stop), id, true})) {
      return refuse(ParseError::too_many_headers);
    }
    at = stop + 2;
  }
}

}  // namespace llmgw::http::grammar
