// Errors that an upstream tells with a 200: in the middle of a stream, or as the whole document. They are passed on
// like any answer, but for what is the operator's (redact.h). What tells them from answers is looked for by scanners
// that run anyway (TextScanner::says_error) or at the beginning of a document only; this here runs where they found
// something. Pure. One answer, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "chat/dialect.h"
#include "gateway/call/redact.h"
#include "json/reader.h"

namespace llmgw::gateway {

// An event that is longer is passed on in parts, each redacted by itself; errors are a few hundred bytes.
inline constexpr size_t kErrorEventBytesMax = 256 << 10;

// How much of a document's beginning tells: errors have their name behind an id and a few words at most.
inline constexpr size_t kErrorSignBytes = 512;

// Whether a document that begins so may be an error, or is no JSON at all. `streams`: the client asked for a stream,
// which some servers send under a wrong Content-Type.
bool may_be_error(std::string_view beginning, bool streams);

// Whether the word stands in it as a name or a value.
bool says_error_name(std::string_view json);
// Whether it begins as a line of server-sent events does.
bool is_event_field(std::string_view text);

// How much of a whole document that may be an error is to be redacted.
Redaction redaction_of(std::string_view document, json::Parser& parser, base::Arena& arena);

// Events of a stream in which one says that it is an error.
class ErrorFilter {
 public:
  explicit ErrorFilter(chat::Framing framing) : framing_(framing) {}

  // Takes the next bytes; `whole`: an event ends with them, or the stream. Gives what may go out, in this object's
  // memory until the next call: all that was held back, without secrets, or nothing yet.
  std::string_view feed(std::string_view bytes, bool whole, const Secrets& secrets, json::Parser& parser,
                        base::Arena& arena);
  bool holds() const { return !held_.empty(); }

 private:
  chat::Framing framing_;
  std::string held_;
  std::string clean_;
};

// The same for AWS's frames, from the bytes on in which an exception begins.
class MessageFilter {
 public:
  // `before_next`: how many of the first bytes belong to a message that has begun to go out; nothing: its end is not
  // known. Nothing is given where that message shows something. Exceptions are written anew, with their checksums, if
  // they do; frames that cannot be read are left out.
  std::optional<std::string_view> feed(std::string_view bytes, std::optional<size_t> before_next, bool whole,
                                       const Secrets& secrets, base::Arena& arena);

 private:
  std::string held_;
  std::string clean_;
  std::optional<size_t> before_next_;
};

}  // namespace llmgw::gateway
