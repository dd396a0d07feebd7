// Responses that are made in the background (Responses API, `background`): the client is answered at once, and the
// request goes its ordinary way as if it came over a connection, only that nobody is at its other end. What comes of it
// goes to the store. One worker; its loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "dialects/openai_responses/state.h"
#include "gateway/call/call_admission.h"
#include "gateway/responses/background_events.h"
#include "http/exchange.h"
#include "net/cancellation.h"
#include "net/io.h"
#include "net/task.h"
#include "store/responses_store.h"

namespace llmgw::gateway {

class Worker;

// The events of a response as they come, for the client that asked for them.
struct LiveEvents {
  explicit LiveEvents(net::Loop& loop) : changed(loop) {}
  std::string text;
  bool over = false;
  net::Signal changed;
};

// An exchange in memory: what is written to it is kept.
class DetachedExchange final : public http::ServerExchange {
 public:
  // What an answer may be; above it the exchange is cancelled.
  static constexpr size_t kAnswerBytesMax = size_t{64} << 20;

  enum class Answer : uint8_t { kept, dropped };

  // Copies what it needs of the request that asked. `target` is path and query.
  DetachedExchange(const http::ServerExchange& asked, std::string target, std::string body,
                   Answer answer = Answer::kept);
  // A stream (200) goes there instead of into answer(). They must outlive the exchange.
  void stream_to(BackgroundEvents& events, LiveEvents& live) {
    events_ = &events;
    live_ = &live;
  }

  const http::RequestHead& head() const override { return head_; }
  net::Loop& loop() const override { return loop_; }
  const net::Address& peer() const override { return peer_; }
  bool over_tls() const override { return over_tls_; }
  net::Cancellation& cancellation() override { return cancellation_; }
  base::Instant started_at() const override { return started_at_; }
  net::Task<base::Result<std::span<char>>> read_body(uint64_t bytes_max) override;
  base::Result<void> start(const http::ResponseStart& response) override;
  net::Task<base::Result<void>> write(std::span<const iovec> data, bool end) override;
  net::Task<base::Result<void>> flush() override;
  void abort() override { aborted_ = true; }
  bool started() const override { return status_ != 0; }
  bool ended() const override { return ended_; }
  uint64_t bytes_written() const override { return bytes_written_; }
  net::Task<base::Result<http::RawConnection>> take_over(const http::ResponseStart* head) override;

  uint16_t status() const { return status_; }
  const std::string& answer() const { return answer_; }

 private:
  net::Loop& loop_;
  net::Address peer_;
  bool over_tls_;
  base::Instant started_at_;
  base::Arena arena_;
  std::string target_;
  std::string body_;
  http::RequestHead head_;
  net::Cancellation cancellation_;
  uint16_t status_ = 0;
  bool ended_ = false;
  bool aborted_ = false;
  Answer keeps_;
  uint64_t bytes_written_ = 0;
  std::string answer_;
  BackgroundEvents* events_ = nullptr;
  LiveEvents* live_ = nullptr;
};

struct BackgroundRun {
  std::unique_ptr<DetachedExchange> exchange;
  dialects::openai_responses::BackgroundResponse response;
  std::string owner;                       // see memory_owner()
  std::string pending;                     // the Response as it was answered
  std::optional<CallAdmission> admission;  // its asker's
  bool cancelled = false;                  // by its client
  // Of one that is streamed; null else.
  std::unique_ptr<BackgroundEvents> events = nullptr;
  std::shared_ptr<LiveEvents> live = nullptr;
  size_t stored_bytes = 0;  // of live->text
  uint64_t stored_next = 0;
};

// Ends when the response is over, however: answered, failed, cancelled by its client, or its record gone.
net::Task<void> run_in_background(Worker& worker, store::ResponsesStore& store, std::unique_ptr<BackgroundRun> run);

}  // namespace llmgw::gateway
