// Embeddings, rerank, moderations, counts and models. Images and sound: rest_media.cpp.
#include "simulator/rest.h"

#include <algorithm>
#include <bit>
#include <boost/json.hpp>
#include <chrono>
#include <cmath>

#include "base/rng.h"
#include "base/text.h"
#include "json/writer.h"
#include "simulator/media.h"
#include "simulator/rest_internal.h"

namespace llmgw::simulator {

namespace bj = boost::json;

namespace {

std::string_view view(const bj::string& text) {
  return {text.data(), text.size()};
}

bool is_separator(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == ',' || c == '.' || c == '?' || c == '!';
}

// The words in lower case, without punctuation.
template <class Take>
void for_each_word(std::string_view text, Take take) {
  std::string word;
  for (const char c : text) {
    if (!is_separator(c)) {
      word += base::to_lower(c);
    } else if (!word.empty()) {
      take(word);
      word.clear();
    }
  }
  if (!word.empty()) take(word);
}

void write_vector(json::Writer& w, std::span<const float> vector, bool as_base64) {
  if (as_base64) {
    static_assert(std::endian::native == std::endian::little, "the wire has little-endian floats");
    w.value(std::string_view(base64({reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)})));
    return;
  }
  w.begin_array();
  // Seven digits, as float has: the shortest double of a float's value would have seventeen.
  for (const float value : vector) w.value(std::round(double(value) * 1e7) / 1e7);
  w.end_array();
}

double similarity(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double(a[i]) * double(b[i]);
  return sum;
}

// OpenAI's input: a text, a list of texts, a list of token ids, a list of lists of token ids.
Answered<std::vector<std::string>> read_inputs(const bj::object& root, std::string_view name) {
  const bj::value* input = member(root, name);
  if (input == nullptr) return refuse(400, "'" + std::string(name) + "' is missing.", std::string(name));
  std::vector<std::string> texts;
  const bj::array* list = input->if_array();
  if (list == nullptr || (!list->empty() && (*list)[0].is_number())) {
    texts.push_back(input_text(*input));
  } else {
    for (const bj::value& each : *list) texts.push_back(input_text(each));
  }
  if (texts.empty() || texts.size() > kInputsMax) {
    return refuse(400, "'" + std::string(name) + "' must hold 1 to " + std::to_string(kInputsMax) + " inputs.",
                  std::string(name));
  }
  return texts;
}

Answered<size_t> read_dimensions(const bj::object& root, std::string_view name, std::string_view other,
                                 const RestOptions& options) {
  TRY(dimensions, member_count(root, name, kEmbeddingDimensionsMax, other));
  if (dimensions == 0u) return refuse(400, "'" + std::string(name) + "' must be at least 1.", std::string(name));
  return dimensions.value_or(options.embedding_dimensions);
}

// A content object's texts, or a plain string.
std::string content_text(const bj::value* content) {
  if (content == nullptr) return {};
  const bj::object* object = content->if_object();
  const bj::value* parts = object != nullptr ? member(*object, "parts") : nullptr;
  if (parts == nullptr) return input_text(*content);
  if (!parts->is_array()) return input_text(*parts);
  std::string text;
  for (const bj::value& part : parts->get_array()) text += input_text(part);
  return text;
}

struct Category {
  std::string_view name;
  std::string_view word;  // what a text has to hold to be flagged
};
constexpr Category kCategories[]{
    {"harassment", "harassment"},
    {"harassment/threatening", "threat"},
    {"hate", "hate"},
    {"hate/threatening", "hate threat"},
    {"illicit", "illicit"},
    {"illicit/violent", "illicit violence"},
    {"self-harm", "self-harm"},
    {"self-harm/instructions", "self-harm instructions"},
    {"self-harm/intent", "self-harm intent"},
    {"sexual", "sexual"},
    {"sexual/minors", "sexual minors"},
    {"violence", "violence"},
    {"violence/graphic", "graphic violence"},
};

bool flags(const Category& category, std::string_view text) {
  return text.contains(category.word);
}

void write_moderation(json::Writer& w, std::string_view text) {
  bool flagged = false;
  for (const Category& category : kCategories) flagged = flagged || flags(category, text);
  w.begin_object().member("flagged", flagged).key("categories").begin_object();
  for (const Category& category : kCategories) w.member(category.name, flags(category, text));
  w.end_object().key("category_scores").begin_object();
  for (const Category& category : kCategories) w.member(category.name, flags(category, text) ? 0.99 : 0.0001);
  w.end_object().key("category_applied_input_types").begin_object();
  for (const Category& category : kCategories) {
    w.key(category.name).begin_array().value("text").end_array();
  }
  w.end_object().end_object();
}

}  // namespace

std::string input_text(const bj::value& input) {
  if (const bj::string* text = input.if_string()) return std::string(view(*text));
  if (const bj::object* object = input.if_object()) return std::string(member_text(*object, "text"));
  std::string words;
  if (const bj::array* ids = input.if_array()) {
    for (const bj::value& id : *ids) {
      if (id.is_number()) words += std::to_string(id.to_number<int64_t>()) + " ";
    }
  }
  return words;
}

std::vector<float> embed(std::string_view text, size_t dimensions) {
  std::vector<float> vector(dimensions, 0.0F);
  const auto add = [&vector](uint64_t seed, double weight) {
    base::Rng rng(seed);
    for (float& value : vector) value += static_cast<float>(weight * (rng.uniform() - 0.5));
  };
  for_each_word(text, [&add](std::string_view word) { add(hash_text(word), 1); });
  add(hash_text(text, 1), 0.1);  // the order of the words counts a little, and an empty text has a direction
  double length = 0;
  for (const float value : vector) length += double(value) * double(value);
  length = std::sqrt(length);
  for (float& value : vector) value = static_cast<float>(double(value) / length);
  return vector;
}

Answered<RestAnswer> answer_embeddings(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  TRY(texts, read_inputs(root, "input"));
  TRY(dimensions, read_dimensions(root, "dimensions", {}, options));
  const std::string_view format = member_text(root, "encoding_format");
  if (!format.empty() && format != "float" && format != "base64") {
    return refuse(400, "'encoding_format' must be 'float' or 'base64'.", "encoding_format");
  }
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.model = member_text(root, "model");
  json::Writer w(answer.body);
  w.begin_object().member("object", "list").key("data").begin_array();
  for (size_t i = 0; i < texts.size(); ++i) {
    answer.prompt.text(texts[i]);
    w.begin_object().member("object", "embedding").member("index", i).key("embedding");
    write_vector(w, embed(texts[i], dimensions), format == "base64");
    w.end_object();
  }
  w.end_array().member("model", answer.model).key("usage").begin_object();
  w.member("prompt_tokens", answer.prompt.count()).member("total_tokens", answer.prompt.count());
  w.end_object().end_object();
  return answer;
}

Answered<RestAnswer> answer_embed_content(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  const bj::value* content = member(root, "content");
  if (content == nullptr) return refuse(400, "content is not specified");
  TRY(dimensions, read_dimensions(root, "outputDimensionality", "output_dimensionality", options));
  const std::string text = content_text(content);
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.prompt.text(text);
  json::Writer w(answer.body);
  w.begin_object().key("embedding").begin_object().key("values");
  write_vector(w, embed(text, dimensions), false);
  w.end_object().end_object();
  return answer;
}

Answered<RestAnswer> answer_batch_embed_contents(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::array* requests = member_array(tree.get_object(), "requests");
  if (requests == nullptr || requests->empty() || requests->size() > kInputsMax) {
    return refuse(400, "requests must hold 1 to " + std::to_string(kInputsMax) + " requests");
  }
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  json::Writer w(answer.body);
  w.begin_object().key("embeddings").begin_array();
  for (const bj::value& each : *requests) {
    const bj::object* request = each.if_object();
    if (request == nullptr) return refuse(400, "requests must be objects");
    TRY(dimensions, read_dimensions(*request, "outputDimensionality", "output_dimensionality", options));
    const std::string text = content_text(member(*request, "content"));
    answer.prompt.text(text);
    w.begin_object().key("values");
    write_vector(w, embed(text, dimensions), false);
    w.end_object();
  }
  w.end_array().end_object();
  return answer;
}

// The shape that Cohere, Jina and vLLM share.
Answered<RestAnswer> answer_rerank(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  const std::string_view query = member_text(root, "query");
  if (query.empty()) return refuse(400, "'query' is missing.", "query");
  TRY(documents, read_inputs(root, "documents"));
  TRY(top, member_count(root, "top_n", kInputsMax));
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.model = member_text(root, "model");
  const std::vector<float> wanted = embed(query, options.embedding_dimensions);
  std::vector<std::pair<double, size_t>> order;
  for (size_t i = 0; i < documents.size(); ++i) {
    answer.prompt.text(query);
    answer.prompt.text(documents[i]);
    order.emplace_back(-similarity(wanted, embed(documents[i], options.embedding_dimensions)), i);
  }
  std::sort(order.begin(), order.end());
  order.resize(std::min(order.size(), top.value_or(order.size())));
  const bool return_documents = member_true(root, "return_documents");
  json::Writer w(answer.body);
  w.begin_object().member("id", "rerank-" + options.id).member("model", answer.model).key("results").begin_array();
  for (const auto& [negative, index] : order) {
    w.begin_object().member("index", index).member("relevance_score", std::clamp((1 - negative) / 2, 0.0, 1.0));
    if (return_documents) w.key("document").begin_object().member("text", documents[index]).end_object();
    w.end_object();
  }
  w.end_array().key("usage").begin_object().member("total_tokens", answer.prompt.count()).end_object().end_object();
  return answer;
}

Answered<RestAnswer> answer_moderations(std::string_view body, const RestOptions& options) {
  TRY(tree, parse_body(body));
  const bj::object& root = tree.get_object();
  TRY(texts, read_inputs(root, "input"));
  RestAnswer answer;
  answer.prompt = PromptTokens(options.block_tokens);
  answer.model = member_text(root, "model");
  json::Writer w(answer.body);
  w.begin_object().member("id", "modr-" + options.id).member("model", answer.model).key("results").begin_array();
  for (const std::string& text : texts) {
    answer.prompt.text(text);
    write_moderation(w, text);
  }
  w.end_array().end_object();
  return answer;
}

std::string token_count(Operation operation, size_t tokens) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  if (operation == Operation::response_input_tokens) w.member("object", "response.input_tokens");
  if (operation == Operation::gemini_count_tokens) {
    w.member("totalTokens", tokens).key("promptTokensDetails").begin_array().begin_object();
    w.member("modality", "TEXT").member("tokenCount", tokens).end_object().end_array();
  } else {
    w.member("input_tokens", tokens);
  }
  w.end_object();
  return out;
}

namespace {

// "2026-01-02T03:04:05Z".
std::string rfc3339(int64_t unix_s) {
  const std::chrono::sys_seconds moment{std::chrono::seconds(unix_s)};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(moment - day);
  const auto digits = [](auto value, size_t width) {
    std::string text = std::to_string(value);
    return std::string(width - std::min(width, text.size()), '0') + text;
  };
  return digits(int{date.year()}, 4) + '-' + digits(unsigned{date.month()}, 2) + '-' + digits(unsigned{date.day()}, 2) +
         'T' + digits(time.hours().count(), 2) + ':' + digits(time.minutes().count(), 2) + ':' +
         digits(time.seconds().count(), 2) + 'Z';
}

void write_model_object(json::Writer& w, Api api, std::string_view name, const ModelList& models) {
  w.begin_object();
  if (api == Api::anthropic) {
    w.member("type", "model").member("id", name).member("display_name", std::string(name) + " (simulated)");
    w.member("created_at", rfc3339(models.created_unix_s));
  } else if (api == Api::gemini) {
    w.member("name", "models/" + std::string(name)).member("version", "simulator");
    w.member("displayName", std::string(name) + " (simulated)").member("description", "Answers of the simulator.");
    w.member("inputTokenLimit", models.context_tokens).member("outputTokenLimit", models.context_tokens);
    w.key("supportedGenerationMethods").begin_array().value("generateContent").value("countTokens");
    w.value("embedContent").end_array();
  } else {
    w.member("id", name).member("object", "model").member("created", models.created_unix_s);
    w.member("owned_by", "llm-gateway-simulator").member("max_model_len", models.context_tokens);
  }
  w.end_object();
}

}  // namespace

std::string write_models(Api api, const ModelList& models) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  if (api != Api::gemini && api != Api::anthropic) w.member("object", "list");
  w.key(api == Api::gemini ? "models" : "data").begin_array();
  for (const std::string& name : models.names) write_model_object(w, api, name, models);
  w.end_array();
  if (api == Api::anthropic) {
    const bool none = models.names.empty();
    w.member("has_more", false).text_or_null("first_id", none ? std::string_view{} : models.names.front());
    w.text_or_null("last_id", none ? std::string_view{} : models.names.back());
  }
  w.end_object();
  return out;
}

std::string write_model(Api api, std::string_view name, const ModelList& models) {
  std::string out;
  json::Writer w(out);
  write_model_object(w, api, name, models);
  return out;
}

}  // namespace llmgw::simulator
