// When an HTTP/2 session has waited long enough: for settings, a head, a request, an answer to its PING.
#include <nghttp2/nghttp2.h>

#include <algorithm>

#include "http/client.h"
#include "http/h2_session.h"

namespace llmgw::http {

using base::ErrorCode;
using base::Instant;

namespace {

// How long we wait for the reader to find out why the peer does not take our bytes.
constexpr base::Duration kReadAfterBrokenWrite = std::chrono::seconds(1);

}  // namespace

bool H2Session::overdue(Instant since, base::Duration limit) const {
  return since != base::kNever && limit != H2Timeouts::kForever && loop().now() - since >= limit;
}

Instant H2Session::next_deadline() const {
  const H2Timeouts limits = timeouts();
  Instant deadline = loop().now() + limits.ping;
  const auto consider = [&deadline](Instant since, base::Duration limit) {
    if (since != base::kNever && limit != H2Timeouts::kForever) deadline = std::min(deadline, since + limit);
  };
  if (!settings_acked_ || !settings_received_) consider(started_at_, limits.settings);
  consider(head_begun_at_, limits.header);
  consider(write_broken_at_, kReadAfterBrokenWrite);
  if (streams() == 0) {
    consider(idle_since_, limits.idle);
  } else if (ping_sent_at_ != base::kNever) {
    consider(ping_sent_at_, limits.ping_ack);
  } else {
    consider(last_received_, limits.ping);
  }
  return deadline;
}

bool H2Session::check_deadlines() {
  const H2Timeouts limits = timeouts();
  if (overdue(write_broken_at_, kReadAfterBrokenWrite)) {
    fail(error_);
    return false;
  }
  if ((!settings_acked_ || !settings_received_) && overdue(started_at_, limits.settings)) {
    error_ = {ErrorCode::deadline_exceeded, kNoHttp2Settings, 0};
    terminate(H2Error::settings_timeout);
    return false;
  }
  if (overdue(head_begun_at_, limits.header)) {
    error_ = {ErrorCode::deadline_exceeded, "HTTP/2 head", 0};
    terminate(H2Error::enhance_your_calm);
    return false;
  }
  if (streams() == 0) {
    if (!overdue(idle_since_, limits.idle)) return true;
    terminate(H2Error::no_error);
    return false;
  }
  if (ping_sent_at_ != base::kNever) {
    if (!overdue(ping_sent_at_, limits.ping_ack)) return true;
    fail({ErrorCode::reset, "HTTP/2 peer does not answer PING", 0});
    return false;
  }
  if (overdue(last_received_, limits.ping)) {
    ping_sent_at_ = loop().now();
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
    flush();
  }
  return true;
}

}  // namespace llmgw::http
