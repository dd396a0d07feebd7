// Bodies that a server compressed although nobody asked for it: gzip, of one member or several, and deflate (RFC 9110,
// section 8.4.1; RFC 1950 to 1952), by zlib. Incremental, with a bound on what comes out. One body, one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace llmgw::http {

class ContentDecoder {
 public:
  // For the value of a Content-Encoding header: null for none or "identity"; unsupported for codings it has not.
  // `bytes_max` bounds the decoded body: a few KiB can hold gigabytes of zeros.
  static base::Result<std::unique_ptr<ContentDecoder>> create(std::string_view content_encoding, size_t bytes_max);
  ~ContentDecoder();
  ContentDecoder(const ContentDecoder&) = delete;
  ContentDecoder& operator=(const ContentDecoder&) = delete;

  // Appends what `bytes` decode to. Errors: protocol (they are not of that coding), too_large.
  base::Result<void> feed(std::string_view bytes, std::string& out);
  // Whether the coded body has come to its end.
  bool finished() const;

 private:
  struct State;
  explicit ContentDecoder(std::unique_ptr<State> state);
  bool next_member(char first);
  std::unique_ptr<State> state_;
};

}  // namespace llmgw::http
