#include "gateway/shared_tokens.h"

#include <utility>

namespace llmgw::gateway {

using providers::TokenSource;

SharedToken::Listener::Listener(SharedToken& token, net::Loop& loop, std::function<void()> changed)
    : token_(token), loop_(loop), changed_(std::make_shared<std::function<void()>>(std::move(changed))) {
  const std::lock_guard lock(token_.mutex_);
  token_.listeners_.push_back(this);
}

SharedToken::Listener::~Listener() {
  const std::lock_guard lock(token_.mutex_);
  std::erase(token_.listeners_, this);
}

// Under the token's lock: the listener lives, and its loop with it.
void SharedToken::Listener::notify() {
  loop_.post([weak = std::weak_ptr(changed_)] {
    if (const auto changed = weak.lock()) (*changed)();
  });
}

void SharedToken::changed() {
  version_.fetch_add(1, std::memory_order_release);
  for (Listener* const listener : listeners_) listener->notify();
}

SharedToken::Answer SharedToken::ask(base::Instant now) {
  const std::lock_guard lock(mutex_);
  const TokenSource::Step step = source_.ask(now);
  return {.step = step,
          .header = source_.header(),
          .error = source_.error(),
          .certain_until = source_.certain_until(now),
          .version = version_.load(std::memory_order_relaxed)};
}

void SharedToken::succeeded(const providers::AccessToken& token, base::Instant now) {
  const std::lock_guard lock(mutex_);
  source_.succeeded(token.value, token.lifetime, now);
  changed();
}

void SharedToken::failed(const base::Error& error, base::Instant now) {
  const std::lock_guard lock(mutex_);
  source_.failed(error, now);
  changed();
}

void SharedToken::abandoned() {
  const std::lock_guard lock(mutex_);
  source_.abandoned();
  changed();
}

bool SharedToken::refused(std::string_view authorization, base::Instant now) {
  const std::lock_guard lock(mutex_);
  const bool worth_asking = source_.refused(authorization, now);
  if (worth_asking) changed();
  return worth_asking;
}

std::shared_ptr<SharedToken> SharedTokens::of(const std::string& identity) {
  const std::lock_guard lock(mutex_);
  std::erase_if(tokens_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<SharedToken>& known = tokens_[identity];
  auto token = known.lock();
  if (token == nullptr) known = token = std::make_shared<SharedToken>();
  return token;
}

}  // namespace llmgw::gateway
