// What one simulated instance knows and decides, without I/O: which operation a request is for, whether its key and
// model are good, which fault it meets, and what the answer will be. The shell (server.h) reads, waits and writes.
// One thread; time and request bytes are arguments.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "http/message.h"
#include "simulator/answer_writer.h"
#include "simulator/engine.h"
#include "simulator/faults.h"
#include "simulator/plan.h"
#include "simulator/rest.h"
#include "simulator/surface.h"

namespace llmgw::simulator {

inline constexpr std::string_view kServerName = "llm-gateway-simulator";
inline constexpr std::string_view kFaultHeader = "x-simulate";
inline constexpr size_t kResponsesKeptMax = 1000;  // of the Responses API, for GET and previous_response_id

struct InstanceOptions {
  std::string name = "simulator";   // in the header x-simulator-instance
  std::vector<std::string> models;  // empty: every name is a model
  base::Secret api_key;             // empty: every key is good, none is needed
  uint64_t seed = 1;
  size_t context_tokens = 131'072;
  size_t embedding_dimensions = 256;
  EngineOptions engine;
  AnswerOptions answer;
  std::string faults;  // lines as FaultRules takes them
};

// A whole answer of known length.
struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::optional<double> retry_after_seconds;
};

// One request from its head to its answer. Stays where it is: the writer points into it.
struct Job {
  Surface surface;
  std::string path;
  std::string id;              // letters and digits
  std::string request_header;  // the same as a request id
  FaultPlan fault;
  // What is known without the engine; if it is there, nothing below counts.
  std::optional<Reply> reply;

  EngineRequest engine_request;
  bool streamed = false;
  // Either a text answer ...
  ChatRequest request;
  Plan plan;
  std::string model;
  int64_t created_unix_s = 0;
  // ... or another one, to be sent when its prompt has been prefilled.
  std::optional<RestAnswer> rest;

  AnswerContext context() const {
    return {.surface = surface,
            .request = request,
            .plan = plan,
            .id = id,
            .model = model,
            .created_unix_s = created_unix_s};
  }
};

class Service {
 public:
  // `faults` must have been checked (check_faults).
  explicit Service(const InstanceOptions& options);

  // From the head alone: the operation, the key, and the fault if it is an early one or comes in the header. If
  // job.reply or job.fault.early is set afterwards, the body need not be read.
  void look(const http::RequestHead& head, Job& job, int64_t unix_s);
  // With the body: the answer or what the engine has to do for it. `engine_stats` is for /metrics alone.
  void prepare(const http::RequestHead& head, std::string_view body, const std::function<EngineStats()>& engine_stats,
               Job& job);
  // POST /reset_prefix_cache came; the shell clears the engine and this.
  bool take_forget_request() { return std::exchange(forget_requested_, false); }

  // The error answer for what the shell found out (body too large, engine full).
  static Reply error_reply(const Job& job, const ApiError& error);
  static ApiError engine_refused(const Job& job, base::ErrorCode code);
  // The status of the job's fault as an answer; 500 if it names none.
  static ApiError fault_error(const Job& job);
  // The answer of a job the engine is done with, not streamed.
  std::string finished_answer(const Job& job, const UsageCount& usage);
  // To be called when a text answer is whole: keeps what the Responses API can ask for later.
  void remember(const Job& job, const UsageCount& usage);
  // Headers every answer carries, besides content-type; the values live as long as the job and the service.
  void add_headers(const Job& job, http::Headers& headers) const;

  const InstanceOptions& options() const { return options_; }

 private:
  struct KeptResponse {
    std::string body;
    Conversation conversation;
  };

  void choose_fault(const http::RequestHead& head, std::string_view body, Job& job);
  void prepare_control(const Job& job, std::string_view body, const std::function<EngineStats()>& engine_stats,
                       Reply& reply);
  Answered<void> prepare_api(const http::RequestHead& head, std::string_view body, Job& job);
  Answered<void> prepare_text(std::string_view body, Job& job);
  Answered<void> prepare_rest(const http::RequestHead& head, std::string_view body, Job& job);
  Answered<bool> prepare_stateless(std::string_view body, Job& job);
  Answered<ChatRequest> read_text_request(std::string_view body, const Job& job);
  Answered<void> check_model(const Job& job, std::string_view model) const;
  std::string_view model_of_body(const http::RequestHead& head, std::string_view body, std::string& storage) const;

  InstanceOptions options_;
  std::vector<std::string> listed_models_;
  FaultRules faults_;
  uint64_t requests_ = 0;
  bool forget_requested_ = false;
  std::unordered_map<std::string, KeptResponse> kept_;
  std::deque<std::string> kept_order_;
};

// Whether `lines` are fault rules; the message if not.
std::expected<void, FaultSyntaxError> check_faults(std::string_view lines);

}  // namespace llmgw::simulator
