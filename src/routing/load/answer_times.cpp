#include "routing/load/answer_times.h"

#include <algorithm>
#include <chrono>

namespace llmgw::routing {
namespace {

// What an answer counts beside the one behind it: half after 69.
constexpr double kKept = 0.99;
constexpr double kAnswersMin = 12;
// Prompts and answers that go together are not told apart: so much of how they differ has to be their own.
constexpr double kOwnShare = 0.02;
// How many times its standard error the time of a prompt's token has to be.
constexpr double kCertain = 4;
// Little work says more about the network than about the engine.
constexpr int64_t kComputedMin = 512;
constexpr base::Duration kTookMin = std::chrono::milliseconds(5);

}  // namespace

std::optional<double> AnswerTimes::note(int64_t computed, uint64_t said, base::Duration took) {
  if (computed < kComputedMin || took < kTookMin || busy_.exchange(true, std::memory_order_acquire))
    return std::nullopt;
  Sums& s = sums_;
  const double before = kKept * s.answers;
  s.answers = before + 1;
  const double x = static_cast<double>(computed) - s.x;
  const double y = static_cast<double>(said) - s.y;
  const double t = std::chrono::duration<double>(took).count() - s.t;
  s.x += x / s.answers;
  s.y += y / s.answers;
  s.t += t / s.answers;
  const auto add = [share = before / s.answers](double& sum, double product) { sum = kKept * sum + share * product; };
  add(s.xx, x * x);
  add(s.xy, x * y);
  add(s.yy, y * y);
  add(s.xt, x * t);
  add(s.yt, y * t);
  add(s.tt, t * t);
  const auto known = speed();
  busy_.store(false, std::memory_order_release);
  return known;
}

std::optional<double> AnswerTimes::speed() const {
  const Sums& s = sums_;
  if (s.answers < kAnswersMin || s.xx <= 0) return std::nullopt;
  // Where all say as much, or nothing as embeddings do, that is part of what all have to wait.
  const bool alike = s.yy <= 0;
  const double own_x = alike ? s.xx : s.xx - s.xy * s.xy / s.yy;
  if (own_x < kOwnShare * s.xx) return std::nullopt;
  const double x_time = (s.xt - (alike ? 0 : s.xy * s.yt / s.yy)) / own_x;
  const double y_time = alike ? 0 : (s.yt - s.xy * x_time) / s.yy;
  if (x_time <= 0 || y_time < 0) return std::nullopt;
  const double unexplained = std::max(s.tt - x_time * s.xt - y_time * s.yt, 0.0);
  const double variance = unexplained / (s.answers - 3) / own_x;
  if (x_time * x_time < kCertain * kCertain * variance) return std::nullopt;
  return 1 / x_time;
}

void AnswerTimes::forget() {
  while (busy_.exchange(true, std::memory_order_acquire)) {
  }
  sums_ = {};
  busy_.store(false, std::memory_order_release);
}

}  // namespace llmgw::routing
