#include "gateway/entrance/malformed.h"

#include "chat/error.h"
#include "dialects/error.h"
#include "gateway/entrance/client_address.h"
#include "telemetry/request_id.h"

namespace llmgw::gateway {
namespace {

using chat::ErrorKind;

ErrorKind kind_of(uint16_t status) {
  switch (status) {
    case 408: return ErrorKind::request_timeout;
    case 413:
    case 414:
    case 431: return ErrorKind::too_large;
    default: return ErrorKind::invalid_request;
  }
}

}  // namespace

http::MalformedAnswer answer_malformed(Worker& worker, const http::MalformedRequest& request) {
  const net::Loop& loop = worker.loop();
  const ErrorKind kind = kind_of(request.status);
  const auto id = telemetry::RequestId::mint(worker.loop().rng(), loop.wall_now());
  http::MalformedAnswer answer;
  answer.request_id = id.view();
  if (request.status != 0) {
    answer.body = dialects::write_error(chat::Dialect::openai_chat, chat::Framing::json,
                                        {.kind = kind, .message = request.message, .status = request.status}, {})
                      .body;
  }

  const std::string client = client_address(request.peer, {}, worker.snapshot().trusted_proxies);
  telemetry::AccessRecord record;
  record.request_id = id.view();
  record.status = request.status;
  record.bytes_out = answer.body.size();
  record.client = client;
  record.error_type = chat::to_string(kind);
  record.duration = loop.now() - request.started_at;
  worker.log().access(record);
  worker.log().debug("malformed request", {{"request_id", id.view()}, {"reason", request.message}});

  telemetry::RequestLabels labels;
  labels.endpoint = "unknown";
  auto& counters = worker.metrics().request({.generation = static_cast<uint32_t>(worker.snapshot().version)}, labels);
  counters.count_request();
  counters.record_duration(record.duration);
  counters.count_error(static_cast<uint8_t>(kind), record.error_type);
  return answer;
}

void note_connection_fault(Worker& worker, http::ConnectionFault fault, const base::Error& error,
                           const net::Address& peer) {
  worker.metrics().connection_fault(to_string(fault)).add();
  if (!worker.log().enabled(telemetry::Level::debug)) return;
  const std::string client = client_address(peer, {}, worker.snapshot().trusted_proxies);
  worker.log().debug("client connection failed",
                     {{"fault", to_string(fault)}, {"reason", error.context}, {"client", client}});
}

}  // namespace llmgw::gateway
