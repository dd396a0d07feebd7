// What a choice was made by, as `route explain` and the debug header tell it.
#include <algorithm>

#include "routing/policy/policy.h"

namespace llmgw::routing {
namespace {

// Whether it looks for the least of something, and does not go round or draw lots.
bool compares(PolicyKind policy, const Ask& ask) {
  switch (policy) {
    case PolicyKind::round_robin:
    case PolicyKind::weighted:
    case PolicyKind::ordered: return false;
    case PolicyKind::rendezvous:
    case PolicyKind::split: return ask.session != 0;
    default: return true;
  }
}

}  // namespace

// What the instances that are not warm cost more than their delay, as `adaptive` compares them with the warm one.
double Chooser::leaving_cost(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                             const Field& all) const {
  if (settings.policy != PolicyKind::adaptive || all.warmest == 0) return 0;
  size_t warm = views_.size();
  double least = 0;
  for (size_t i = 0; i < views_.size(); ++i) {
    const auto now = compared(settings, candidates, ask, views_[i], all);
    if (!now || (warm != views_.size() && *now >= least)) continue;
    warm = i;
    least = *now;
  }
  const Leaving way = leaving(candidates, ask, warm, all.mean_queue);
  return way.price - way.regret;
}

void Chooser::explain(const Settings& settings, std::span<const Candidate> candidates, const Ask& ask,
                      std::vector<Score>& lines) {
  const Field all = field();
  const double to_leave = leaving_cost(settings, candidates, ask, all);
  lines.clear();
  for (uint32_t i = 0; i < candidates.size(); ++i) {
    const InstanceState& state = instances_.state(candidates[i].slot);
    Score line{.candidate = i,
               .fitness = fitness(settings, candidates[i], ask.now),
               .tokens_in_flight = state.tokens_in_flight.load(std::memory_order_relaxed),
               .requests_in_flight = static_cast<int32_t>(requests_at(candidates[i]))};
    const auto view = std::ranges::find(views_, i, &View::index);
    if (view != views_.end()) {
      line.considered = true;
      line.cached_tokens = view->cached;
      line.queue = view->queue;
      auto now = compares(settings.policy, ask) ? compared(settings, candidates, ask, *view, all) : std::nullopt;
      if (!now && settings.policy == PolicyKind::adaptive) now = cost(settings, candidates, ask, *view) + to_leave;
      line.compared = now.has_value();
      line.cost = now.value_or(0);
    }
    lines.push_back(line);
  }
}

}  // namespace llmgw::routing
