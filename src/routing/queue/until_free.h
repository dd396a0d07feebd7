// When a group's instances may take a call again: what a call that nobody takes is told in Retry-After, and whether it
// is worth waiting for. Pure but for reading the shared states. Any thread.
#pragma once

#include <optional>
#include <span>

#include "routing/policy/policy.h"

namespace llmgw::routing {

// How long the instance asks to be left alone, by this model or at all; 0: it does not.
base::Duration pause_of(const InstanceTable& instances, const Candidate& candidate, base::Instant now);
// Until the first of them that all ask to be left alone may be called; 0: one does not.
base::Duration pause_of_all(const InstanceTable& instances, std::span<const Candidate> candidates, base::Instant now);
// Whether the instance, and this model there, are up or on their way back.
bool is_well(const InstanceTable& instances, const Candidate& candidate, const HealthOptions& options,
             base::Instant now);
// Whether one of them is well, wants calls, is not excluded, and does not ask to be left alone.
bool any_well(const InstanceTable& instances, std::span<const Candidate> candidates, const HealthOptions& options,
              base::Instant now);
// Until the first of them may be called: those that are out or paused then, those that are full when a place is likely
// to be free. From a second to ten minutes. Nothing: nobody can tell, or one may be called already.
std::optional<base::Duration> until_free(const InstanceTable& instances, std::span<const Candidate> candidates,
                                         base::Instant now);

// What a call is told that has waited there in vain, displaced or for too long, and is in no account any more: as one
// is that comes now and finds the line full.
base::Duration retry_after_wait(const InstanceTable& instances, const Candidate& candidate, base::Instant now);

}  // namespace llmgw::routing
