// What llhttp makes of the first message in some bytes, for the fuzzers that compare the gateway's codec with it, and
// the checks they share.
#pragma once

#include <llhttp.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "http/body_framing.h"
#include "http/h1_parser.h"

namespace llmgw::http::fuzzing {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// One message as the gateway's codec reads it, copied out of the bytes.
template <class Head>
struct Reading {
  ParseResult head_result;
  Head head;         // views into `kept` or the bytes given
  std::string kept;  // the memory of a head read in pieces
  std::string body;
  bool body_failed = false;
  bool body_done = false;
  size_t message_bytes = 0;  // of head and body, as far as they were read
  Fields trailers;

  bool has_head() const { return head_result.status == ParseStatus::complete; }
};

// Reads the body behind a head in pieces of `step` bytes.
template <class Head>
void read_body(std::string_view bytes, size_t step, Reading<Head>& out) {
  BodyReader body = BodyReader::of(out.head);
  size_t at = out.head_result.consumed;
  while (at < bytes.size() && !body.done() && !out.body_failed) {
    const std::string part(bytes.substr(at, step));  // its own memory: reading past it is caught
    std::string_view left = part;
    while (!left.empty() && !body.done()) {
      const auto piece = body.feed(left);
      if (!piece) {
        out.body_failed = true;
        break;
      }
      require(piece->consumed > 0 && piece->consumed <= left.size(), "a feed takes something, and not too much");
      require(piece->done == body.done(), "the piece says what the reader says");
      out.body += piece->data;
      left.remove_prefix(piece->consumed);
    }
    at += part.size() - left.size();
  }
  if (!body.done() && !out.body_failed && out.head.framing == Framing::until_close) {
    require(body.end_of_stream().has_value(), "the end of the connection ends such a body");
  }
  out.body_done = body.done();
  out.message_bytes = at;
  Headers trailers;
  body.trailers(trailers);
  for (const Header& trailer : trailers) out.trailers.emplace_back(trailer.name, trailer.value);
}

// Reads the head as its bytes come in, `step` at a time, parsing when the scanner says so.
template <class Head, class Parse>
void read_head_in_pieces(std::string_view bytes, size_t step, Parse parse, Reading<Head>& out) {
  HeadScanner scanner;
  for (size_t length = 0; length < bytes.size() && out.head_result.status == ParseStatus::incomplete;) {
    length = std::min(length + step, bytes.size());
    out.kept.assign(bytes.substr(0, length));
    const bool ready = scanner.ready(out.kept);
    if (!ready && length < bytes.size()) continue;
    out.head_result = parse(out.kept, out.head);
    require(!ready || out.head_result.status != ParseStatus::incomplete, "a ready head is not incomplete");
  }
}

inline bool same_headers(const Headers& a, const Headers& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].value != b[i].value || a[i].id != b[i].id) return false;
  }
  return true;
}

// The same message, however its bytes arrived.
template <class Head>
void require_same(const Reading<Head>& a, const Reading<Head>& b) {
  require(a.head_result.status == b.head_result.status, "splits agree on the status");
  require(a.head_result.error == b.head_result.error, "splits agree on the error");
  require(a.head_result.consumed == b.head_result.consumed, "splits agree on the end of the head");
  if (!a.has_head()) return;
  require(same_headers(a.head.headers, b.head.headers), "splits agree on the headers");
  require(a.head.framing == b.head.framing && a.head.content_length == b.head.content_length,
          "splits agree on framing");
  require(a.head.keep_alive == b.head.keep_alive, "splits agree on keep-alive");
  require(a.body == b.body, "splits agree on the body");
  require(a.body_done == b.body_done && a.body_failed == b.body_failed, "splits agree on the end of the body");
  require(a.body_failed || a.message_bytes == b.message_bytes, "splits agree on the end of the message");
  require(a.trailers == b.trailers, "splits agree on the trailers");
}

class Oracle {
 public:
  // `skip_body`: the message has no body whatever its fields say (the answer to HEAD), which llhttp cannot know.
  Oracle(llhttp_type_t type, std::string_view bytes, bool skip_body) : skip_body_(skip_body) {
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = [](llhttp_t* parser, const char* at, size_t length) {
      return append(of(parser).target, at, length);
    };
    settings.on_status = [](llhttp_t* parser, const char* at, size_t length) {
      return append(of(parser).reason, at, length);
    };
    settings.on_header_field = [](llhttp_t* parser, const char* at, size_t length) {
      return of(parser).take_name({at, length});
    };
    settings.on_header_value = [](llhttp_t* parser, const char* at, size_t length) {
      return of(parser).take_value({at, length});
    };
    settings.on_header_value_complete = [](llhttp_t* parser) { return of(parser).end_value(); };
    settings.on_headers_complete = [](llhttp_t* parser) { return of(parser).end_headers(*parser); };
    settings.on_body = [](llhttp_t* parser, const char* at, size_t length) {
      return append(of(parser).body, at, length);
    };
    settings.on_message_complete = [](llhttp_t* parser) {
      of(parser).complete = true;
      return static_cast<int>(HPE_PAUSED);
    };
    llhttp_t parser;
    llhttp_init(&parser, type, &settings);
    parser.data = this;
    llhttp_errno_t error = llhttp_execute(&parser, bytes.data(), bytes.size());
    if (error == HPE_OK && !complete && has_head) {
      message_bytes = bytes.size();
      const bool needs_eof = llhttp_message_needs_eof(&parser) != 0;
      if (needs_eof) error = llhttp_finish(&parser);
    } else if (error != HPE_OK) {
      message_bytes = static_cast<size_t>(llhttp_get_error_pos(&parser) - bytes.data());
    }
    failed = error != HPE_OK && error != HPE_PAUSED && error != HPE_PAUSED_UPGRADE;
    reason_of_failure = failed ? llhttp_get_error_reason(&parser) : "";
  }

  bool failed = false;
  bool has_head = false;
  bool complete = false;
  size_t message_bytes = 0;
  std::string target;
  std::string reason;
  std::string method;
  unsigned status = 0;
  unsigned minor_version = 0;
  bool chunked = false;
  bool has_content_length = false;
  uint64_t content_length = 0;
  bool keep_alive = false;
  Fields headers;
  Fields trailers;
  std::string body;
  const char* reason_of_failure = "";

 private:
  static Oracle& of(llhttp_t* parser) { return *static_cast<Oracle*>(parser->data); }
  static int append(std::string& out, const char* at, size_t length) {
    out.append(at, length);
    return 0;
  }
  int take_name(std::string_view part) {
    name_ += part;
    return 0;
  }
  int take_value(std::string_view part) {
    value_ += part;
    return 0;
  }
  int end_value() {
    (has_head ? trailers : headers).emplace_back(name_, base::trim(value_));
    name_.clear();
    value_.clear();
    return 0;
  }
  int end_headers(const llhttp_t& parser) {
    has_head = true;
    status = parser.status_code;
    minor_version = parser.http_minor;
    if (parser.type == HTTP_REQUEST) method = llhttp_method_name(static_cast<llhttp_method_t>(parser.method));
    chunked = (parser.flags & F_CHUNKED) != 0;
    has_content_length = (parser.flags & F_CONTENT_LENGTH) != 0;
    content_length = parser.content_length;
    keep_alive = llhttp_should_keep_alive(&parser) != 0;
    return skip_body_ ? 1 : 0;
  }

  bool skip_body_;
  std::string name_;
  std::string value_;
};

// llhttp 8.1 refuses two things RFC 9112 allows in chunk extensions: a second one behind a value that is no quoted
// string, and a backslash in one that is.
inline bool known_refusal(const Oracle& theirs, std::string_view message) {
  const std::string_view reason = theirs.reason_of_failure;
  return (reason == "Invalid character in chunk size" && message.find('=') != std::string_view::npos &&
          message.find(';') != std::string_view::npos) ||
         (reason == "Invalid character in chunk extensions quoted value" &&
          message.find('\\') != std::string_view::npos);
}

// What both must agree on once the gateway has taken the head.
template <class Head>
void require_agreement(std::string_view bytes, const Reading<Head>& ours, const Oracle& theirs) {
  const Head& head = ours.head;
  if (!theirs.has_head) std::fprintf(stderr, "llhttp: %s\n", theirs.reason_of_failure);
  require(theirs.has_head, "llhttp takes the head we took");
  require(theirs.minor_version == (head.version == Version::http_1_0 ? 0u : 1u), "same version");
  require(theirs.headers.size() == head.headers.size(), "same number of headers");
  for (size_t i = 0; i < head.headers.size(); ++i) {
    require(theirs.headers[i].first == head.headers[i].name, "same header name");
    require(theirs.headers[i].second == head.headers[i].value, "same header value");
  }
  if (head.framing == Framing::chunked) require(theirs.chunked && !theirs.has_content_length, "same framing: chunked");
  if (head.framing == Framing::content_length) {
    require(!theirs.chunked && theirs.has_content_length && theirs.content_length == head.content_length,
            "same framing: length");
  }
  if (ours.body_failed) return;
  const std::string_view body_bytes =
      bytes.substr(ours.head_result.consumed, ours.message_bytes - ours.head_result.consumed);
  if (theirs.failed && known_refusal(theirs, body_bytes)) return;
  if (theirs.failed && !ours.body_done) {
    // Trailers are judged when they are whole; until then no byte more than llhttp's was handed out.
    require(theirs.body == ours.body, "no data behind what llhttp refuses");
    return;
  }
  if (theirs.failed) std::fprintf(stderr, "llhttp: %s\n", theirs.reason_of_failure);
  require(!theirs.failed, "llhttp takes the body we took");
  require(theirs.complete == ours.body_done, "same end of the message");
  require(theirs.body == ours.body, "same body");
  if (ours.body_done) require(theirs.message_bytes == ours.message_bytes, "same length of the message");
  for (const auto& trailer : ours.trailers) {
    bool there = false;
    for (const auto& other : theirs.trailers) there = there || other == trailer;
    require(there, "same trailers");
  }
}

// 1 to 64, from the bytes themselves, so that an input is its own whole description.
inline size_t step_of(std::string_view bytes) {
  size_t hash = 1469598103934665603u;  // FNV-1a
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return 1 + hash % 64;
}

}  // namespace llmgw::http::fuzzing
