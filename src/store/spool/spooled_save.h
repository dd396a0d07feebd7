// What is to be saved of a response, as bytes for the spool: netstring-like fields after a line that says what it is.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/responses.h"

namespace llmgw::store {

struct SpooledSave {
  enum class Kind : uint8_t {
    save,      // Responses::save
    complete,  // Responses::complete
  };
  Kind kind = Kind::save;
  std::string owner;
  int64_t now = 0;
  ResponseRecord record;
};

std::string write_spooled(const SpooledSave& save);
// protocol: it is none.
base::Result<SpooledSave> parse_spooled(std::string_view text);

// already_exists where it was done before: to do it again changes nothing.
base::Result<void> apply(Responses& responses, const SpooledSave& save);

}  // namespace llmgw::store
