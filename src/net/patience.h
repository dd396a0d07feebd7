// How slow a peer may take what waits for it. A value of one task; no I/O, time comes as an argument.
#pragma once

#include <cstddef>

#include "base/time.h"

namespace llmgw::net {

// Less than this in a write timeout is no reading at all. Well under the leaps in which TCP tells of a reader: it opens
// its window again by a segment at least, by 64 KiB on loopback (RFC 9293, section 3.8.6.2.2).
inline constexpr size_t kLeastTaken = 4 * 1024;

// The deadline of a write of many steps: `limit` from the start, and from every step by which kLeastTaken more is
// taken.
class Patience {
 public:
  Patience(base::Duration limit, base::Instant now) : limit_(limit), deadline_(now + limit) {}
  base::Instant deadline() const { return deadline_; }
  void took(size_t bytes, base::Instant now) {
    taken_ += bytes;
    if (taken_ < kLeastTaken) return;
    taken_ = 0;
    deadline_ = now + limit_;
  }

 private:
  base::Duration limit_;
  base::Instant deadline_;
  size_t taken_ = 0;
};

}  // namespace llmgw::net
