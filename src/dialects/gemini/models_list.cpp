#include "dialects/gemini/models_list.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "json/writer.h"

namespace llmgw::dialects::gemini {
namespace {

void write(json::Writer& w, const ModelInfo& model) {
  const bool resource = model.name.starts_with("models/") || model.name.starts_with("tunedModels/");
  w.begin_object().member("name", resource ? std::string(model.name) : "models/" + std::string(model.name));
  w.member("version", "").member("displayName", model.name).key("supportedGenerationMethods").begin_array();
  if (model.purpose == Purpose::embedding) {
    w.value("embedContent").value("batchEmbedContents");
  } else {
    w.value("generateContent").value("streamGenerateContent").value("countTokens");
  }
  w.end_array().member("owned_by", model.owned_by).end_object();
}

}  // namespace

base::Result<std::string> write_models(std::span<const ModelInfo> models, std::string_view query) {
  TRY(size_text, query_value(query, "pageSize", "page_size"));
  TRY(token, query_value(query, "pageToken", "page_token"));
  std::optional<uint64_t> size = size_text.empty() ? 0 : base::parse_decimal(size_text);
  if (!size) return base::fail(base::ErrorCode::invalid_argument, "pageSize must be a number");
  if (*size == 0) size = kPageDefault;
  TRY(page, select_page(models, std::min<uint64_t>(*size, kPageMax), token, {}));
  std::string body;
  json::Writer w(body);
  w.begin_object().key("models").begin_array();
  for (const auto& model : page.models) write(w, model);
  w.end_array();
  if (page.more_after) w.member("nextPageToken", page.models.back().name);
  w.end_object();
  return body;
}

std::string write_model(const ModelInfo& model) {
  std::string body;
  json::Writer w(body);
  write(w, model);
  return body;
}

}  // namespace llmgw::dialects::gemini
