// Metric cells. Each writing thread owns a Shard: plain 64-bit cells that only it writes (a relaxed load and a relaxed
// store, no read-modify-write), and that a scraper on another thread reads and sums. A series (family and label values)
// has the same place in every shard, so counters survive a reload: the same labels find the same cells again.
//
// Registry: any thread; registering takes a mutex and may allocate, so it is done at configuration time or once per
// label set and worker (see worker_metrics.h). Nothing here may throw but for want of memory. The registry outlives
// every handle.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "telemetry/families.h"

namespace llmgw::telemetry {

// Series per family before new label sets become "other". Counters cost 8 bytes a worker; a histogram 0.7 KB and some
// 25 lines of exposition, so fewer of them are kept.
inline constexpr uint32_t kCounterSeriesMax = 8192;
inline constexpr uint32_t kHistogramSeriesMax = 1024;
// Series of a family beyond its limit: combinations of closed labels (endpoint × error type) of the "other" series.
inline constexpr uint32_t kOtherSeriesMax = 1024;
inline constexpr size_t kLabelBytesMax = 128;  // longer values are cut: a label is a name, not a document
inline constexpr std::string_view kOther = "other";
inline constexpr std::string_view kNone = "none";  // the value of a label that does not apply

using Cell = std::atomic<uint64_t>;
using LabelValues = std::span<const std::string_view>;

inline void add_to_cell(Cell& cell, uint64_t amount) {
  cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

// The handles are values; only the shard's own thread may write through them. A default-constructed one must not be
// used.
class Counter {
 public:
  Counter() = default;
  explicit Counter(Cell* cell) : cell_(cell) {}
  explicit operator bool() const { return cell_ != nullptr; }
  void add(uint64_t amount = 1) const { add_to_cell(*cell_, amount); }
  uint64_t value() const { return cell_->load(std::memory_order_relaxed); }

 private:
  Cell* cell_ = nullptr;
};

// Absent until set. The cell keeps the value with its sign bit flipped, so that a fresh cell (0) reads as absent.
class Gauge {
 public:
  static constexpr uint64_t kSignBit = uint64_t{1} << 63;

  Gauge() = default;
  explicit Gauge(Cell* cell) : cell_(cell) {}
  explicit operator bool() const { return cell_ != nullptr; }
  void set(int64_t value) const { cell_->store(static_cast<uint64_t>(value) ^ kSignBit, std::memory_order_relaxed); }
  void add(int64_t amount) const { set(value().value_or(0) + amount); }
  void clear() const { cell_->store(0, std::memory_order_relaxed); }
  std::optional<int64_t> value() const { return decode(cell_->load(std::memory_order_relaxed)); }
  static std::optional<int64_t> decode(uint64_t raw) {
    if (raw == 0) return std::nullopt;
    return static_cast<int64_t>(raw ^ kSignBit);
  }

 private:
  Cell* cell_ = nullptr;
};

class Histogram {
 public:
  Histogram() = default;
  Histogram(Cell* cells, const HistogramLayout* layout) : cells_(cells), layout_(layout) {}
  explicit operator bool() const { return cells_ != nullptr; }
  void record(base::Duration duration) const {
    const auto ns = static_cast<uint64_t>(duration.count() < 0 ? 0 : duration.count());
    add_to_cell(cells_[layout_->index(ns)], 1);
    Cell* sum = cells_ + layout_->bucket_count();
    const uint64_t low = sum[0].load(std::memory_order_relaxed) + ns;
    if (low < ns) [[unlikely]]  // 584 years of summed time: 42 days of 5,000 streams at once
      add_to_cell(sum[1], 1);
    sum[0].store(low, std::memory_order_relaxed);
  }

 private:
  Cell* cells_ = nullptr;
  const HistogramLayout* layout_ = nullptr;
};

// One family with one set of label values. Immutable; lives as long as the registry.
struct Series {
  const Family* family;
  std::vector<std::string> values;
  uint32_t offset;   // of its first cell in every shard
  bool is_overflow;  // stands for label sets that found the family full
};

class Registry;
class Reader;

// A writing thread's cells. Made by Registry::add_shard, owned by it, written by one thread.
class Shard {
 public:
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

 private:
  friend class Registry;
  friend class Reader;
  static constexpr uint32_t kBlockCells = 4096;  // 32 KB, a few pages touched at first
  explicit Shard(size_t block_count) : blocks_(block_count), owned_(block_count) {}

  // Null where this shard never had a series of the block.
  const Cell* find(uint32_t offset) const;
  Cell* obtain(uint32_t offset);  // under the registry's mutex

  std::vector<std::atomic<Cell*>> blocks_;
  std::vector<std::unique_ptr<Cell[]>> owned_;
};

// What a collector hands over at scrape time: values that live elsewhere (the process, the log writer).
struct CollectedSample {
  FamilyId family;
  std::vector<std::string> values;
  double value;
};
// Called on the scraping thread.
using Collector = std::function<void(std::vector<CollectedSample>&)>;

struct RegistryLimits {
  uint32_t counter_series = kCounterSeriesMax;  // also gauges
  uint32_t histogram_series = kHistogramSeriesMax;
};

class Registry {
 public:
  explicit Registry(RegistryLimits limits = {});
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Shard& add_shard();
  // Finds or registers. Values come in the order of the family's labels and are cut and made valid UTF-8. When the
  // family is full the answer is its overflow series. The reference stays valid.
  const Series& series(FamilyId family, LabelValues values);

  Counter counter(Shard& shard, const Series& series);
  Gauge gauge(Shard& shard, const Series& series);
  Histogram histogram(Shard& shard, const Series& series);
  template <class... Values>
  Counter counter(Shard& shard, FamilyId family, const Values&... values) {
    return counter(shard, series_of(family, values...));
  }
  template <class... Values>
  Gauge gauge(Shard& shard, FamilyId family, const Values&... values) {
    return gauge(shard, series_of(family, values...));
  }
  template <class... Values>
  Histogram histogram(Shard& shard, FamilyId family, const Values&... values) {
    return histogram(shard, series_of(family, values...));
  }

  void add_collector(Collector collector);

  // What the collectors and the registry itself have to say at this moment. Any thread.
  std::vector<CollectedSample> collect() const;

 private:
  struct FamilyState {
    std::vector<const Series*> series;
    uint64_t overflows = 0;
  };

  template <class... Values>
  const Series& series_of(FamilyId family, const Values&... values) {
    const std::array<std::string_view, sizeof...(Values)> list{std::string_view(values)...};
    return series(family, list);
  }
  uint32_t series_max(const Family& family) const;
  const Series* find_or_add(const Family& family, LabelValues values, uint32_t limit, bool is_overflow);
  uint32_t allocate_cells(uint32_t count);
  Cell* cells(Shard& shard, const Series& series, Kind kind);

  friend class Reader;

  const RegistryLimits limits_;
  size_t block_count_ = 0;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<Series> all_;
  std::unordered_map<std::string, const Series*> index_;
  std::array<FamilyState, kFamilyCount> families_;
  std::vector<std::unique_ptr<Shard>> shards_;
  uint32_t next_cell_ = 0;

  mutable std::mutex collectors_mutex_;  // guards collectors_, held while they run
  std::vector<Collector> collectors_;
};

// Sums the shards that exist when it is made. Any thread, beside the writers; the registry's mutex is held only to copy
// lists.
class Reader {
 public:
  explicit Reader(const Registry& registry);

  std::vector<const Series*> list(FamilyId family) const;
  uint64_t counter(const Series& series) const;
  std::optional<int64_t> gauge(const Series& series) const;  // nothing if no worker has set it
  HistogramData histogram(const Series& series) const;
  // Over all series of a family.
  uint64_t counter_total(FamilyId family) const;
  std::optional<int64_t> gauge_total(FamilyId family) const;
  HistogramData histogram_total(FamilyId family) const;

 private:
  const Registry* registry_;
  std::vector<const Shard*> shards_;
};

// At most kLabelBytesMax bytes, cut between characters; bytes that are not UTF-8 become '?'.
std::string clean_label_value(std::string_view value);

}  // namespace llmgw::telemetry
