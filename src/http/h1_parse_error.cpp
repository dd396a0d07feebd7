#include <iterator>

#include "http/h1_parser.h"

namespace llmgw::http {
namespace {

struct Row {
  ParseError error;
  uint16_t status;
  base::ErrorCode code;
  const char* text;
};

using base::ErrorCode;
using enum ParseError;

constexpr Row kRows[] = {
    {none, 200, ErrorCode::internal, "no error"},
    {bad_request_line, 400, ErrorCode::protocol, "malformed request line"},
    {bad_method, 400, ErrorCode::protocol, "malformed method"},
    {bad_target, 400, ErrorCode::protocol, "malformed request target"},
    {target_too_long, 414, ErrorCode::too_large, "request target too long"},
    {connect_refused, 501, ErrorCode::unsupported, "CONNECT is not served"},
    {bad_version, 400, ErrorCode::protocol, "malformed HTTP version"},
    {unsupported_version, 505, ErrorCode::unsupported, "HTTP version not supported"},
    {bad_status_line, 400, ErrorCode::protocol, "malformed status line"},
    {head_too_large, 431, ErrorCode::too_large, "message head too large"},
    {too_many_headers, 431, ErrorCode::too_large, "too many header fields"},
    {bad_header_name, 400, ErrorCode::protocol, "malformed header name"},
    {bad_header_value, 400, ErrorCode::protocol, "control character in a header value"},
    {space_before_colon, 400, ErrorCode::protocol, "whitespace before a header's colon"},
    {folded_header, 400, ErrorCode::protocol, "header line starts with whitespace"},
    {bare_line_feed, 400, ErrorCode::protocol, "line feed without carriage return"},
    {bare_carriage_return, 400, ErrorCode::protocol, "carriage return without line feed"},
    {missing_host, 400, ErrorCode::protocol, "Host header missing"},
    {repeated_host, 400, ErrorCode::protocol, "Host header repeated"},
    {bad_host, 400, ErrorCode::protocol, "malformed Host header"},
    {host_differs_from_target, 400, ErrorCode::protocol, "Host header differs from the request target"},
    {bad_content_length, 400, ErrorCode::protocol, "malformed Content-Length"},
    {repeated_content_length, 400, ErrorCode::protocol, "Content-Length repeated"},
    {body_too_large, 413, ErrorCode::too_large, "declared body too large"},
    {body_not_allowed, 400, ErrorCode::protocol, "interim response with a body"},
    {length_and_encoding, 400, ErrorCode::protocol, "both Content-Length and Transfer-Encoding"},
    {bad_transfer_encoding, 400, ErrorCode::protocol, "malformed Transfer-Encoding"},
    {unsupported_transfer_encoding, 501, ErrorCode::unsupported, "transfer coding not supported"},
    {encoding_in_http_1_0, 400, ErrorCode::protocol, "Transfer-Encoding in HTTP/1.0"},
    {unknown_expectation, 417, ErrorCode::unsupported, "unknown expectation"},
};

consteval bool rows_in_order() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (static_cast<size_t>(kRows[i].error) != i) return false;
  }
  return std::size(kRows) == static_cast<size_t>(unknown_expectation) + 1;
}
static_assert(rows_in_order());

const Row& row(ParseError error) {
  return kRows[static_cast<size_t>(error)];
}

}  // namespace

uint16_t http_status(ParseError error) {
  return row(error).status;
}
const char* describe(ParseError error) {
  return row(error).text;
}
base::Error to_error(ParseError error) {
  return {row(error).code, row(error).text, 0};
}

}  // namespace llmgw::http
