// A client exchange of whose body the first bytes have been read already, and come again. One thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "http/client.h"

namespace llmgw::gateway {

class PrefetchedExchange final : public http::ClientExchange {
 public:
  // `first` are those bytes; `all`: nothing follows.
  PrefetchedExchange(std::unique_ptr<http::ClientExchange> inner, std::string first, bool all)
      : inner_(std::move(inner)), first_(std::move(first)), all_(all) {}

  bool reused() const override { return inner_->reused(); }
  bool may_repeat() const override { return false; }
  net::Task<base::Result<void>> send(const http::RequestStart& request, net::Wait wait) override {
    return inner_->send(request, wait);
  }
  net::Task<base::Result<const http::ResponseHead*>> read_head(net::Wait wait) override {
    return inner_->read_head(wait);
  }
  net::Task<base::Result<http::BodyBytes>> read_body(net::Wait wait) override {
    if (!std::exchange(given_, true)) co_return http::BodyBytes{first_, all_};
    if (all_) co_return http::BodyBytes{{}, true};
    co_return co_await inner_->read_body(wait);
  }
  bool body_at_hand() const override { return !given_ || inner_->body_at_hand(); }
  bool received_any() const override { return true; }
  const http::Headers& trailers() const override { return inner_->trailers(); }
  net::Stream* raw_stream(std::string_view& early_bytes) override { return inner_->raw_stream(early_bytes); }

 private:
  std::unique_ptr<http::ClientExchange> inner_;
  std::string first_;
  bool all_;
  bool given_ = false;
};

}  // namespace llmgw::gateway
