// Reading JSON forward, in place: a Parser indexes where every token of a document begins (token_index.h; it checks
// UTF-8, control bytes in strings and closed strings), a Reader walks the tokens and checks the grammar. Nothing is
// copied; texts point into the document, which must outlive the Reader.
//
//   TRY(document, parser.parse(body));
//   Reader reader(document);
//   std::string_view key;
//   if (reader.enter_object()) while (reader.next_member(key)) { if (key == "n") n = reader.unsigned_integer(); else
//   reader.skip(); } TRY_VOID(reader.finish());
//
// Errors stick: after the first one nothing more is read and finish() says so. One thread for each Parser and its
// Readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace llmgw::json {

// Containers in containers. Tool schemas in the wild stay below 30; the bound keeps every walk's state on the stack.
inline constexpr size_t kDepthMax = 256;
// The index has 32-bit positions and takes up to four bytes for each byte of document while it is read.
inline constexpr size_t kDocumentBytesMax = size_t{256} << 20;

// The token index of a document. Valid until the Parser parses again, shrinks or dies.
struct Document {
  std::string_view text;
  const uint32_t* tokens = nullptr;  // position of each token's first byte
  uint32_t token_count = 0;
};

class Parser {
 public:
  // Buffers for documents up to this size are kept by shrink(): most requests fit, and a worker affords the 256 KiB.
  static constexpr size_t kKeptDocumentBytes = 64 << 10;

  // invalid_argument: empty, not UTF-8, a string that is not closed, a control byte in a string.
  // too_large: above kDocumentBytesMax.
  base::Result<Document> parse(std::string_view text);

  // Gives the buffers of a large document back. Call when a request is done with its document.
  void shrink();
  size_t capacity_bytes() const { return capacity_; }

 private:
  std::unique_ptr<uint32_t[]> tokens_;
  size_t capacity_ = 0;  // the longest document whose tokens they can hold
};

enum class Kind : uint8_t { object, array, string, number, boolean, null, invalid };

class Reader {
 public:
  explicit Reader(const Document& document) : document_(document) {}

  // What the value at hand is, by its first byte. `invalid` at the end, on a separator and after an error.
  Kind kind() const;

  // The value at hand must be an object; then every next_member() that answers true puts its key, as it stands between
  // the quotes, into `key` and stands on its value, which the caller must consume.
  bool enter_object();
  bool next_member(std::string_view& key);
  bool enter_array();
  bool next_element();

  // Each consumes the value at hand, which must be of that kind (or it is an error).
  std::string_view string();  // as it stands between the quotes, still escaped
  std::string_view number();  // its text
  bool boolean();
  void null();
  // Consumes any value. The number if it is a number written as plain digits below 2^64, else nothing.
  std::optional<uint64_t> unsigned_integer();
  // Consumes any value, checks its grammar, and returns its whole text. Escapes inside strings are not looked at.
  std::string_view skip();

  bool failed() const { return error_ != nullptr; }
  // The document must be consumed, with nothing behind it.
  base::Result<void> finish();

  // Where the token at hand starts, and where the last consumed one ended, both in the document's text.
  size_t position() const { return at_end() ? document_.text.size() : document_.tokens[token_]; }
  size_t consumed() const;

 private:
  bool at_end() const { return token_ >= document_.token_count; }
  char current() const { return at_end() ? '\0' : document_.text[document_.tokens[token_]]; }
  // From the token at hand to the last byte before the next one that is not white space.
  std::string_view token_text() const;
  bool check_scalar() const;
  void skip_container();
  bool skip_key();
  bool fail(const char* what);

  Document document_;
  uint32_t token_ = 0;
  uint32_t depth_ = 0;
  bool first_ = false;  // an object or array was just entered
  const char* error_ = nullptr;
};

}  // namespace llmgw::json
