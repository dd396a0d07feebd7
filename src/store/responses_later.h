// For jobs of a ResponsesStore, on its thread: what could not be saved because the database is away, hangs or has no
// room is saved when it can be.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"
#include "store/responses.h"

namespace llmgw::store {

// A minute's worth of large answers. They are lost if the process ends before the database is back.
inline constexpr size_t kLaterBytesMax = size_t{64} << 20;
inline constexpr size_t kLaterJobsMax = 10'000;

// Tries now, unless `responses` is null; later, in the order of the calls, where that may help. True: it is saved;
// false: it will be. `bytes`: what it takes in memory.
base::Result<bool> save_now_or_later(Responses* responses, size_t bytes,
                                     std::move_only_function<base::Result<void>(Responses&)> save);

}  // namespace llmgw::store
