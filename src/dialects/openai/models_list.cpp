#include "dialects/openai/models_list.h"

#include "json/writer.h"

namespace llmgw::dialects::openai {
namespace {

void write(json::Writer& w, const ModelInfo& model) {
  w.begin_object().member("id", model.name).member("object", "model").member("created", model.created);
  w.member("owned_by", model.owned_by).end_object();
}

}  // namespace

std::string write_models(std::span<const ModelInfo> models) {
  std::string body;
  json::Writer w(body);
  w.begin_object().member("object", "list").key("data").begin_array();
  for (const auto& model : models) write(w, model);
  w.end_array().end_object();
  return body;
}

std::string write_model(const ModelInfo& model) {
  std::string body;
  json::Writer w(body);
  write(w, model);
  return body;
}

}  // namespace llmgw::dialects::openai
