#include "simulator/service.h"

#include <boost/json.hpp>

#include "base/text.h"
#include "json/writer.h"
#include "simulator/json_tree.h"
#include "simulator/vllm_metrics.h"

namespace llmgw::simulator {

using http::HeaderId;

namespace {

constexpr size_t kIdLength = 24;
// What /v1/models lists when every name is good.
constexpr std::string_view kExampleModels[]{"simulated-model", "simulated-embedding"};

std::string_view bearer(const http::RequestHead& head) {
  const std::string_view value = head.headers.value(HeaderId::authorization);
  constexpr std::string_view kScheme = "bearer ";
  const bool is_bearer = base::equals_ignoring_case(value.substr(0, kScheme.size()), kScheme);
  return is_bearer ? base::trim(value.substr(kScheme.size())) : std::string_view{};
}

// The key where the API's own clients put it.
std::string_view key_of(Api api, const http::RequestHead& head) {
  const std::string_view own = api == Api::azure       ? head.headers.value(HeaderId::api_key)
                               : api == Api::anthropic ? head.headers.value(HeaderId::x_api_key)
                               : api == Api::gemini    ? head.headers.value(HeaderId::x_goog_api_key)
                                                       : std::string_view{};
  if (!own.empty()) return own;
  const std::string_view query_key = api == Api::gemini ? query_value(head.query, "key") : std::string_view{};
  return query_key.empty() ? bearer(head) : query_key;
}

ApiError not_found(const http::RequestHead& head, int status) {
  return refuse(status, status == 405 ? "The simulator knows this path, but not with this method: " +
                                            std::string(head.method_text) + " " + std::string(head.path)
                                      : "The simulator has nothing at this path: " + std::string(head.method_text) +
                                            " " + std::string(head.path))
      .error();
}

bool is_text(Operation operation) {
  switch (operation) {
    case Operation::chat:
    case Operation::completions:
    case Operation::responses:
    case Operation::messages:
    case Operation::generate:
    case Operation::stream_generate: return true;
    default: return false;
  }
}

ApiError context_too_long(const Job& job, size_t tokens, size_t most) {
  const std::string counts = std::to_string(tokens) + " tokens > " + std::to_string(most) + " maximum";
  switch (job.surface.api) {
    case Api::anthropic: return refuse(400, "prompt is too long: " + counts).error();
    case Api::gemini:
      return refuse(400, "The input token count (" + std::to_string(tokens) +
                             ") exceeds the maximum number of tokens allowed (" + std::to_string(most) + ").")
          .error();
    default:
      return refuse(400, "The prompt is too long for this model's context: " + counts + ".", "messages",
                    "context_length_exceeded")
          .error();
  }
}

// What takes faults away must not meet one.
bool is_fault_control(Operation operation) {
  return operation == Operation::faults_list || operation == Operation::faults_set ||
         operation == Operation::faults_clear;
}

bool stores(const ChatRequest& request) {
  for (const auto& [name, text] : request.repeated) {
    if (name == "store") return text != "false";
  }
  return false;
}

}  // namespace

std::expected<void, FaultSyntaxError> check_faults(std::string_view lines) {
  FaultRules rules(0);
  return rules.add(lines);
}

Service::Service(const InstanceOptions& options)
    : options_(options), listed_models_(options.models), faults_(options.seed) {
  if (listed_models_.empty()) listed_models_.assign(std::begin(kExampleModels), std::end(kExampleModels));
  const auto added = faults_.add(options_.faults);
  if (!added) options_.faults.clear();
}

void Service::look(const http::RequestHead& head, Job& job, int64_t unix_s) {
  job.path = head.path;
  job.id = make_id(options_.seed ^ hash_text(options_.name) ^ (++requests_ << 20U), kIdLength);
  job.request_header = "req_" + job.id;
  job.created_unix_s = unix_s;
  const bool google_key = head.headers.has(HeaderId::x_goog_api_key) || !query_value(head.query, "key").empty();
  const auto surface = find_surface({.method = head.method_text,
                                     .path = head.path,
                                     .query = head.query,
                                     .anthropic_version = head.headers.has(HeaderId::anthropic_version),
                                     .google_key = google_key});
  if (!surface) {
    job.surface.api = surface.error().api;
    job.reply = error_reply(job, not_found(head, surface.error().status));
    return;
  }
  job.surface = *surface;
  const bool control = job.surface.api == Api::control;
  const std::string_view key = key_of(job.surface.api, head);
  if (!control && !options_.api_key.empty() && !base::constant_time_equal(key, options_.api_key.reveal())) {
    job.reply = error_reply(job, wrong_key(job.surface.api, key.empty()));
    return;
  }
  if (const std::string_view text = head.headers.value(kFaultHeader); !text.empty() && !control) {
    auto plan = parse_fault_plan(text);
    if (!plan) {
      job.reply = error_reply(job, refuse(400, "x-simulate: " + plan.error().message).error());
      return;
    }
    job.fault = *plan;
  } else if (!is_fault_control(job.surface.operation)) {
    if (auto chosen =
            faults_.choose({.path = job.path, .model = job.surface.object, .control = control, .before_body = true})) {
      job.fault = *chosen;
    }
  }
}

// The model's name before the request is read properly: for the rules of a fault.
std::string_view Service::model_of_body(const http::RequestHead& head, std::string_view body,
                                        std::string& storage) const {
  if (head.headers.value(HeaderId::content_type).starts_with("multipart/")) return {};
  const auto tree = parse_body(body);
  if (tree) storage = member_text(tree->get_object(), "model");
  return storage;
}

void Service::choose_fault(const http::RequestHead& head, std::string_view body, Job& job) {
  if (!head.headers.value(kFaultHeader).empty() && job.surface.api != Api::control) return;
  if (faults_.empty() || is_fault_control(job.surface.operation)) return;
  std::string storage;
  const std::string_view model =
      job.surface.object.empty() ? model_of_body(head, body, storage) : std::string_view(job.surface.object);
  const bool control = job.surface.api == Api::control;
  if (auto chosen = faults_.choose({.path = job.path, .model = model, .control = control})) job.fault = *chosen;
}

void Service::prepare(const http::RequestHead& head, std::string_view body,
                      const std::function<EngineStats()>& engine_stats, Job& job) {
  choose_fault(head, body, job);
  if (job.fault.status != 0 && job.fault.kind != FaultKind::error_event) {
    job.reply = error_reply(job, fault_error(job));
    return;
  }
  if (job.surface.api == Api::control) {
    Reply reply;
    prepare_control(job, body, engine_stats, reply);
    job.reply = std::move(reply);
    return;
  }
  const auto prepared = prepare_api(head, body, job);
  if (!prepared) job.reply = error_reply(job, prepared.error());
}

void Service::prepare_control(const Job& job, std::string_view body, const std::function<EngineStats()>& engine_stats,
                              Reply& reply) {
  reply.content_type = "text/plain; charset=utf-8";
  switch (job.surface.operation) {
    case Operation::metrics:
      reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
      write_vllm_metrics(engine_stats(), options_.engine, listed_models_.front(), reply.body);
      break;
    case Operation::version: {
      reply.content_type = "application/json";
      json::Writer w(reply.body);
      w.begin_object().member("version", LLMGW_VERSION).member("name", kServerName).end_object();
      break;
    }
    case Operation::faults_set:
      if (const auto added = faults_.add(body); !added) {
        reply.status = 400;
        reply.body = added.error().message + '\n';
        break;
      }
      [[fallthrough]];
    case Operation::faults_list: reply.body = faults_.list(); break;
    case Operation::faults_clear: faults_.clear(); break;
    case Operation::forget_prefixes: forget_requested_ = true; break;
    default: reply.body = "ok\n"; break;
  }
}

Answered<void> Service::check_model(const Job& job, std::string_view model) const {
  if (model.empty()) return refuse(400, "The request names no model.", "model");
  if (options_.models.empty()) return {};
  for (const std::string& known : options_.models) {
    if (known == model) return {};
  }
  return std::unexpected(unknown_model(job.surface, model));
}

Answered<void> Service::prepare_api(const http::RequestHead& head, std::string_view body, Job& job) {
  if (job.surface.api == Api::anthropic && !head.headers.has(HeaderId::anthropic_version)) {
    return refuse(400, "anthropic-version: header is required");
  }
  if (is_text(job.surface.operation)) return prepare_text(body, job);
  TRY(answered, prepare_stateless(body, job));
  if (answered) return {};
  return prepare_rest(head, body, job);
}

// Operations the engine has no part in.
Answered<bool> Service::prepare_stateless(std::string_view body, Job& job) {
  const ModelList models{
      .names = listed_models_, .context_tokens = options_.context_tokens, .created_unix_s = job.created_unix_s};
  const Surface& surface = job.surface;
  Reply reply;
  switch (surface.operation) {
    case Operation::models: reply.body = write_models(surface.api, models); break;
    case Operation::model:
      TRY_VOID(check_model(job, surface.object));
      reply.body = write_model(surface.api, surface.object, models);
      break;
    case Operation::count_tokens:
    case Operation::gemini_count_tokens:
    case Operation::response_input_tokens: {
      TRY(request, read_text_request(body, job));
      TRY_VOID(check_model(job, surface.object.empty() ? request.model : surface.object));
      reply.body = token_count(surface.operation, request.conversation.tokens().count());
      break;
    }
    case Operation::response_get:
    case Operation::response_delete: {
      const auto kept = kept_.find(surface.object);
      if (kept == kept_.end()) return refuse(404, "No response with the id '" + surface.object + "' is kept.");
      if (surface.operation == Operation::response_get) {
        reply.body = kept->second.body;
        break;
      }
      kept_.erase(kept);
      std::erase(kept_order_, surface.object);
      json::Writer w(reply.body);
      w.begin_object().member("id", surface.object).member("object", "response").member("deleted", true).end_object();
      break;
    }
    default: return false;
  }
  job.reply = std::move(reply);
  return true;
}

Answered<ChatRequest> Service::read_text_request(std::string_view body, const Job& job) {
  const ReadOptions options{.block_tokens = options_.engine.block_tokens, .output_tokens_max = options_.context_tokens};
  switch (job.surface.operation) {
    case Operation::completions: return read_openai_completions(body, options);
    case Operation::messages: return read_anthropic(body, options, false);
    case Operation::count_tokens: return read_anthropic(body, options, true);
    case Operation::generate:
    case Operation::stream_generate: return read_gemini(body, options, false);
    case Operation::gemini_count_tokens: return read_gemini(body, options, true);
    case Operation::responses:
    case Operation::response_input_tokens: {
      const std::string previous = read_previous_response_id(body);
      if (previous.empty()) return read_openai_responses(body, options, nullptr);
      const auto kept = kept_.find(previous);
      if (kept == kept_.end()) {
        return refuse(400, "Previous response with id '" + previous + "' not found.", "previous_response_id",
                      "previous_response_not_found");
      }
      return read_openai_responses(body, options, &kept->second.conversation);
    }
    default: return read_openai_chat(body, options);
  }
}

Answered<void> Service::prepare_text(std::string_view body, Job& job) {
  TRY(request, read_text_request(body, job));
  job.request = std::move(request);
  // Azure's classic paths and Gemini's name the model themselves.
  job.model = job.surface.object.empty() ? job.request.model : job.surface.object;
  TRY_VOID(check_model(job, job.model));
  job.plan = make_plan(job.request, options_.answer, job.fault.answer);
  if (job.plan.prompt_tokens > options_.context_tokens) {
    return std::unexpected(context_too_long(job, job.plan.prompt_tokens, options_.context_tokens));
  }
  const size_t room = options_.context_tokens - job.plan.prompt_tokens;
  if (job.plan.steps > room) cut_short(job.plan, room);
  job.streamed = job.request.stream || job.surface.operation == Operation::stream_generate;
  job.engine_request.prompt_tokens = static_cast<uint32_t>(job.plan.prompt_tokens);
  job.engine_request.output_steps = static_cast<uint32_t>(job.plan.steps);
  job.engine_request.width = static_cast<uint32_t>(job.plan.choices.size());
  job.engine_request.ends_by_length = job.plan.choices[0].finish == Finish::length;
  PromptTokens tokens = job.request.conversation.tokens();
  if (job.plan.choices.size() == 1) {
    for (const Part& part : job.plan.choices[0].parts) {
      if (part.kind == PartKind::tool_call) tokens.text(part.name);
      if (part.kind != PartKind::reasoning) tokens.text(part.text);
    }
  }
  job.engine_request.block_hashes = tokens.block_hashes();
  return {};
}

Answered<void> Service::prepare_rest(const http::RequestHead& head, std::string_view body, Job& job) {
  const RestOptions options{.block_tokens = options_.engine.block_tokens,
                            .embedding_dimensions = options_.embedding_dimensions,
                            .created_unix_s = job.created_unix_s,
                            .id = job.id};
  const std::string_view content_type = head.headers.value(HeaderId::content_type);
  const auto answer = [&]() -> Answered<RestAnswer> {
    switch (job.surface.operation) {
      case Operation::embeddings: return answer_embeddings(body, options);
      case Operation::embed_content: return answer_embed_content(body, options);
      case Operation::batch_embed_contents: return answer_batch_embed_contents(body, options);
      case Operation::rerank: return answer_rerank(body, options);
      case Operation::moderations: return answer_moderations(body, options);
      case Operation::images: return answer_images(body, content_type, options);
      case Operation::speech: return answer_speech(body, options);
      default: return answer_transcription(body, content_type, options);
    }
  }();
  if (!answer) return std::unexpected(answer.error());
  job.rest = *answer;
  job.model = job.surface.object.empty() ? job.rest->model : job.surface.object;
  // Moderations and images have a default model.
  const bool named = job.surface.operation != Operation::moderations && job.surface.operation != Operation::images;
  if (named || !job.model.empty()) TRY_VOID(check_model(job, job.model));
  job.engine_request.prompt_tokens = static_cast<uint32_t>(job.rest->prompt.count());
  job.engine_request.block_hashes = job.rest->prompt.block_hashes();
  return {};
}

Reply Service::error_reply(const Job& job, const ApiError& error) {
  Reply reply{.status = error.status, .content_type = "application/json", .body = {}, .retry_after_seconds = {}};
  reply.retry_after_seconds = error.retry_after_seconds;
  write_error_body(job.surface, error, job.request_header, reply.body);
  return reply;
}

ApiError Service::engine_refused(const Job& job, base::ErrorCode code) {
  if (code == base::ErrorCode::too_large) {
    return refuse(400, "The prompt does not fit the simulated KV cache.", "messages", "context_length_exceeded")
        .error();
  }
  ApiError error =
      refuse(job.surface.api == Api::anthropic ? 529 : 503, "The simulated engine's queue is full.").error();
  error.retry_after_seconds = 1;
  return error;
}

ApiError Service::fault_error(const Job& job) {
  const int status = job.fault.status != 0 ? job.fault.status : 500;
  ApiError error = refuse(status, "Simulated fault: status " + std::to_string(status) + ".").error();
  error.retry_after_seconds = job.fault.retry_after_seconds;
  return error;
}

std::string Service::finished_answer(const Job& job, const UsageCount& usage) {
  return job.rest ? job.rest->body : write_answer(job.context(), usage);
}

void Service::remember(const Job& job, const UsageCount& usage) {
  if (job.surface.operation != Operation::responses || !stores(job.request)) return;
  KeptResponse kept{.body = openai_responses_answer(job.context(), usage), .conversation = job.request.conversation};
  for (const Part& part : job.plan.choices[0].parts) {
    if (part.kind == PartKind::text) kept.conversation.text(part.text);
    if (part.kind == PartKind::tool_call) kept.conversation.tool_call(part.name, part.text);
  }
  if (kept_order_.size() == kResponsesKeptMax) {
    kept_.erase(kept_order_.front());
    kept_order_.pop_front();
  }
  const std::string id = "resp_" + job.id;
  kept_order_.push_back(id);
  kept_.insert_or_assign(id, std::move(kept));
}

void Service::add_headers(const Job& job, http::Headers& headers) const {
  headers.append(HeaderId::server, kServerName);
  headers.append("x-simulator-instance", options_.name);
  switch (job.surface.api) {
    case Api::anthropic: headers.append(HeaderId::request_id, job.request_header); break;
    case Api::azure: headers.append(HeaderId::apim_request_id, job.request_header); break;
    case Api::openai: headers.append(HeaderId::x_request_id, job.request_header); break;
    default: break;
  }
}

}  // namespace llmgw::simulator
