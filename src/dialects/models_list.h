// Lists of models, and one model, in the shape the client expects. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "chat/dialect.h"

namespace llmgw::dialects {

enum class Purpose : uint8_t { generation, embedding };

struct ModelInfo {
  std::string_view name;
  std::string_view owned_by = {};
  int64_t created = 0;  // seconds since 1970
  Purpose purpose = Purpose::generation;
};

// The list as `dialect` (openai_*, anthropic, gemini; others get OpenAI's shape) has it. The query of the request,
// without
// '?', chooses the page where the dialect has pages: Anthropic's limit, after_id and before_id, Gemini's pageSize and
// pageToken. invalid_argument, with a text for the client, if it makes no sense.
base::Result<std::string> write_models(chat::Dialect dialect, std::span<const ModelInfo> models,
                                       std::string_view query);
std::string write_model(chat::Dialect dialect, const ModelInfo& model);

// A page of a list. Its names are the marks between pages, so a page stays right when models come and go elsewhere.
struct Page {
  std::span<const ModelInfo> models;
  bool more_before = false;
  bool more_after = false;
};
// At most `limit` models behind the one called `after`, or before the one called `before`; from the start if both are
// empty. invalid_argument if the mark is not in the list, or both are given.
base::Result<Page> select_page(std::span<const ModelInfo> models, size_t limit, std::string_view after,
                               std::string_view before);

// The value of a query parameter, unescaped, by any of two names; empty if it is not there.
base::Result<std::string> query_value(std::string_view query, std::string_view name, std::string_view other_name);

}  // namespace llmgw::dialects
