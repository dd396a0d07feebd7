#include "control/model_filter.h"

#include <algorithm>
#include <utility>

#include "routing/pattern.h"

namespace llmgw::control {

ModelFilter::ModelFilter(std::vector<std::string> patterns) : text_(std::move(patterns)) {
  std::ranges::sort(text_, [](const std::string& a, const std::string& b) {
    return routing::is_pattern(a) != routing::is_pattern(b) ? routing::is_pattern(b) : a < b;
  });
  views_.assign(text_.begin(), text_.end());
  exact_count_ = static_cast<size_t>(std::ranges::find_if(views_, routing::is_pattern) - views_.begin());
  everything_ = std::ranges::find(views_, "*") != views_.end();
}

bool ModelFilter::allows(std::string_view model) const {
  const auto all = std::span(views_);
  return everything_ || std::ranges::binary_search(all.first(exact_count_), model) ||
         routing::allowed(all.subspan(exact_count_), model);
}

}  // namespace llmgw::control
