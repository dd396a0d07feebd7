#include "http/mime_multipart.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "http/h1_grammar.h"

namespace llmgw::http {
namespace {

using base::equals_ignoring_case;
using base::ErrorCode;

std::unexpected<base::Error> malformed(const char* why) {
  return base::fail(ErrorCode::protocol, why);
}

std::string_view take_token(std::string_view& text) {
  const char* const end = grammar::skip(text.data(), text.data() + text.size(), grammar::kToken);
  const std::string_view token = text.substr(0, static_cast<size_t>(end - text.data()));
  text.remove_prefix(token.size());
  return token;
}

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

struct Parameter {
  std::string_view name;
  std::string_view value;
};

// Whether a reader that begins somewhere in `text` could find the parameter `name` or `name*` there.
bool may_name(std::string_view text) {
  constexpr std::string_view kName = "name";
  for (size_t at = 0; at + kName.size() <= text.size(); ++at) {
    if (!equals_ignoring_case(text.substr(at, kName.size()), kName)) continue;
    if (at > 0 && grammar::is(text[at - 1], grammar::kToken)) continue;  // "filename"
    const size_t next = text.find_first_not_of(" \t\"", at + kName.size());
    if (next != std::string_view::npos && (text[next] == '=' || text[next] == '*')) return true;
  }
  return false;
}

// Takes a file name with a backslash, behind its opening quote, from the front. SDKs double a backslash or put one
// before a quote (RFC 9110, section 5.6.4), browsers send it as it is (WHATWG), and some readers take it for an escape
// only right before a quote: all of them end at the first quote, unless a backslash stands before it. Then they do not
// agree about the rest, which goes with the name, and must hold nothing that one of them could take for the field's
// name.
base::Result<void> take_escaped_file_name(std::string_view& text) {
  const size_t quote = text.find('"');
  if (quote == std::string_view::npos) return malformed("unterminated quoted string");
  if (text[quote - 1] != '\\') {
    text.remove_prefix(quote + 1);
    return {};
  }
  if (may_name(text.substr(quote))) return malformed("a part's filename could hide another name of its field");
  text = {};
  return {};
}

// Takes "; name=value" from the front; nothing when `text` is empty. A file name with a backslash has no value.
base::Result<std::optional<Parameter>> take_parameter(std::string_view& text) {
  skip_spaces(text);
  if (text.empty()) return std::nullopt;
  if (text.front() != ';') return malformed("malformed header parameter");
  text.remove_prefix(1);
  skip_spaces(text);
  if (text.empty()) return std::nullopt;  // a trailing semicolon, which some clients send
  Parameter parameter;
  parameter.name = take_token(text);
  if (parameter.name.empty() || !text.starts_with('=')) return malformed("malformed header parameter");
  text.remove_prefix(1);
  if (!text.starts_with('"')) {
    parameter.value = take_token(text);
    if (parameter.value.empty()) return malformed("empty header parameter");
    return parameter;
  }
  text.remove_prefix(1);
  const size_t stop = text.find_first_of("\"\\");
  if (stop == std::string_view::npos) return malformed("unterminated quoted string");
  if (text[stop] == '\\') {
    if (equals_ignoring_case(parameter.name, "name")) return malformed("backslash in the name of a form field");
    if (!equals_ignoring_case(parameter.name, "filename")) return malformed("backslash in a quoted string");
    TRY_VOID(take_escaped_file_name(text));
    return parameter;
  }
  parameter.value = text.substr(0, stop);
  text.remove_prefix(stop + 1);
  return parameter;
}

// bchars of RFC 2046, section 5.1.1; a space may not come last.
bool valid_boundary(std::string_view boundary) {
  constexpr std::string_view kOthers = "'()+_,-./:=? ";
  if (boundary.empty() || boundary.size() > kMultipartBoundaryBytesMax || boundary.back() == ' ') return false;
  return std::all_of(boundary.begin(), boundary.end(), [kOthers](char c) {
    const char lower = base::to_lower(c);
    return base::is_digit(c) || (lower >= 'a' && lower <= 'z') || kOthers.find(c) != std::string_view::npos;
  });
}

struct Disposition {
  std::string_view name;
  bool file = false;
};

base::Result<Disposition> parse_disposition(std::string_view value) {
  if (!equals_ignoring_case(take_token(value), "form-data")) return malformed("part is no form-data");
  Disposition disposition;
  bool named = false;
  while (true) {
    TRY(parameter, take_parameter(value));
    if (!parameter) break;
    if (equals_ignoring_case(parameter->name, "name")) {
      if (named) return malformed("part named twice");
      named = true;
      disposition.name = parameter->value;
    } else if (equals_ignoring_case(parameter->name, "name*")) {
      return malformed("part name in extended notation");
    } else if (equals_ignoring_case(parameter->name, "filename") ||
               equals_ignoring_case(parameter->name, "filename*")) {
      disposition.file = true;
    }
  }
  if (!named) return malformed("part without a name");
  return disposition;
}

struct Part {
  std::string_view disposition;
  bool encoded = false;  // a Content-Transfer-Encoding that changes the bytes
};

// Reads the part's header lines from the front of `rest`.
base::Result<Part> take_part_head(std::string_view& rest) {
  const std::string_view head = rest.substr(0, kMultipartPartHeadBytesMax);
  Headers headers;
  const char* at = head.data();
  ParseError error = ParseError::none;
  switch (grammar::parse_fields(at, at + head.size(), Headers::kMax, headers, error)) {
    case ParseStatus::complete: break;
    case ParseStatus::incomplete: return malformed("part head cut or too long");
    case ParseStatus::error: return malformed(describe(error));
  }
  rest.remove_prefix(static_cast<size_t>(at - head.data()));
  Part part;
  if (headers.count(HeaderId::content_disposition) != 1) return malformed("part without one Content-Disposition");
  part.disposition = headers.value(HeaderId::content_disposition);
  for (const Header& header : headers) {
    if (!equals_ignoring_case(header.name, "content-transfer-encoding")) continue;
    part.encoded =
        part.encoded || (!equals_ignoring_case(header.value, "binary") && !equals_ignoring_case(header.value, "8bit") &&
                         !equals_ignoring_case(header.value, "7bit"));
  }
  return part;
}

// The length of the part's content at the front of `rest`: up to the CR LF in front of `dash_boundary`. Refuses one
// that stands at the start of a line in another way, where a lenient parser would end the part and a strict one would
// not.
base::Result<size_t> content_length(std::string_view rest, std::string_view dash_boundary) {
  for (size_t at = rest.find(dash_boundary); at != std::string_view::npos; at = rest.find(dash_boundary, at + 1)) {
    const std::string_view before = rest.substr(0, at);
    if (before.ends_with("\r\n")) return at - 2;
    if (before.empty() || before.ends_with('\n') || before.ends_with('\r')) {
      return malformed("multipart boundary without CR LF before it");
    }
  }
  return malformed("multipart body cut");
}

}  // namespace

bool ContentType::is(std::string_view wanted) const {
  return equals_ignoring_case(type, wanted);
}

base::Result<ContentType> parse_content_type(std::string_view value) {
  const std::string_view whole = base::trim(value);
  std::string_view rest = whole;
  const bool has_type = !take_token(rest).empty() && rest.starts_with('/');
  if (has_type) rest.remove_prefix(1);
  if (!has_type || take_token(rest).empty()) return malformed("malformed media type");
  ContentType result;
  result.type = whole.substr(0, whole.size() - rest.size());
  while (true) {
    TRY(parameter, take_parameter(rest));
    if (!parameter) return result;
    std::string_view* kept = nullptr;
    if (equals_ignoring_case(parameter->name, "charset")) kept = &result.charset;
    if (equals_ignoring_case(parameter->name, "boundary")) kept = &result.boundary;
    if (kept == nullptr) continue;
    if (!kept->empty()) return malformed("media type parameter repeated");
    if (parameter->value.empty()) return malformed("empty header parameter");
    *kept = parameter->value;
  }
}

base::Result<std::optional<FieldSpan>> find_multipart_field(std::string_view body, std::string_view boundary,
                                                            std::string_view name) {
  if (!valid_boundary(boundary)) return malformed("malformed multipart boundary");
  const std::string dash_boundary = "--" + std::string(boundary);
  std::string_view rest = body;
  if (!rest.starts_with(dash_boundary)) return malformed("multipart body does not start with its boundary");
  rest.remove_prefix(dash_boundary.size());
  std::optional<FieldSpan> found;
  for (size_t parts = 0; !rest.starts_with("--"); ++parts) {
    if (parts == kMultipartPartsMax) return base::fail(ErrorCode::too_large, "too many parts in a multipart body");
    if (!rest.starts_with("\r\n")) return malformed("malformed multipart boundary line");
    rest.remove_prefix(2);
    TRY(part, take_part_head(rest));
    TRY(disposition, parse_disposition(part.disposition));
    TRY(length, content_length(rest, dash_boundary));
    if (disposition.name == name) {
      if (found) return malformed("form field repeated");
      if (disposition.file || part.encoded) return malformed("form field is a file or encoded");
      found = FieldSpan{body.size() - rest.size(), length};
    }
    rest.remove_prefix(length + 2 + dash_boundary.size());
  }
  rest.remove_prefix(2);
  if (!rest.empty() && rest != "\r\n") return malformed("bytes behind the end of a multipart body");
  return found;
}

}  // namespace llmgw::http
