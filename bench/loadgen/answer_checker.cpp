#include "bench/loadgen/answer_checker.h"

#include <algorithm>

#include "base/text.h"
#include "bench/support/canned_format.h"

namespace llmgw::bench {
namespace {

constexpr size_t kHeadBytesMax = 64 << 10;
constexpr size_t kEventBytesMax = 64 << 10;
constexpr size_t kDetailBytes = 300;

// "HTTP/1.1 200 OK" -> 200; 0 if it is none.
uint32_t status_of(std::string_view line) {
  if (line.size() < 12 || !line.starts_with("HTTP/1.1 ")) return 0;
  return static_cast<uint32_t>(base::parse_decimal(line.substr(9, 3)).value_or(0));
}

}  // namespace

void AnswerChecker::start(int64_t sent_ns, bool record) {
  step_ = Step::head;
  record_ = record;
  closes_ = false;
  sent_ns_ = sent_ns;
  last_event_ns_ = 0;
  events_ = 0;
  ended_ = false;
  pending_.clear();
}

AnswerChecker::Verdict AnswerChecker::fail(Failure failure, std::string_view detail) {
  failure_ = failure;
  detail_.assign(detail.substr(0, kDetailBytes));
  return Verdict::failed;
}

AnswerChecker::Verdict AnswerChecker::take(std::string_view bytes, int64_t now_ns) {
  if (step_ == Step::head) {
    const Verdict verdict = take_head(bytes, now_ns);
    if (verdict != Verdict::complete) return verdict;
  }
  return take_body(bytes, now_ns);
}

// `complete`: the head is read and taken off `bytes`.
AnswerChecker::Verdict AnswerChecker::take_head(std::string_view& bytes, int64_t now_ns) {
  if (record_ && pending_.empty()) results_.first_byte.record(now_ns - sent_ns_);
  std::string joined;
  const size_t pending_bytes = pending_.size();
  std::string_view head = bytes;
  if (!pending_.empty()) {
    joined = pending_ + std::string(bytes);
    head = joined;
  }
  const size_t end = head.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    if (head.size() > kHeadBytesMax) return fail(Failure::framing, head);
    pending_.assign(head);
    return Verdict::incomplete;
  }
  head = head.substr(0, end + 4);
  const Framing framing = read_head(head);
  if (!framing.ok) return fail(Failure::framing, head);
  status_ = status_of(framing.first_line);
  closes_ = framing.close;
  if (status_ == expectation_.status && expectation_.stream && !framing.event_stream) {
    return fail(Failure::content, head);
  }
  body_.start(framing, true);
  bytes.remove_prefix(head.size() - pending_bytes);
  pending_.clear();
  step_ = Step::body;
  if (status_ != expectation_.status) return fail(Failure::status, std::string(head) + std::string(bytes));
  return Verdict::complete;
}

AnswerChecker::Verdict AnswerChecker::take_body(std::string_view& bytes, int64_t now_ns) {
  for (;;) {
    const uint64_t before = body_.content_bytes();
    const std::string_view piece = body_.next(bytes);
    if (piece.empty()) break;
    if (!expectation_.canned) continue;
    if (expectation_.stream) {
      if (!check_stream(piece, now_ns)) return Verdict::failed;
    } else if (expectation_.json.compare(std::min<size_t>(before, expectation_.json.size()), piece.size(), piece) !=
               0) {
      return fail(Failure::content, piece);
    }
  }
  if (body_.state() == BodyReader::State::malformed) return fail(Failure::framing, bytes);
  if (body_.state() == BodyReader::State::reading) return Verdict::incomplete;
  if (!bytes.empty()) return fail(Failure::framing, bytes);
  return check_end();
}

bool AnswerChecker::check_stream(std::string_view piece, int64_t now_ns) {
  while (!piece.empty()) {
    if (pending_.empty()) {
      const size_t end = piece.find("\n\n");
      if (end != std::string_view::npos) {
        if (!check_event(piece.substr(0, end), now_ns)) return false;
        piece.remove_prefix(end + 2);
        continue;
      }
    }
    // An event in pieces: join up to its end, which may itself be split between two pieces.
    const size_t seen = pending_.size();
    pending_ += piece;
    const size_t end = pending_.find("\n\n", seen == 0 ? 0 : seen - 1);
    if (end == std::string::npos) {
      if (pending_.size() <= kEventBytesMax) return true;
      fail(Failure::content, pending_);
      return false;
    }
    if (!check_event(std::string_view(pending_).substr(0, end), now_ns)) return false;
    piece.remove_prefix(end + 2 - seen);
    pending_.clear();
  }
  return true;
}

bool AnswerChecker::check_event(std::string_view event, int64_t now_ns) {
  constexpr std::string_view kData = "data: ";
  if (event.starts_with(':')) return true;  // a comment, which a proxy may add to keep the connection alive
  if (!event.starts_with(kData) || ended_) {
    fail(Failure::content, event);
    return false;
  }
  event.remove_prefix(kData.size());
  if (event == "[DONE]") {
    ended_ = true;
    return true;
  }
  const auto parsed = parse_stream_event(event);
  if (!parsed) {
    fail(Failure::content, event);
    return false;
  }
  if (parsed->index != events_) {
    fail(Failure::sequence, event);
    return false;
  }
  ++events_;
  if (record_) {
    ++results_.events;
    results_.event_delay.record(now_ns - parsed->sent_ns);
    if (events_ == 1) {
      results_.first_event_delay.record(now_ns - parsed->sent_ns);
      results_.first_event_added.record((now_ns - sent_ns_) - (parsed->sent_ns - parsed->received_ns));
    } else {
      results_.event_gap.record(now_ns - last_event_ns_);
    }
  }
  last_event_ns_ = now_ns;
  return true;
}

AnswerChecker::Verdict AnswerChecker::check_end() {
  if (!expectation_.canned) return Verdict::complete;
  if (!expectation_.stream) {
    if (body_.content_bytes() != expectation_.json.size()) return fail(Failure::content, "wrong length");
    return Verdict::complete;
  }
  if (!ended_ || !pending_.empty()) return fail(Failure::unended, "the stream ended without [DONE]");
  if (events_ != expectation_.chunks) {
    return fail(Failure::sequence, "events in the stream: " + std::to_string(events_));
  }
  return Verdict::complete;
}

AnswerChecker::Verdict AnswerChecker::take_close() {
  closes_ = true;
  if (step_ == Step::body && body_.finish_at_close()) return check_end();
  if (step_ == Step::body && expectation_.stream && !ended_) {
    return fail(Failure::unended, "closed after events: " + std::to_string(events_));
  }
  return fail(Failure::closed, step_ == Step::head ? "closed before an answer" : "closed inside an answer");
}

}  // namespace llmgw::bench
