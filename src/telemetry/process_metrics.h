// What the process says about itself, read from the kernel at scrape time, and the configuration's reloads.
#pragma once

#include <string_view>

#include "base/time.h"
#include "telemetry/metrics.h"

namespace llmgw::telemetry {

// Adds CPU time, memory, descriptors, start time and version. Values the system does not tell are absent.
void add_process_metrics(Registry& registry, std::string_view version, base::WallTime started);

// One thread: control's.
class ReloadMetrics {
 public:
  explicit ReloadMetrics(Registry& registry);
  // The configuration loaded at start-up counts as neither; it sets the time.
  void loaded(base::WallTime now);
  void reload_succeeded(base::WallTime now);
  void reload_failed();
  // Of the server's certificate.
  void certificate_expires(base::WallTime when);
  // Of the store, which then serves by what was loaded last.
  void store_trouble(bool any);

 private:
  Counter success_;
  Counter failure_;
  Gauge last_reload_;
  Gauge certificate_expiry_;
  Gauge store_trouble_;
};

}  // namespace llmgw::telemetry
