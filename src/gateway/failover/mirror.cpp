// A call made a second time, at the model its route names, to try that under real load: beside the call, for nobody,
// and for no budget. The mirrored call goes its ordinary way but for authorization, limits and retries; its answer is
// dropped as it comes. Its ledger records are tagged "mirror", its metrics have no API key.
#include "base/text.h"
#include "gateway/call/call.h"
#include "gateway/responses/background.h"
#include "json/text.h"

namespace llmgw::gateway {
namespace {

using net::Task;

// Of what only answers, what is worth a second model's time.
bool may_be_mirrored(Operation operation) {
  switch (operation) {
    case Operation::invoke:
    case Operation::invoke_stream:
    case Operation::rerank:
    case Operation::count_tokens: return false;
    default: return only_answers(operation);
  }
}

Task<void> run_mirror(Worker& worker, std::unique_ptr<DetachedExchange> exchange, int64_t bytes) {
  worker.note_mirror_bytes(bytes);
  {
    Call call(worker, *exchange, Call::Kind::mirror);
    co_await call.run();
  }
  worker.note_mirror_bytes(-bytes);
}

}  // namespace

void Call::start_mirror() {
  const control::Route& own = route();
  if (kind_ == Kind::mirror || claim_ || !body_is_json_ || !may_be_mirrored(match_.operation)) return;
  if (worker_.loop().rng().uniform() >= own.mirror_share || !worker_.may_mirror(body_.size())) return;
  const http::RequestHead& head = exchange_.head();
  std::string target(head.target);
  if (match_.model_place == ModelPlace::path) {
    const size_t at = target.find(match_.model);
    if (at == std::string::npos) return;
    target.replace(at, match_.model.size(), base::percent_encode(own.mirror));
  }
  json::Edit edits[2];
  size_t count = 0;
  if (!peek_.owned_by_span.empty()) edits[count++] = {peek_.owned_by_span, {}};
  if (peek_.has_model) edits[count++] = {body_model_span_, json::quoted(arena_, own.mirror)};
  const auto pieces = json::splice({body_.data(), body_.size()}, {edits, count});
  if (!pieces) return;
  std::string body;
  body.reserve(body_.size() + own.mirror.size());
  for (const std::string_view piece : pieces->parts()) body += piece;
  const auto bytes = static_cast<int64_t>(body.size());
  auto exchange = std::make_unique<DetachedExchange>(exchange_, std::move(target), std::move(body),
                                                     DetachedExchange::Answer::dropped);
  worker_.metrics().count(telemetry::FailoverEvent::mirror);
  worker_.mirror(run_mirror(worker_, std::move(exchange), bytes));
}

}  // namespace llmgw::gateway
