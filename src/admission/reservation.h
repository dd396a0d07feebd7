// A call's hold on the limits above it: taken whole or not at all, corrected when it is known what the call used. Pure;
// time is passed in. One call, one thread; the meters behind it are shared.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "admission/meter.h"

namespace llmgw::admission {

// A scope as a call meets it.
struct Governed {
  const CompiledLimits* limits = nullptr;
  Meter* meter = nullptr;
};

// Organization, team, user, key, assignment, model.
inline constexpr size_t kScopesMax = 6;

// What a call is expected to use, or has used.
struct Demand {
  uint64_t tokens = 0;
  int64_t nano_dollars = 0;
};

// Both clocks, of one moment.
struct Moment {
  Nanoseconds now = 0;  // monotonic
  int64_t wall = 0;     // seconds since 1970
};

enum class Dimension : uint8_t { requests_per_second, requests_per_minute, tokens_per_minute, concurrency, budget };

struct Denial {
  Dimension dimension;
  size_t scope;             // index in what was asked for
  Nanoseconds retry_after;  // cell::kForever: it will never do; of concurrency 0: nobody knows
};

// What is left of the tightest limit of a kind. Without a limit of that kind `limit` is 0.
struct Allowance {
  uint64_t limit = 0;
  uint64_t remaining = 0;
  Nanoseconds reset = 0;  // until all of it is there again
};

class Reservation {
 public:
  Reservation() = default;
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  // What is held passes on.
  Reservation(Reservation&& other) noexcept : holds_(other.holds_), count_(std::exchange(other.count_, 0)) {}

  // Of several that refuse, the first is named. After a denial nothing is held; while one is being found, others may
  // see a little less than there is. At most kScopesMax scopes.
  std::optional<Denial> take(std::span<const Governed> scopes, const Demand& demand, Moment moment);

  // The call goes on under these scopes, at most kScopesMax, and is expected to use so much more; `used` is what it has
  // used so far. Of those that hold already the requests that were counted stay, and what is reserved becomes what the
  // call has used under them and is expected to. Those that are not among them keep what it used. After a denial all is
  // as before.
  std::optional<Denial> go_on(std::span<const Governed> scopes, const Demand& demand, const Demand& used,
                              Moment moment);

  // Corrects tokens and money to what was used, and ends the call. Once.
  void settle(const Demand& used, Moment moment);

  bool held() const { return count_ > 0; }

 private:
  struct Hold {
    Governed scope;
    Demand before = {};        // what the call had used when it came under the scope
    Nanoseconds tokens = 0;    // of the token window
    int64_t nano_dollars = 0;  // reserved
    int64_t period_end = 0;    // that the money was reserved in
    bool counted = false;      // in `running`
    bool second = false;
    bool minute = false;
    bool money = false;
  };
  static std::optional<Denial> take_one(Hold& hold, const Demand& demand, Moment moment);
  static std::optional<Denial> reserve_anew(Hold& hold, const Demand& demand, const Demand& used, Moment moment);
  static void give_back(const Hold& hold, Nanoseconds now);
  static void put_back(const Hold& hold, const Hold& before, Nanoseconds now);
  Hold* find(const Meter* meter);
  static void settle_one(const Hold& hold, const Demand& used, Moment moment);

  std::array<Hold, kScopesMax> holds_;
  size_t count_ = 0;
};

// Makes `allowance` that of the scope where the scope has less left.
void tighten_requests(Allowance& allowance, const Governed& scope, Nanoseconds now);
void tighten_tokens(Allowance& allowance, const Governed& scope, Nanoseconds now);

}  // namespace llmgw::admission
