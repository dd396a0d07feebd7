// Faults on demand. One plan is written as items between semicolons, in the request header `x-simulate`, in a line of
// POST /simulate/faults, or behind --fault:
//
//   status=503; retry-after=2          an error answer in the dialect of the request
//   delay=200ms                        before anything is sent (numbers without a unit are milliseconds)
//   reset | hang | cut | error-event | garbage-json [=after:N]
//                                      break the answer after N tokens of a stream (N times 4 bytes of a whole body)
//   garbage                            bytes that are no HTTP
//   drip=1:1s | slow-head=1:100ms      so many bytes each so often: all of the answer, or its head only
//   early                              answer before the request's body was read
//   close-idle=50ms                    keep alive, then close so long after the answer
//   tokens=20 | finish=content_filter  no fault: the length of the answer, how it ends
//
// Lines and --fault also take: p=0.1 (probability), times=3 (then the rule is spent), skip=2 (first let so many pass),
// model=NAME, path=/v1/chat. docs/simulator.md is the user's reference. Pure; one thread.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "simulator/plan.h"

namespace llmgw::simulator {

inline constexpr size_t kFaultTextBytesMax = 1024;
inline constexpr size_t kFaultRulesMax = 256;
inline constexpr base::Duration kFaultDelayMax = std::chrono::hours(1);

enum class FaultKind : uint8_t {
  none,
  reset,         // TCP reset
  hang,          // nothing more comes, the connection stays open
  cut,           // the connection closes before the answer is whole
  error_event,   // the stream says that it failed, in its API's form; a whole answer becomes status 500
  garbage,       // not HTTP
  garbage_json,  // HTTP, but the JSON is broken
};

struct Pace {
  uint32_t bytes = 1;
  base::Duration interval = std::chrono::seconds(1);
};

struct FaultPlan {
  FaultKind kind = FaultKind::none;
  std::optional<size_t> after;  // tokens; absent: at once (reset, hang), else half way
  int status = 0;               // 0: as it would be
  std::optional<double> retry_after_seconds;
  base::Duration delay{};
  std::optional<Pace> drip;
  std::optional<Pace> slow_head;
  bool early = false;
  std::optional<base::Duration> close_idle;
  AnswerOverrides answer;
};

// What is wrong with a text that is no plan, for a person.
struct FaultSyntaxError {
  std::string message;
};

std::expected<FaultPlan, FaultSyntaxError> parse_fault_plan(std::string_view text);

struct FaultRule {
  std::string text;
  FaultPlan plan;
  double probability = 1;
  std::optional<uint64_t> times;
  uint64_t skip = 0;
  std::string model;
  std::string path;  // a prefix; without it the rule is for the APIs, not for /health, /metrics and the like
};

std::expected<FaultRule, FaultSyntaxError> parse_fault_rule(std::string_view text);

class FaultRules {
 public:
  explicit FaultRules(uint64_t seed) : rng_(seed) {}

  // One rule a line; lines that are empty or begin with '#' are skipped. All or none; added behind those there are.
  std::expected<void, FaultSyntaxError> add(std::string_view lines);
  void clear() { rules_.clear(); }
  bool empty() const { return rules_.empty(); }

  struct Question {
    std::string_view path;
    std::string_view model;    // empty while the body has not been read
    bool control = false;      // not an API's path
    bool before_body = false;  // then only rules with `early` count, afterwards only the others
  };
  // The plan of the first rule that applies, which is used up by one.
  std::optional<FaultPlan> choose(const Question& question);
  // A line a rule, with what is left of its times and skip.
  std::string list() const;

 private:
  std::vector<FaultRule> rules_;
  base::Rng rng_;
};

}  // namespace llmgw::simulator
