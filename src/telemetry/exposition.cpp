#include "telemetry/exposition.h"

#include <charconv>
#include <cmath>

namespace llmgw::telemetry {
namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\\')
      out.append("\\\\");
    else if (c == '\n')
      out.append("\\n");
    else if (c == '"' && quotes)
      out.append("\\\"");
    else
      out.push_back(c);
  }
}

template <class Number>
void append_number(std::string& out, Number value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

void append_double(std::string& out, double value) {
  if (std::isnan(value))
    out.append("NaN");
  else if (std::isinf(value))
    out.append(value > 0 ? "+Inf" : "-Inf");
  else
    append_number(out, value);
}

// OpenMetrics wants a bound to look like a float ("1.0"); the shortest exact form serves both formats.
std::string bound_text(const HistogramLayout& layout, uint32_t bucket) {
  std::string text;
  append_number(text, static_cast<double>(layout.bound_ns(bucket)) / 1e9);
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

constexpr std::string_view kTotal = "_total";

// OpenMetrics names a counter's family without the suffix of its samples.
std::string_view head_name(const Family& family, ExpositionFormat format) {
  std::string_view name = family.name;
  if (format == ExpositionFormat::open_metrics && family.kind == Kind::counter && name.ends_with(kTotal))
    name.remove_suffix(kTotal.size());
  return name;
}

}  // namespace

std::string_view content_type(ExpositionFormat format) {
  return format == ExpositionFormat::prometheus ? "text/plain; version=0.0.4; charset=utf-8"
                                                : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

ExpositionFormat choose_format(std::string_view accept) {
  return accept.find("application/openmetrics-text") != std::string_view::npos ? ExpositionFormat::open_metrics
                                                                               : ExpositionFormat::prometheus;
}

void ExpositionWriter::head(const Family& family) {
  const std::string_view name = head_name(family, format_);
  out_.append("# HELP ").append(name).append(" ");
  append_escaped(out_, family.help, format_ == ExpositionFormat::open_metrics);
  out_.append("\n# TYPE ").append(name).append(" ").append(to_string(family.kind)).append("\n");
}

void ExpositionWriter::begin(const Family& family, std::string_view suffix, std::span<const std::string> values,
                             std::string_view le) {
  out_.append(family.name).append(suffix);
  char separator = '{';
  const auto label = [&](std::string_view name, std::string_view value) {
    out_.push_back(separator);
    separator = ',';
    out_.append(name).append("=\"");
    append_escaped(out_, value, true);
    out_.push_back('"');
  };
  for (size_t i = 0; i < values.size(); ++i) label(family.label_slots[i]->name, values[i]);
  if (!le.empty()) label("le", le);
  out_.append(separator == '{' ? " " : "} ");
}

void ExpositionWriter::sample(const Family& family, std::span<const std::string> values, uint64_t value) {
  begin(family, "", values, "");
  append_number(out_, value);
  out_.push_back('\n');
}

void ExpositionWriter::sample(const Family& family, std::span<const std::string> values, int64_t value) {
  begin(family, "", values, "");
  append_number(out_, value);
  out_.push_back('\n');
}

void ExpositionWriter::sample(const Family& family, std::span<const std::string> values, double value) {
  begin(family, "", values, "");
  append_double(out_, value);
  out_.push_back('\n');
}

void ExpositionWriter::histogram(const Family& family, std::span<const std::string> values, const HistogramData& data) {
  const HistogramLayout& layout = *data.layout;
  uint64_t cumulative = 0;
  for (uint32_t i = 0; i < layout.bound_count(); ++i) {
    cumulative += data.buckets[i];
    if (i % layout.exposed_step != 0) continue;
    begin(family, "_bucket", values, bound_text(layout, i));
    append_number(out_, cumulative);
    out_.push_back('\n');
  }
  cumulative += data.buckets[layout.bound_count()];
  begin(family, "_bucket", values, "+Inf");
  append_number(out_, cumulative);
  out_.push_back('\n');
  begin(family, "_sum", values, "");
  append_double(out_, data.sum_seconds());
  out_.push_back('\n');
  begin(family, "_count", values, "");
  append_number(out_, cumulative);
  out_.push_back('\n');
}

void ExpositionWriter::finish() {
  if (format_ == ExpositionFormat::open_metrics) out_.append("# EOF\n");
}

std::string render_metrics(const Registry& registry, ExpositionFormat format) {
  std::string out;
  ExpositionWriter writer(out, format);
  const Reader reader(registry);
  const std::vector<CollectedSample> collected = registry.collect();
  for (const Family& family : families()) {
    bool has_head = false;
    const auto begin_sample = [&] {
      if (!has_head) writer.head(family);
      has_head = true;
    };
    for (const Series* series : reader.list(family.id)) {
      if (family.kind == Kind::counter) {
        begin_sample();
        writer.sample(family, series->values, reader.counter(*series));
      } else if (family.kind == Kind::histogram) {
        begin_sample();
        writer.histogram(family, series->values, reader.histogram(*series));
      } else if (const auto value = reader.gauge(*series)) {
        begin_sample();
        writer.sample(family, series->values, *value);
      }
    }
    for (const CollectedSample& sample : collected) {
      if (sample.family != family.id) continue;
      begin_sample();
      writer.sample(family, sample.values, sample.value);
    }
  }
  writer.finish();
  return out;
}

}  // namespace llmgw::telemetry
