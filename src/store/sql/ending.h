// How long the databases may keep a process that ends.
#pragma once

#include "base/time.h"

namespace llmgw::store {

// The process is about to end. While one of these lives no wait for a PostgreSQL, on any thread, lasts beyond its
// limit, whatever limits the sessions have: a database that is frozen must not keep a process that nobody uses any
// more. What waits then fails with deadline_exceeded. One at a time; the thread that ends the process.
class EndingSoon {
 public:
  explicit EndingSoon(base::Duration limit);
  ~EndingSoon();
  EndingSoon(const EndingSoon&) = delete;
  EndingSoon& operator=(const EndingSoon&) = delete;
};

}  // namespace llmgw::store
