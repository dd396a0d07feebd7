// Content-Type values, and one form field found inside a multipart/form-data body so that it can be read and replaced
// in place: RFC 9110 section 8.3, RFC 2046 section 5.1, RFC 7578. Pure; the views and offsets are into what was given.
// What two parsers could read differently is refused: the gateway's and the upstream's must see the same field.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace llmgw::http {

inline constexpr size_t kMultipartPartsMax = 1024;              // an image edit with 16 images has about 25
inline constexpr size_t kMultipartPartHeadBytesMax = 8 * 1024;  // three headers and a long file name
inline constexpr size_t kMultipartBoundaryBytesMax = 70;        // RFC 2046, section 5.1.1

struct ContentType {
  std::string_view type;      // "application/json", as it came; see is()
  std::string_view charset;   // empty when not given
  std::string_view boundary;  // empty when not given

  bool is(std::string_view wanted) const;  // letter case aside
};

// "multipart/form-data; boundary=\"x\"". protocol for anything malformed, repeated parameters, and quoted values with a
// backslash.
base::Result<ContentType> parse_content_type(std::string_view value);

struct FieldSpan {
  size_t offset = 0;  // of the value in the body
  size_t length = 0;
};

// The value of the one form field of that name; nothing when there is none. protocol when the body is malformed, cut,
// holds the field more than once or as a file, or says its name in a way that parsers disagree about. About where a
// file name with a backslash ends they may, as long as no name of a field can stand behind it.
base::Result<std::optional<FieldSpan>> find_multipart_field(std::string_view body, std::string_view boundary,
                                                            std::string_view name);

}  // namespace llmgw::http
