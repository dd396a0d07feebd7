#include "telemetry/metrics.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "telemetry/utf8.h"

namespace llmgw::telemetry {
namespace {

// Unambiguous: every value is preceded by its length, which fits a byte.
static_assert(kLabelBytesMax < 256);
std::string series_key(const Family& family, const std::vector<std::string>& values) {
  std::string key(1, static_cast<char>(family.id));
  for (const std::string& value : values) {
    key.push_back(static_cast<char>(value.size()));
    key.append(value);
  }
  return key;
}

}  // namespace

std::string clean_label_value(std::string_view value) {
  std::string clean;
  while (!value.empty()) {
    const size_t bytes = utf8_character_bytes(value);
    const size_t taken = std::max<size_t>(bytes, 1);
    if (clean.size() + taken > kLabelBytesMax) break;
    if (bytes)
      clean.append(value.substr(0, bytes));
    else
      clean.push_back('?');
    value.remove_prefix(taken);
  }
  return clean;
}

const Cell* Shard::find(uint32_t offset) const {
  const Cell* block = blocks_[offset / kBlockCells].load(std::memory_order_acquire);
  return block ? block + offset % kBlockCells : nullptr;
}

Cell* Shard::obtain(uint32_t offset) {
  const size_t index = offset / kBlockCells;
  if (!owned_[index]) {
    owned_[index] = std::make_unique<Cell[]>(kBlockCells);
    blocks_[index].store(owned_[index].get(), std::memory_order_release);
  }
  return owned_[index].get() + offset % kBlockCells;
}

Registry::Registry(RegistryLimits limits) : limits_(limits) {
  uint64_t cells = 0;
  for (const Family& entry : families()) {
    const uint64_t most = entry.label_count() ? uint64_t{series_max(entry)} + kOtherSeriesMax + 1 : 1;
    cells += most * entry.cell_count();
  }
  // A series never straddles two blocks, so a block may end in a tail too short for the largest.
  block_count_ = cells / (Shard::kBlockCells - kBucketsMax - 2) + 1;
}

Registry::~Registry() = default;

Shard& Registry::add_shard() {
  const std::scoped_lock lock(mutex_);
  shards_.push_back(std::unique_ptr<Shard>(new Shard(block_count_)));
  return *shards_.back();
}

uint32_t Registry::series_max(const Family& family) const {
  return family.kind == Kind::histogram ? limits_.histogram_series : limits_.counter_series;
}

uint32_t Registry::allocate_cells(uint32_t count) {
  const uint32_t left = Shard::kBlockCells - next_cell_ % Shard::kBlockCells;
  if (left < count) next_cell_ += left;
  const uint32_t offset = next_cell_;
  next_cell_ += count;
  assert(next_cell_ <= block_count_ * Shard::kBlockCells);
  return offset;
}

const Series* Registry::find_or_add(const Family& family, LabelValues values, uint32_t limit, bool is_overflow) {
  std::vector<std::string> clean;
  clean.reserve(values.size());
  for (const std::string_view value : values) clean.push_back(clean_label_value(value));
  std::string key = series_key(family, clean);
  if (const auto found = index_.find(key); found != index_.end()) return found->second;
  FamilyState& state = families_[static_cast<size_t>(family.id)];
  if (state.series.size() >= limit) return nullptr;
  all_.push_back(Series{&family, std::move(clean), allocate_cells(family.cell_count()), is_overflow});
  state.series.push_back(&all_.back());
  index_.emplace(std::move(key), &all_.back());
  return &all_.back();
}

const Series& Registry::series(FamilyId id, LabelValues values) {
  const Family& entry = family(id);
  assert(values.size() == entry.label_count());
  const uint32_t limit = entry.label_count() ? series_max(entry) : 1;
  const std::scoped_lock lock(mutex_);
  if (const Series* found = find_or_add(entry, values, limit, false)) return *found;
  ++families_[static_cast<size_t>(id)].overflows;
  std::array<std::string_view, kLabelsMax> others;
  for (size_t i = 0; i < entry.label_count(); ++i) others[i] = entry.label_slots[i]->closed ? values[i] : kOther;
  const LabelValues closed_kept(others.data(), entry.label_count());
  if (const Series* found = find_or_add(entry, closed_kept, limit + kOtherSeriesMax, true)) return *found;
  others.fill(kOther);
  return *find_or_add(entry, closed_kept, limit + kOtherSeriesMax + 1, true);
}

Cell* Registry::cells(Shard& shard, const Series& series, [[maybe_unused]] Kind kind) {
  assert(series.family->kind == kind);
  const std::scoped_lock lock(mutex_);
  return shard.obtain(series.offset);
}

Counter Registry::counter(Shard& shard, const Series& series) {
  return Counter(cells(shard, series, Kind::counter));
}
Gauge Registry::gauge(Shard& shard, const Series& series) {
  return Gauge(cells(shard, series, Kind::gauge));
}
Histogram Registry::histogram(Shard& shard, const Series& series) {
  return Histogram(cells(shard, series, Kind::histogram), series.family->layout);
}

void Registry::add_collector(Collector collector) {
  const std::scoped_lock lock(collectors_mutex_);
  collectors_.push_back(std::move(collector));
}

std::vector<CollectedSample> Registry::collect() const {
  std::vector<CollectedSample> samples;
  {
    const std::scoped_lock lock(collectors_mutex_);
    for (const Collector& collector : collectors_) collector(samples);
  }
  const std::scoped_lock lock(mutex_);
  for (size_t i = 0; i < kFamilyCount; ++i)
    if (families_[i].overflows)
      samples.push_back(
          {FamilyId::series_overflow, {std::string(families()[i].name)}, static_cast<double>(families_[i].overflows)});
  return samples;
}

Reader::Reader(const Registry& registry) : registry_(&registry) {
  const std::scoped_lock lock(registry.mutex_);
  for (const auto& shard : registry.shards_) shards_.push_back(shard.get());
}

std::vector<const Series*> Reader::list(FamilyId family) const {
  const std::scoped_lock lock(registry_->mutex_);
  return registry_->families_[static_cast<size_t>(family)].series;
}

uint64_t Reader::counter(const Series& series) const {
  uint64_t total = 0;
  for (const Shard* shard : shards_)
    if (const Cell* cell = shard->find(series.offset)) total += cell->load(std::memory_order_relaxed);
  return total;
}

std::optional<int64_t> Reader::gauge(const Series& series) const {
  std::optional<int64_t> total;
  for (const Shard* shard : shards_) {
    const Cell* cell = shard->find(series.offset);
    const auto value = cell ? Gauge::decode(cell->load(std::memory_order_relaxed)) : std::nullopt;
    if (!value) continue;
    if (!total)
      total = value;
    else
      total = series.family->aggregation == Aggregation::min ? std::min(*total, *value) : *total + *value;
  }
  return total;
}

HistogramData Reader::histogram(const Series& series) const {
  HistogramData data;
  data.layout = series.family->layout;
  const uint32_t bucket_count = data.layout->bucket_count();
  for (const Shard* shard : shards_) {
    const Cell* cells = shard->find(series.offset);
    if (!cells) continue;
    for (uint32_t i = 0; i < bucket_count; ++i) data.buckets[i] += cells[i].load(std::memory_order_relaxed);
    const uint64_t high = cells[bucket_count + 1].load(std::memory_order_relaxed);
    data.sum_ns += (static_cast<unsigned __int128>(high) << 64) + cells[bucket_count].load(std::memory_order_relaxed);
  }
  return data;
}

uint64_t Reader::counter_total(FamilyId family) const {
  uint64_t total = 0;
  for (const Series* series : list(family)) total += counter(*series);
  return total;
}

std::optional<int64_t> Reader::gauge_total(FamilyId family) const {
  std::optional<int64_t> total;
  for (const Series* series : list(family))
    if (const auto value = gauge(*series)) total = total.value_or(0) + *value;
  return total;
}

HistogramData Reader::histogram_total(FamilyId family) const {
  HistogramData total;
  for (const Series* series : list(family)) total.add(histogram(*series));
  return total;
}

}  // namespace llmgw::telemetry
