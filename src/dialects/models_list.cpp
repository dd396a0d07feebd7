#include "dialects/models_list.h"

#include <algorithm>
#include <utility>

#include "base/query_text.h"
#include "dialects/anthropic/models_list.h"
#include "dialects/gemini/models_list.h"
#include "dialects/openai/models_list.h"

namespace llmgw::dialects {

using chat::Dialect;

base::Result<std::string> write_models(Dialect dialect, std::span<const ModelInfo> models, std::string_view query) {
  switch (dialect) {
    case Dialect::anthropic: return anthropic::write_models(models, query);
    case Dialect::gemini:
    case Dialect::vertex: return gemini::write_models(models, query);
    default: return openai::write_models(models);
  }
}

std::string write_model(Dialect dialect, const ModelInfo& model) {
  switch (dialect) {
    case Dialect::anthropic: return anthropic::write_model(model);
    case Dialect::gemini:
    case Dialect::vertex: return gemini::write_model(model);
    default: return openai::write_model(model);
  }
}

base::Result<Page> select_page(std::span<const ModelInfo> models, size_t limit, std::string_view after,
                               std::string_view before) {
  using base::ErrorCode;
  if (!after.empty() && !before.empty()) {
    return base::fail(ErrorCode::invalid_argument, "a page lies either behind a model or before one, not both");
  }
  const std::string_view mark = after.empty() ? before : after;
  size_t position = 0;
  if (!mark.empty()) {
    const auto found =
        std::find_if(models.begin(), models.end(), [mark](const ModelInfo& model) { return model.name == mark; });
    if (found == models.end())
      return base::fail(ErrorCode::invalid_argument, "the page begins at a model that is not in the list");
    position = static_cast<size_t>(found - models.begin());
  }
  size_t first = after.empty() ? 0 : position + 1;
  size_t last = models.size();
  if (!before.empty()) {
    last = position;
    first = last > limit ? last - limit : 0;
  }
  last = std::min(last, first + limit);
  return Page{models.subspan(first, last - first), first > 0, last < models.size()};
}

base::Result<std::string> query_value(std::string_view query, std::string_view name, std::string_view other_name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view parameter = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const size_t equals = parameter.find('=');
    const std::string_view key = parameter.substr(0, equals);
    if (equals == std::string_view::npos || (key != name && key != other_name)) continue;
    auto value = base::decode_query_text(parameter.substr(equals + 1));
    if (!value) return base::fail(base::ErrorCode::invalid_argument, "a query parameter has a broken escape");
    return *std::move(value);
  }
  return std::string();
}

}  // namespace llmgw::dialects
