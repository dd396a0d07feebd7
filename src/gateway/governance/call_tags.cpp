// The tags of a call: where they come from, and what the client is told of those left out.
#include <string>
#include <utility>

#include "chat/warning.h"
#include "control/snapshot.h"
#include "gateway/call/call.h"

namespace llmgw::gateway {
namespace {

constexpr std::string_view kTagsHeader = "x-llm-gateway-tags";
// What the ledger's records of mirrored calls are known by.
constexpr std::string_view kMirrorTag = "mirror";

std::string too_many(size_t tags) {
  return std::to_string(tags) + " tags are too many or too long: a call has " + std::to_string(kTagsMax) +
         " of at most " + std::to_string(kTagBytesMax) + " bytes, " + std::to_string(kTagTextBytesMax) + " in all";
}

}  // namespace

// The gateway's own first, then what the caller says.
TagList Call::tags(TagsLeftOut* left_out) {
  TagList all(arena_);
  if (kind_ == Kind::mirror) all.add(kMirrorTag);
  for (const std::string& tag : principal_->tags) all.add(tag);
  const size_t own = all.left_out();
  all.add(exchange_.head().headers.value(kTagsHeader));
  const size_t with_header = all.left_out();
  all.add(peek_.metadata_tags);
  if (left_out != nullptr) {
    *left_out = {.header = with_header - own, .metadata = all.left_out() - with_header + peek_.metadata_tags_left_out};
  }
  return all;
}

void Call::warn_of_tags(http::Headers& headers) {
  const bool any = !exchange_.head().headers.value(kTagsHeader).empty() || !peek_.metadata_tags.empty() ||
                   peek_.metadata_tags_left_out != 0;
  if (!any || !admitted_ || kind_ != Kind::ordinary) return;
  TagsLeftOut left_out;
  (void)tags(&left_out);
  if (left_out.header == 0 && left_out.metadata == 0) return;
  chat::Warnings warnings(arena_, match_.dialect);
  for (const auto& [field, count] :
       {std::pair(kTagsHeader, left_out.header), std::pair(std::string_view("metadata"), left_out.metadata)}) {
    if (count != 0) warnings.dropped(field, too_many(count));
  }
  headers.append(kWarningsHeader, arena_.copy(warnings.header()));
}

}  // namespace llmgw::gateway
