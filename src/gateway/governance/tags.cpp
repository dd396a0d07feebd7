#include "gateway/governance/tags.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "json/utf8.h"

namespace llmgw::gateway {
namespace {

// Databases take no other text, and a report's lines stay lines.
bool is_tag(std::string_view text) {
  return text.size() <= kTagBytesMax && json::is_plain_text(text);
}

}  // namespace

void TagList::add(std::string_view tags) {
  while (!tags.empty()) {
    const size_t end = std::min(tags.find(','), tags.size());
    add_one(base::trim(tags.substr(0, end)));
    tags.remove_prefix(std::min(end + 1, tags.size()));
  }
}

void TagList::add_one(std::string_view tag) {
  const std::span known(tags_.data(), count_);
  if (tag.empty() || std::ranges::find(known, tag) != known.end()) return;
  if (count_ == kTagsMax || bytes_ + tag.size() > kTagTextBytesMax || !is_tag(tag)) {
    ++left_out_;
    return;
  }
  tags_[count_++] = tag;
  bytes_ += tag.size() + 1;
}

std::string_view TagList::text() const {
  const std::span<char> all = arena_.bytes(bytes_);
  char* end = all.data();
  for (size_t i = 0; i < count_; ++i) {
    end = std::ranges::copy(tags_[i], end).out;
    *end++ = ',';
  }
  // Without the last comma.
  return {all.data(), bytes_ - (count_ != 0 ? 1 : 0)};
}

}  // namespace llmgw::gateway
