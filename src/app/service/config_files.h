// What a configuration names outside of itself and a gateway opens before it serves: certificates, authorities, the
// log, the data directory. `config validate`, a start and a reload look at them with the same loaders and say the same.
// Nothing is made or written. Control thread and command line.
#pragma once

#include <string>

#include "base/time.h"
#include "control/config.h"
#include "control/config_error.h"

namespace llmgw::app {

// What no gateway starts or reloads by, in the file's order: certificates, keys and authorities that no TLS can be
// spoken with (files that are not there have been reported by load_config), and log.output if nothing can be written
// there. A log that is written already is no reason to refuse a reload: its disk may have trouble, and a key has to go;
// `running`: the configuration in force, null if there is none.
control::ConfigErrors check_files(const control::Config& file, const control::Config* running = nullptr);

// Certificates whose time is over or has not come: doubts, since the clock may be wrong, and they can be renewed while
// the gateway runs. `now` is the wall clock's.
void doubt_certificates(const control::Config& file, base::WallTime now, control::ConfigErrors& doubts);

// server.data_dir, if this user can neither write there nor make it: a doubt, as another user may serve.
void doubt_data_dir(const control::Config& file, control::ConfigErrors& doubts);

}  // namespace llmgw::app
