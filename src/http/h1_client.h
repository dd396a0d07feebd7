// HTTP/1.1 on a client connection. Internal to http: requests are made through Pool.
#pragma once

#include <memory>
#include <string>

#include "base/intrusive_list.h"
#include "base/memory_pool.h"
#include "http/body_framing.h"
#include "http/client.h"
#include "http/pool.h"

namespace llmgw::http {

// A connection and what belongs to the response at hand. Counts itself in its pool's open().
class H1ClientConnection : public base::ListNode {
 public:
  H1ClientConnection(Pool& pool, std::unique_ptr<net::Stream> stream, base::Duration connect_time);
  ~H1ClientConnection();

  // Forgets the last response and its memory.
  void clear();

  Pool& pool;
  std::unique_ptr<net::Stream> stream;
  base::Duration connect_time;
  base::Instant idle_since;
  uint64_t requests = 0;
  std::string received;  // the response's head and what came with it
  std::string out;       // the request's head
  ResponseHead head;
};

class H1ClientExchange final : public ClientExchange {
 public:
  explicit H1ClientExchange(std::unique_ptr<H1ClientConnection> connection);
  ~H1ClientExchange() override;
  static void* operator new(size_t bytes) { return base::MemoryPool::allocate(bytes); }
  static void operator delete(void* memory, size_t bytes) noexcept { base::MemoryPool::release(memory, bytes); }

  bool reused() const override { return connection_->requests > 1; }
  bool may_repeat() const override;
  net::Task<base::Result<void>> send(const RequestStart& request, net::Wait wait) override;
  net::Task<base::Result<const ResponseHead*>> read_head(net::Wait wait) override;
  net::Task<base::Result<BodyBytes>> read_body(net::Wait wait) override;
  bool body_at_hand() const override { return body_.done() || body_start_ < connection_->received.size(); }
  bool received_any() const override { return received_any_; }
  const Headers& trailers() const override { return trailers_; }
  net::Stream* raw_stream(std::string_view& early_bytes) override;

 private:
  base::Result<bool> answered_early();
  base::Result<bool> take_head();
  base::Result<BodyBytes> decode(std::span<char> bytes);
  bool reusable() const;

  std::unique_ptr<H1ClientConnection> connection_;
  Method method_ = Method::other;
  size_t body_start_ = 0;  // in connection_->received: body bytes that came with the head
  BodyReader body_;
  HeadScanner scanner_;
  bool head_tried_ = false;  // most heads come whole; only where one does not is its end looked for before it is read
  Headers trailers_;
  int interim_heads_ = 0;
  base::Instant sent_at_;
  bool sent_ = false;  // whole
  bool received_any_ = false;
  bool head_read_ = false;
  bool excess_ = false;  // the server sent more than the response
};

}  // namespace llmgw::http
