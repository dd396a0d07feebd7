// A client of the simulated world: sends its requests, one after the other or several at once, and checks each answer.
#pragma once

#include <deque>
#include <string>

#include "gateway/world_script.h"
#include "http/body_framing.h"
#include "http/h1_parser.h"
#include "net/io.h"
#include "net/sim/world.h"

namespace llmgw::gateway::world {

inline const net::Address kGatewayAddress = *net::Address::parse("10.0.0.1:8080");
// Longer than everything that may take its time: pool, upstream's first byte, slow pipes.
inline constexpr Duration kClientPatience = 15min;

class Client {
 public:
  Client(net::sim::World& world, Script& script, std::vector<Request*> requests, Instant& drained_at)
      : world_(world), script_(script), waiting_(requests.begin(), requests.end()), drained_at_(drained_at) {
    slow_reader_ = world.rng().chance(0.2);
    pipelines_ = world.rng().chance(0.3);
  }

  net::Task<void> run() {
    while (!waiting_.empty()) {
      const size_t left = waiting_.size();
      co_await use_connection();
      if (waiting_.size() == left) ADD_FAILURE() << "no progress";
      if (waiting_.size() == left) co_return;
    }
  }

 private:
  // Whether it was to be expected that the request is not answered whole.
  bool excused(const Request& request) const {
    if (harmful(request.mischief) || script_.upstream_faults() || request.sends_only != SIZE_MAX) return true;
    // What is on its way when the server stops may be too late.
    return drained_at_ != base::kNever && (request.sent_at == base::kNever || request.sent_at + 200ms > drained_at_);
  }

  void settle(Request& request, std::string_view why) {
    request.settled = true;
    if (request.vanished_at != base::kNever || excused(request) || connection_broken_) return;
    ADD_FAILURE() << request.canary << " was not answered: " << why;
  }

  net::Task<void> use_connection() {
    received_.clear();
    connection_broken_ = false;
    auto connected =
        co_await world_.network().connect(kGatewayAddress, {.deadline = world_.loop().now() + kClientPatience});
    if (!connected) {
      connection_broken_ = script_.client_faults() || drained_at_ != base::kNever;
      settle(*waiting_.front(), "connect");
      waiting_.pop_front();
      co_return;
    }
    stream_ = std::move(*connected);
    first_on_connection_ = true;
    bool open = true;
    while (open && !waiting_.empty()) {
      std::vector<Request*> batch{waiting_.front()};
      while (pipelines_ && batch.size() < waiting_.size() && batch.size() < 4 && may_follow(*batch.back())) {
        batch.push_back(waiting_[batch.size()]);
      }
      open = co_await use_batch(batch);
    }
    writer_.cancel_all();
    stream_.reset();
  }
  static bool may_follow(const Request& request) {
    return !request.vanishes && request.bytes.find("\r\nconnection: close\r\n") == std::string::npos;
  }

  // Sends them all and reads their answers. True if the connection may be used for more.
  net::Task<bool> use_batch(const std::vector<Request*>& batch) {
    writer_.cancel_all();
    writer_.spawn(write(batch));
    for (Request* request : batch) {
      const bool go_on = co_await read_answer(*request);
      if (request->settled) waiting_.pop_front();
      if (!go_on) co_return false;
      first_on_connection_ = false;
    }
    co_return true;
  }

  net::Task<void> write(std::vector<Request*> batch) {
    for (Request* request : batch) {
      const std::string_view bytes = std::string_view(request->bytes).substr(0, request->sends_only);
      request->sent_at = world_.loop().now();
      ++request->sends;
      if (!co_await net::write_all(*stream_, bytes, {})) co_return;
    }
  }

  void vanish(Request& request) {
    request.vanished_at = world_.loop().now();
    writer_.cancel_all();
    if (request.vanishes_hard) stream_->reset_on_close();
    stream_.reset();
    settle(request, "vanished");
  }

  // More bytes. False when the connection is over, or the client's patience.
  net::Task<bool> more(Request& request, Instant vanishes_at) {
    if (slow_reader_) (void)co_await net::sleep_for(world_.loop(), script_.up_to(20ms));
    char small[200];
    std::span<char> buffer = world_.loop().scratch();
    if (slow_reader_ && request.body.size() < 5'000) buffer = small;
    auto count = co_await net::read_some(*stream_, buffer, {.deadline = vanishes_at});
    if (!count && count.error().code == base::ErrorCode::deadline_exceeded) {
      if (request.vanishes) {
        vanish(request);
      } else {
        ADD_FAILURE() << request.canary << " hangs";
        settle(request, "hangs");
      }
      co_return false;
    }
    connection_broken_ |= net::sim::SimNetwork::broken_by_fault(*stream_);
    at_end_ = count && *count == 0;
    if (!count || *count == 0) co_return false;
    received_.append(buffer.data(), *count);
    EXPECT_EQ(received_.find(kUpstreamKey), std::string::npos) << "an upstream's credential reached a client";
    EXPECT_EQ(received_.find(kSpilled), std::string::npos) << "bytes of no answer reached a client";
    co_return true;
  }

  // True if the connection may be used for more.
  net::Task<bool> read_answer(Request& request) {
    const Instant vanishes_at = world_.loop().now() + (request.vanishes ? request.patience : kClientPatience);
    http::ResponseHead head;
    std::string head_bytes;
    bool anything = false;
    for (;;) {
      const auto parsed = http::parse_response_head(received_, {}, http::Method::post, head);
      EXPECT_NE(parsed.status, http::ParseStatus::error) << http::describe(parsed.error) << received_.substr(0, 200);
      if (parsed.status == http::ParseStatus::error) co_return false;
      if (parsed.status == http::ParseStatus::complete) {
        head_bytes = received_.substr(0, parsed.consumed);
        received_.erase(0, parsed.consumed);
        (void)http::parse_response_head(head_bytes, {}, http::Method::post, head);
        if (!head.interim()) break;
        continue;
      }
      anything |= !received_.empty();
      if (!co_await more(request, vanishes_at)) {
        // Behind an answer that did not announce the end, the server may not just close; unless it is told to stop.
        if (!request.settled) settle(request, anything ? "cut in its head" : "nothing came");
        co_return false;
      }
    }
    const std::string canary = "R-" + request.canary;
    if (head.status == 200 && request.kind != Kind::local) {
      EXPECT_EQ(head.headers.value("content-type"), request.content_type);
    }
    http::BodyReader reader = http::BodyReader::of(head);
    std::string body;
    while (!reader.done()) {
      if (received_.empty() && !co_await more(request, vanishes_at)) {
        if (request.settled) co_return false;
        if (at_end_ && reader.end_of_stream()) break;
        check_part(request, head, body);
        settle(request, "cut in its body");
        co_return false;
      }
      auto piece = reader.feed(received_);
      EXPECT_TRUE(piece.has_value()) << "a body that is no HTTP";
      if (!piece) co_return false;
      body.append(piece->data);
      received_.erase(0, piece->consumed);
    }
    ++request.answers;
    request.settled = request.complete = true;
    check_whole(request, head, body);
    co_return head.keep_alive&& reader.done();
  }

  // What came of an answer that was broken off in sight.
  void check_part(const Request& request, const http::ResponseHead& head, const std::string& body) {
    if (head.status == request.status && request.kind != Kind::local) {
      EXPECT_TRUE(request.body.starts_with(body)) << request.canary;
    }
  }

  void check_whole(const Request& request, const http::ResponseHead& head, const std::string& body) {
    if (request.kind == Kind::local) {
      EXPECT_EQ(head.status, request.local_status) << body;
      return;
    }
    if (head.status == request.status && body == request.body) {
      EXPECT_FALSE(harmful(request.mischief) && request.mischief != Mischief::refuse_early) << "whole out of nothing";
      return;
    }
    const bool excused_now = excused(request);
    EXPECT_TRUE(excused_now) << request.canary << " after " << world_.elapsed() / 1ms << " ms: " << head.status << " "
                             << body.substr(0, 300);
    if (head.status >= 400) {
      EXPECT_TRUE(body.find("\"error\"") != std::string::npos) << body;
      EXPECT_EQ(body.find("R-Q"), std::string::npos) << "somebody's answer in an error: " << body;
      return;
    }
    // Cut where only the connection's end tells: JSON without its end says so itself, to whoever parses it.
    if (request.shape == Shape::until_close && request.kind != Kind::sse) {
      EXPECT_TRUE(request.body.starts_with(body)) << body;
      return;
    }
    // A stream that began well and was ended with an error event.
    EXPECT_EQ(head.status, request.status);
    EXPECT_TRUE(request.kind == Kind::sse || request.kind == Kind::array)
        << "a short answer that looks whole: " << body;
    size_t common = 0;
    while (common < body.size() && common < request.body.size() && body[common] == request.body[common]) ++common;
    const std::string end = body.substr(common);
    EXPECT_LT(common, request.body.size());
    EXPECT_NE(body.find("\"error\""), std::string::npos) << "a stream that looks finished: " << body;
    EXPECT_EQ(body.find(request.stream_end), std::string::npos);
    EXPECT_EQ(end.find("R-Q"), std::string::npos);
  }

  net::sim::World& world_;
  Script& script_;
  std::deque<Request*> waiting_;
  Instant& drained_at_;
  std::unique_ptr<net::Stream> stream_;
  net::TaskGroup writer_;  // dies before the stream it writes to
  std::string received_;
  bool slow_reader_ = false;
  bool pipelines_ = false;
  bool connection_broken_ = false;
  bool first_on_connection_ = false;
  bool at_end_ = false;
};

}  // namespace llmgw::gateway::world
