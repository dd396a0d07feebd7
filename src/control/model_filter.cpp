#include "control/model_filter.h"

#include <algorithm>
#include <utility>

#include "routing/pattern.h"

namespace llmgw::control {

ModelFilter::ModelFilter(std::vector<std::string> patterns) {
  auto list = std::make_shared<List>();
  list->text = std::move(patterns);
  std::ranges::sort(list->text, [](const std::string& a, const std::string& b) {
    return routing::is_pattern(a) != routing::is_pattern(b) ? routing::is_pattern(b) : a < b;
  });
  list->views.assign(list->text.begin(), list->text.end());
  list->exact_count = static_cast<size_t>(std::ranges::find_if(list->views, routing::is_pattern) - list->views.begin());
  list->everything = std::ranges::find(list->views, "*") != list->views.end();
  list_ = std::move(list);
}

bool ModelFilter::allows(std::string_view model) const {
  const auto all = std::span(list_->views);
  return list_->everything || std::ranges::binary_search(all.first(list_->exact_count), model) ||
         routing::allowed(all.subspan(list_->exact_count), model);
}

}  // namespace llmgw::control
