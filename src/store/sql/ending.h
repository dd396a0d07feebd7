// How long the databases may keep a process that ends, or a thread that has better to do.
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

// While it lives no wait of this thread for a PostgreSQL lasts beyond its limit: for what may as well not be done. A
// session that it cut short is broken. One at a time for each thread.
class AtMost {
 public:
  explicit AtMost(base::Duration limit);
  ~AtMost();
  AtMost(const AtMost&) = delete;
  AtMost& operator=(const AtMost&) = delete;
};

}  // namespace llmgw::store
