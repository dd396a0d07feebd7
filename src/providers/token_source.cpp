#include "providers/token_source.h"

#include <algorithm>
#include <string>

namespace llmgw::providers {

TokenSource::Step TokenSource::ask(base::Instant now) {
  const bool usable = !header_.empty() && now < unusable_at_;
  if (usable && (now < refresh_at_ || fetching_ || now < retry_at_)) return Step::use;
  if (!usable && fetching_) return Step::wait;
  if (!usable && now < retry_at_) return Step::failed;
  fetching_ = true;
  return usable ? Step::use_and_refresh : Step::fetch;
}

void TokenSource::succeeded(const base::Secret& token, base::Duration lifetime, base::Instant now) {
  header_ = base::Secret("Bearer " + std::string(token.reveal()));
  fetched_at_ = now;
  // A short-lived token is refreshed after half its life.
  refresh_at_ = now + std::max(lifetime - kTokenRefreshBefore, lifetime / 2);
  unusable_at_ = now + std::max(lifetime - kTokenUnusableBefore, lifetime / 2);
  retry_at_ = {};
  retry_after_ = kTokenRetryFirst;
  fetching_ = false;
}

void TokenSource::failed(const base::Error& error, base::Instant now) {
  error_ = error;
  retry_at_ = now + retry_after_;
  retry_after_ = std::min(retry_after_ * 2, kTokenRetryLast);
  fetching_ = false;
}

void TokenSource::abandoned() {
  fetching_ = false;
}

base::Instant TokenSource::certain_until(base::Instant now) const {
  if (fetching_) return unusable_at_;
  return std::min(now < refresh_at_ ? refresh_at_ : retry_at_, unusable_at_);
}

bool TokenSource::refused(std::string_view header, base::Instant now) {
  if (header != header_.reveal()) return true;
  if (now - fetched_at_ < kTokenTrustedFor) return false;
  unusable_at_ = now;
  return true;
}

}  // namespace llmgw::providers
