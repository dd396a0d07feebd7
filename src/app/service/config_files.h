// What a configuration names outside of itself and a gateway opens before it serves: certificates, authorities, the
// log, the data directory. `config validate`, a start and a reload look at them with the same loaders and say the same.
// Nothing is made or written. Control thread and command line.
#pragma once

#include <string>

#include "base/time.h"
#include "control/config.h"
#include "control/config_error.h"

namespace llmgw::app {

// Certificates, keys and authorities that no TLS can be spoken with. Files that are not there have been reported by
// load_config.
void check_tls_files(const control::Config& file, control::ConfigErrors& errors);

// log.output, if nothing can be written there.
void check_log_output(const control::Config& file, control::ConfigErrors& errors);

// Certificates whose time is over or has not come: doubts, since the clock may be wrong, and they can be renewed while
// the gateway runs. `now` is the wall clock's.
void doubt_certificates(const control::Config& file, base::WallTime now, control::ConfigErrors& doubts);

// server.data_dir, if this user can neither write there nor make it: a doubt, as another user may serve.
void doubt_data_dir(const control::Config& file, control::ConfigErrors& doubts);

}  // namespace llmgw::app
