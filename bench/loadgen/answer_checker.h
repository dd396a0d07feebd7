// Reads one answer after the other off a connection and demands that each is exactly what the canned upstream sends.
// Pure: bytes and times in, verdict out. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/loadgen/results.h"
#include "bench/support/http_body.h"

namespace llmgw::bench {

// The same for every answer of a run.
struct Expectation {
  uint32_t status = 200;
  bool stream = false;
  bool canned = true;
  uint32_t chunks = 0;
  std::string json;  // the body of an answer that is not streamed
};

class AnswerChecker {
 public:
  enum class Verdict : uint8_t { incomplete, complete, failed };

  AnswerChecker(const Expectation& expectation, Results& results) : expectation_(expectation), results_(results) {}

  // A request was sent at `sent_ns`: an answer may begin. `record` false: warm-up, nothing is recorded.
  void start(int64_t sent_ns, bool record);
  // Bytes came at `now_ns`. After complete or failed no more until start().
  Verdict take(std::string_view bytes, int64_t now_ns);
  // The peer closed the connection.
  Verdict take_close();

  Failure failure() const { return failure_; }
  const std::string& detail() const { return detail_; }
  // The peer said it would close after this answer.
  bool closes() const { return closes_; }

 private:
  enum class Step : uint8_t { head, body };

  Verdict fail(Failure failure, std::string_view detail);
  Verdict take_head(std::string_view& bytes, int64_t now_ns);
  Verdict take_body(std::string_view& bytes, int64_t now_ns);
  bool check_stream(std::string_view piece, int64_t now_ns);
  bool check_event(std::string_view event, int64_t now_ns);
  Verdict check_end();

  const Expectation& expectation_;
  Results& results_;
  Step step_ = Step::head;
  bool record_ = false;
  bool closes_ = false;
  int64_t sent_ns_ = 0;
  int64_t last_event_ns_ = 0;
  uint32_t events_ = 0;
  uint32_t status_ = 0;
  bool ended_ = false;   // [DONE] was seen
  std::string pending_;  // a head or an event that has not come whole
  BodyReader body_;
  Failure failure_ = Failure::closed;
  std::string detail_;
};

}  // namespace llmgw::bench
