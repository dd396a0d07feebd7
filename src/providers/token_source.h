// When a bearer token is fetched, refreshed and thrown away: a state machine without I/O, to which time is passed in.
// One flight at a time, however many calls want the token; refreshed before it expires, so that calls wait only for the
// very first. One thread at a time.
//
//   switch (source.ask(now)) {
//     case Step::use:              send source.header()
//     case Step::use_and_refresh:  the same, and start a fetch
//     case Step::fetch:            start a fetch and wait for it
//     case Step::wait:             one is under way
//     case Step::failed:           give up: source.error()
//   }
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "base/time.h"

namespace llmgw::providers {

// Long enough for several tries before the old token ends; tokens last an hour.
inline constexpr base::Duration kTokenRefreshBefore = std::chrono::minutes(5);
// A token must outlive the way to the provider, and clocks that differ a little.
inline constexpr base::Duration kTokenUnusableBefore = std::chrono::seconds(30);
// A token refused so soon after it was fetched is not the reason: a new one would be refused as well.
inline constexpr base::Duration kTokenTrustedFor = std::chrono::seconds(2);
// Between failed fetches: doubling from the first to the last.
inline constexpr base::Duration kTokenRetryFirst = std::chrono::seconds(1);
inline constexpr base::Duration kTokenRetryLast = std::chrono::seconds(60);

class TokenSource {
 public:
  enum class Step : uint8_t { use, use_and_refresh, fetch, wait, failed };

  // What to do for a call at hand. `fetch` and `use_and_refresh` count as started.
  Step ask(base::Instant now);
  // The fetch has ended.
  void succeeded(const base::Secret& token, base::Duration lifetime, base::Instant now);
  void failed(const base::Error& error, base::Instant now);
  // The fetch was given up, for no fault of the token endpoint's: the next ask() may begin another at once.
  void abandoned();
  // The provider answered 401 to this header value. True if asking again is worth while: there is a newer token, or the
  // next ask() fetches one.
  bool refused(std::string_view header, base::Instant now);

  // When ask() was `use` at `now`: until when it will be, if nothing happens meanwhile.
  base::Instant certain_until(base::Instant now) const;

  // "Bearer ...", empty when there is none.
  const base::Secret& header() const { return header_; }
  const base::Error& error() const { return error_; }

 private:
  base::Secret header_;
  base::Instant fetched_at_{};
  base::Instant refresh_at_{};
  base::Instant unusable_at_{};
  base::Instant retry_at_{};
  base::Duration retry_after_ = kTokenRetryFirst;
  base::Error error_{};
  bool fetching_ = false;
};

}  // namespace llmgw::providers
