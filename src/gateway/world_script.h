// What happens in one simulated world: the requests of its clients, what upstreams do with them, and what went wrong.
// For world_test.cpp.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"

namespace llmgw::gateway::world {

using namespace std::chrono_literals;
using base::Duration;
using base::Instant;

inline constexpr std::string_view kClientKey = "client-key-of-the-world";
inline constexpr std::string_view kUpstreamKey = "sk-upstream-of-the-world";
inline constexpr std::string_view kSpilled = "SPILLED";  // sent by upstreams where it belongs to no answer

enum class Shape : uint8_t { sized, chunked, until_close };

// What an upstream does instead of answering properly.
enum class Mischief : uint8_t {
  none,
  close_quietly,  // answers, and closes the connection afterwards without having said so
  interim,        // sends a 100 and a 103 first
  spill,          // sends more than the answer
  // From here on the answer cannot arrive whole.
  close_at_once,
  reset_at_once,
  hang,
  garbage,
  refuse_early,  // answers before the request's body has been read, and closes
  cut,           // ends in order in the middle of the body
  reset,         // resets in the middle of the body
  stall,         // stops in the middle of the body
};
inline bool harmful(Mischief mischief) {
  return mischief >= Mischief::close_at_once;
}

enum class Kind : uint8_t { json, sse, array, local };

struct Request {
  std::string canary;
  std::string bytes;  // as sent by the client: head and body
  size_t body_at = 0;
  bool head_only = false;  // HEAD
  Kind kind = Kind::json;
  uint16_t local_status = 0;  // of answers that the gateway gives itself

  // The upstream's side
  std::string upstream_target;
  std::string upstream_body;
  uint16_t status = 200;
  Shape shape = Shape::sized;
  std::string content_type;
  std::string body;                             // the answer
  std::string stream_end = "data: [DONE]\n\n";  // what ends it, as event stream
  Mischief mischief = Mischief::none;
  size_t break_at = 0;
  Duration think{0};
  Duration gap{0};
  size_t piece = 0;  // bytes between two gaps

  // The client's side
  bool vanishes = false;
  bool vanishes_hard = false;
  Duration patience{0};  // until it vanishes
  size_t sends_only = SIZE_MAX;

  // What was seen
  Instant sent_at = base::kNever;
  Instant vanished_at = base::kNever;
  Instant arrived_at = base::kNever;        // at an upstream, whole
  Instant upstream_left_at = base::kNever;  // the upstream saw the gateway go
  Instant upstream_done_at = base::kNever;  // the upstream was through with it
  int sends = 0;                            // more than once when an earlier one of a pipeline broke the connection
  int arrivals = 0;
  int answers = 0;
  bool settled = false;
  bool complete = false;
};

// Everything random of a world that does not happen while it runs.
class Script {
 public:
  Script(base::Rng& rng, uint64_t seed) : rng_(rng), seed_(seed) {
    calm_ = rng_.chance(0.3);
    upstream_faults_ = !calm_ && rng_.chance(0.3);
    client_faults_ = !calm_ && rng_.chance(0.3);
    drains_ = !calm_ && rng_.chance(0.1);
    tiny_ = rng_.chance(0.1);
    spills_ = !tiny_ && rng_.chance(0.3);
  }
  bool calm() const { return calm_; }  // nothing goes wrong: every request is answered properly
  bool upstream_faults() const { return upstream_faults_; }
  bool client_faults() const { return client_faults_; }
  bool drains() const { return drains_; }
  bool tiny() const { return tiny_; }      // pipes of a few bytes
  bool spills() const { return spills_; }  // what upstreams write arrives in one piece

  Request& add() {
    requests_.push_back(std::make_unique<Request>());
    Request& request = *requests_.back();
    request.canary = "Q" + std::to_string(seed_) + "-" + std::to_string(requests_.size()) + "-" +
                     std::to_string(rng_.next() % 1'000'000'000);
    by_canary_[request.canary] = &request;
    write_request(request);
    if (request.kind != Kind::local) write_answer(request);
    if (!calm_) misbehave(request);
    return request;
  }
  Request* find(std::string_view canary) {
    const auto found = by_canary_.find(std::string(canary));
    return found == by_canary_.end() ? nullptr : found->second;
  }
  const std::vector<std::unique_ptr<Request>>& requests() const { return requests_; }
  Duration up_to(Duration limit) { return Duration(static_cast<int64_t>(rng_.below(limit.count() + 1))); }

 private:
  size_t random_size() {
    const double kind = rng_.uniform();
    if (tiny_ || kind < 0.6) return rng_.below(300);
    if (kind < 0.95) return rng_.below(4'000);
    return rng_.below(80'000);
  }
  std::string filler(size_t bytes) { return std::string(bytes, static_cast<char>('a' + rng_.below(26))); }

  void write_request(Request& request) {
    std::string path;
    std::string auth = "authorization: Bearer " + std::string(kClientKey);
    const std::string content = R"([{"role":"user","content":")" + request.canary + filler(random_size()) + "\"}]";
    std::string before = R"({"messages":)" + content + R"(,"model":")";
    std::string after = "\"}";
    std::string model;
    std::string remote;
    const bool streams = rng_.chance(0.5);
    const std::string stream = streams ? R"(","stream":true})" : "\"}";
    request.kind = streams ? Kind::sse : Kind::json;
    switch (rng_.below(8)) {
      case 0:
      case 1:
      case 2:
        path = request.upstream_target = "/v1/chat/completions";
        model = "alias-a";
        remote = "remote-model-a";
        after = stream;
        break;
      case 3:
      case 4:
        path = request.upstream_target = "/v1/messages";
        auth = "x-api-key: " + std::string(kClientKey);
        model = remote = "claude-b";
        request.stream_end = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        after = stream;
        break;
      case 5:
      case 6: {
        const std::string tail = streams ? ":streamGenerateContent" : ":generateContent";
        const bool array = streams && rng_.chance(0.5);
        if (array) request.kind = Kind::array;
        const std::string query = streams && !array ? "?alt=sse" : "";
        path = "/v1beta/models/alias-c" + tail + query;
        request.upstream_target = "/v1beta/models/remote-model-c" + tail + query;
        auth = "x-goog-api-key: " + std::string(kClientKey);
        before = R"({"contents":)" + content + "}";
        request.stream_end = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
        after.clear();
        break;
      }
      default: return write_local(request);
    }
    const std::string body = before + model + after;
    request.upstream_body = before + remote + after;
    finish_request(request, "POST", path, auth, body);
  }

  void write_local(Request& request) {
    request.kind = Kind::local;
    std::string auth = "authorization: Bearer " + std::string(kClientKey);
    switch (rng_.below(5)) {
      case 0: request.local_status = 200; return finish_request(request, "GET", "/v1/models", auth, "");
      case 1:
        request.local_status = 401;
        return finish_request(request, "POST", "/v1/chat/completions", "authorization: Bearer nobodys",
                              R"({"model":"alias-a"})");
      case 2:
        request.local_status = 404;
        return finish_request(request, "POST", "/v1/chat/completions", auth, R"({"model":"unknown","messages":[]})");
      case 3:
        request.local_status = 400;
        return finish_request(request, "POST", "/v1/chat/completions", auth,
                              R"({"model":"alias-a","messages":[})" + filler(random_size()));
      default: request.local_status = 200; return finish_request(request, "GET", "/health", auth, "");
    }
  }

  void finish_request(Request& request, std::string_view method, std::string_view path, std::string_view auth,
                      const std::string& body) {
    std::string& out = request.bytes;
    out.append(method).append(" ").append(path).append(" HTTP/1.1\r\nhost: gateway\r\nx-canary: ");
    out.append(request.canary).append("\r\n").append(auth).append("\r\n");
    const bool chunked = method == "POST" && rng_.chance(0.25);
    if (method == "POST" && !chunked) out.append("content-length: " + std::to_string(body.size()) + "\r\n");
    if (chunked) out.append("transfer-encoding: chunked\r\n");
    if (rng_.chance(0.1)) out.append("connection: close\r\n");
    out.append("\r\n");
    request.body_at = out.size();
    if (!chunked) {
      out.append(body);
      return;
    }
    for (size_t at = 0; at < body.size();) {
      const size_t size = 1 + rng_.below(std::min<size_t>(body.size() - at, 5'000));
      char length[20];
      std::snprintf(length, sizeof length, "%zx\r\n", size);
      out.append(length).append(body, at, size).append("\r\n");
      at += size;
    }
    out.append("0\r\n\r\n");
  }

  void write_answer(Request& request) {
    const std::string mark = "R-" + request.canary;
    if (rng_.chance(0.08)) {
      request.status = rng_.chance(0.5) ? 429 : 500;
      request.kind = Kind::json;
      request.body = R"({"error":{"message":")" + mark + R"("}})";
    } else if (request.kind == Kind::json) {
      request.body = R"({"id":")" + mark + R"(","text":")" + filler(random_size()) + "\"}";
    } else {
      const size_t events = 1 + rng_.below(8);
      for (size_t i = 0; i < events; ++i) {
        const std::string item = R"({"id":")" + mark + R"(","part":")" + filler(random_size() / 4) + "\"}";
        if (request.kind == Kind::sse) request.body += "data: " + item + "\n\n";
        if (request.kind == Kind::array) request.body += (i == 0 ? "[" : ",\r\n") + item;
      }
      if (request.kind == Kind::array) request.body += R"(,{"candidates":[{"finishReason":"STOP"}]}])";
      if (request.kind == Kind::sse) request.body += request.stream_end;
    }
    request.content_type = request.kind == Kind::sse ? "text/event-stream" : "application/json";
    request.shape = rng_.chance(0.4) ? Shape::chunked : rng_.chance(0.15) ? Shape::until_close : Shape::sized;
    if (request.kind != Kind::json && request.shape == Shape::sized) request.shape = Shape::chunked;
    request.think = rng_.chance(0.5) ? Duration(0) : up_to(800ms);
    request.gap = rng_.chance(0.5) ? Duration(0) : up_to(50ms);
    request.piece = 1 + rng_.below(std::max<size_t>(1, request.body.size()));
    if (request.body.size() / request.piece > 40) request.piece = 1 + request.body.size() / 40;
    if (rng_.chance(0.1)) request.mischief = rng_.chance(0.5) ? Mischief::close_quietly : Mischief::interim;
  }

  void misbehave(Request& request) {
    if (request.kind != Kind::local && rng_.chance(0.25)) {
      request.mischief = static_cast<Mischief>(rng_.below(static_cast<uint64_t>(Mischief::stall) + 1));
      if (request.mischief == Mischief::spill && !spills_) request.mischief = Mischief::none;
      request.break_at = rng_.below(request.body.size());
      // An orderly end is how such a body ends; only a stream says more.
      const bool open_ended = request.kind == Kind::sse && request.mischief != Mischief::spill;
      if (request.shape == Shape::until_close && !open_ended) request.shape = Shape::chunked;
    }
    if (rng_.chance(0.15)) {
      request.vanishes = true;
      request.vanishes_hard = rng_.chance(0.5);
      request.patience = up_to(rng_.chance(0.5) ? 50ms : 2s);
      if (rng_.chance(0.3)) request.sends_only = rng_.below(request.bytes.size());
    }
  }

  base::Rng& rng_;
  uint64_t seed_;
  bool calm_;
  bool upstream_faults_;
  bool client_faults_;
  bool drains_;
  bool tiny_;
  bool spills_;
  std::vector<std::unique_ptr<Request>> requests_;
  std::map<std::string, Request*> by_canary_;
};

}  // namespace llmgw::gateway::world
