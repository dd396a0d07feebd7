#include "routing/model_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/text.h"
#include "routing/pattern.h"

namespace llmgw::routing {
namespace {

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Multiply-and-fold over words of eight bytes. The names in the table are the operator's own, so it need not resist
// chosen collisions: a client's name is only looked up, never inserted.
uint64_t hash(std::string_view text) {
  constexpr uint64_t kA = 0x9E3779B97F4A7C15;
  constexpr uint64_t kB = 0xD6E8FEB86659FD93;
  uint64_t state = kA ^ text.size();
  const char* p = text.data();
  size_t left = text.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    state = mix(state ^ word, kB);
  }
  uint64_t word = 0;
  std::memcpy(&word, p, left);
  return mix(state ^ word, kB ^ left);
}

bool has_owner(std::span<const Target> targets, std::string_view owned_by) {
  return std::any_of(targets.begin(), targets.end(),
                     [owned_by](const Target& target) { return target.owned_by == owned_by; });
}

}  // namespace

base::Result<ModelTable> ModelTable::build(std::span<const ModelEntry> entries) {
  using base::ErrorCode;
  if (entries.size() > kEntriesMax) return base::fail(ErrorCode::too_large, "too many models");
  ModelTable table;
  size_t bytes = 0;
  for (const auto& entry : entries) {
    if (entry.name.empty()) return base::fail(ErrorCode::invalid_argument, "a model's name is empty");
    if (entry.name.size() > kNameBytesMax) return base::fail(ErrorCode::invalid_argument, "a model's name is too long");
    bytes += entry.name.size() + entry.owned_by.size();
  }
  table.text_.reserve(bytes);
  const auto keep = [&table](std::string_view text) {
    const char* start = table.text_.data() + table.text_.size();
    table.text_.insert(table.text_.end(), text.begin(), text.end());
    return std::string_view(start, text.size());
  };

  // Equal names come together, each in the order given; then exact names keep their order, patterns go by precedence.
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int names = entries[a].name.compare(entries[b].name);
    return names != 0 ? names < 0 : a < b;
  });
  struct Run {
    size_t start, end;  // in `order`
  };
  std::vector<Run> runs;
  for (size_t start = 0; start < order.size();) {
    size_t end = start + 1;
    while (end < order.size() && entries[order[end]].name == entries[order[start]].name) ++end;
    runs.push_back({start, end});
    start = end;
  }
  std::sort(runs.begin(), runs.end(), [&](const Run& a, const Run& b) {
    const int precedence = compare_precedence(entries[order[a.start]].name, entries[order[b.start]].name);
    return precedence != 0 ? precedence < 0 : order[a.start] < order[b.start];
  });

  table.targets_.reserve(entries.size());
  table.groups_.reserve(runs.size());
  for (const auto& run : runs) {
    const size_t first = table.targets_.size();
    for (size_t i = run.start; i < run.end; ++i) {
      table.targets_.push_back({entries[order[i]].id, keep(entries[order[i]].owned_by)});
    }
    const std::string_view name = keep(entries[order[run.start]].name);
    table.groups_.push_back({name, {table.targets_.data() + first, run.end - run.start}});
    if (!is_pattern(name)) ++table.exact_count_;
  }
  table.index_exact_names();
  return table;
}

void ModelTable::index_exact_names() {
  slots_.assign(std::bit_ceil(exact_count_ * 2 + 1), Slot{});
  const size_t mask = slots_.size() - 1;
  for (uint32_t group = 0; group < exact_count_; ++group) {
    const uint64_t key = hash(groups_[group].name);
    size_t slot = key & mask;
    while (slots_[slot].group != 0) slot = (slot + 1) & mask;
    slots_[slot] = {static_cast<uint32_t>(key >> 32), group + 1};
  }
}

std::optional<Group> ModelTable::lookup(std::string_view name, std::string_view owned_by) const {
  const uint64_t key = hash(name);
  const auto tag = static_cast<uint32_t>(key >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t slot = key & mask; slots_[slot].group != 0; slot = (slot + 1) & mask) {
    if (slots_[slot].tag != tag) continue;
    const Group& group = groups_[slots_[slot].group - 1];
    if (group.name != name) continue;
    if (owned_by.empty() || has_owner(group.targets, owned_by)) return group;
    break;
  }
  for (size_t i = exact_count_; i < groups_.size(); ++i) {
    const Group& group = groups_[i];
    if (matches(group.name, name) && (owned_by.empty() || has_owner(group.targets, owned_by))) return group;
  }
  return std::nullopt;
}

namespace {

// Names of a 404 are compared letter by letter only within these bounds, so that no request costs more than about 100
// µs.
constexpr size_t kComparedNamesMax = 512;
constexpr size_t kComparedBytesMax = 64;
// A typing error or two; more would suggest other models.
constexpr size_t kNearDistance = 3;
constexpr size_t kFar = SIZE_MAX;

// The edit distance, or more than kNearDistance if it is more. Only cells near the diagonal can lie on a short way.
size_t distance(std::string_view a, std::string_view b) {
  std::array<uint8_t, kComparedBytesMax + 2> row;
  std::iota(row.begin(), row.end(), uint8_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    const size_t first = i > kNearDistance ? i - kNearDistance : 1;
    const size_t last = std::min(b.size(), i + kNearDistance);
    uint8_t diagonal = row[first - 1];
    row[first - 1] = static_cast<uint8_t>(first == 1 ? i : kNearDistance + 1);
    for (size_t j = first; j <= last; ++j) {
      const uint8_t above = j == i + kNearDistance ? uint8_t{kNearDistance + 1} : row[j];
      const int change = base::to_lower(a[i - 1]) == base::to_lower(b[j - 1]) ? 0 : 1;
      row[j] = static_cast<uint8_t>(std::min({above + 1, row[j - 1] + 1, diagonal + change}));
      diagonal = above;
    }
  }
  return row[b.size()];
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char x, char y) { return base::to_lower(x) == base::to_lower(y); }) != text.end();
}

// 0 is the same name; parts of each other come behind typing errors.
size_t farness(std::string_view asked, std::string_view name) {
  constexpr size_t kShortestPart = 3;
  if (asked.size() > kComparedBytesMax || name.size() > kComparedBytesMax) return kFar;
  const size_t difference = std::max(asked.size(), name.size()) - std::min(asked.size(), name.size());
  if (difference <= kNearDistance) {
    const size_t edits = distance(asked, name);
    if (edits <= std::min(kNearDistance, asked.size() / 2)) return edits;
  }
  const bool part = (asked.size() >= kShortestPart && contains_ignoring_case(name, asked)) ||
                    (name.size() >= kShortestPart && contains_ignoring_case(asked, name));
  return part ? kNearDistance + 1 + difference : kFar;
}

}  // namespace

std::vector<std::string_view> ModelTable::suggest(std::string_view name, size_t count,
                                                  std::span<const std::string_view> patterns) const {
  struct Candidate {
    size_t farness;
    size_t position;
    std::string_view name;
  };
  std::vector<Candidate> candidates;
  const size_t examined = std::min(exact_count_, kComparedNamesMax);
  for (size_t i = 0; i < examined; ++i) {
    if (allowed(patterns, groups_[i].name)) candidates.push_back({farness(name, groups_[i].name), i, groups_[i].name});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.farness != b.farness ? a.farness < b.farness : a.position < b.position;
  });
  const bool any_near = !candidates.empty() && candidates.front().farness != kFar;
  std::vector<std::string_view> names;
  for (const auto& candidate : candidates) {
    if (names.size() == count || (any_near && candidate.farness == kFar)) break;
    names.push_back(candidate.name);
  }
  return names;
}

}  // namespace llmgw::routing
