// What whole answers say of how fast an engine computes prompts. Of an answer that is not streamed nobody sees the
// first token, only when all of it was there:
//
//   time = what all have to wait + tokens of the prompt that were not cached / speed + tokens of the answer * time of
//   one
//
// Least squares over the last hundred or so find these, once prompts have differed enough, and not just as the answers
// did. Until then, and where the times have other reasons (the engine's own queue, a slow network), the speed is not
// known.
//
// One for an instance, shared by all workers: no lock; of two answers at the same moment one is not learnt from. Pure
// but for that.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace llmgw::routing {

// Zero is nothing seen yet.
class AnswerTimes {
 public:
  // An answer of `said` tokens came `took` after its prompt was sent, of which `computed` tokens were not cached. The
  // speed that is known now, in prompt tokens a second; nothing: none.
  std::optional<double> note(int64_t computed, uint64_t said, base::Duration took);
  void forget();

 private:
  std::optional<double> speed() const;

  // Over the answers, each counting less with every one that comes behind it: means, and sums of products of the
  // distances from them. x: computed tokens, y: said ones, t: seconds.
  std::atomic<bool> busy_ = false;
  struct Sums {
    double answers = 0;
    double x = 0, y = 0, t = 0;
    double xx = 0, xy = 0, yy = 0, xt = 0, yt = 0, tt = 0;
  };
  Sums sums_;
};

}  // namespace llmgw::routing
