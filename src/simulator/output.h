// Writes one answer to its connection in the way the job's fault wants: whole, dripping, cut, reset. One thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "simulator/service.h"

namespace llmgw::simulator {

class Output {
 public:
  // All three must outlive it.
  Output(http::ServerExchange& exchange, const Service& service, const Job& job)
      : exchange_(exchange), service_(service), job_(job) {}

  // The head. Without `length` the body ends by end().
  net::Task<base::Result<void>> start(int status, std::string_view content_type, std::optional<size_t> length,
                                      std::optional<double> retry_after_seconds);
  net::Task<base::Result<void>> write(std::string_view bytes);
  net::Task<base::Result<void>> end();
  // A whole answer, broken off where a fault of these kinds says so: cut, reset, hang, garbage_json.
  net::Task<base::Result<void>> whole(Reply reply);

  // Waits as long as the client stays.
  net::Task<base::Result<void>> pause(base::Duration time);
  // Breaks off here: reset, hang (until the client leaves) or cut. Nothing may be written afterwards.
  net::Task<void> break_off(FaultKind kind);
  // Bytes that are no HTTP, then the end of the connection.
  net::Task<void> garbage();
  // The answer is whole; the connection closes after a while, used again or not.
  net::Task<void> close_idle(base::Duration after);

 private:
  net::Task<base::Result<void>> slow_head(int status, const http::Headers& headers, std::optional<size_t> length);
  net::Task<base::Result<void>> send(std::string_view bytes);
  net::Task<base::Result<void>> send_paced(std::string_view bytes, const Pace& pace);

  http::ServerExchange& exchange_;
  const Service& service_;
  const Job& job_;
  net::Stream* raw_ = nullptr;  // once the connection has been taken out of HTTP's hands
};

}  // namespace llmgw::simulator
