#include "telemetry/format_checkers.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "telemetry/utf8.h"

namespace llmgw::telemetry {
namespace {

using Complaint = std::optional<std::string>;

class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const { return rest_; }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  template <class Predicate>
  std::string_view take_while(Predicate accepts) {
    size_t count = 0;
    while (count < rest_.size() && accepts(rest_[count])) ++count;
    return take_bytes(count);
  }
  std::string_view take_bytes(size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool read_escape(Cursor& in, std::string& value) {
  if (in.take("u00")) {
    const std::string_view digits = in.take_bytes(2);
    unsigned code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return false;
    value.push_back(static_cast<char>(code));
    return code < 0x80;
  }
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  const std::string_view name = in.take_bytes(1);
  const size_t index = name.empty() ? std::string_view::npos : kNames.find(name[0]);
  if (index == std::string_view::npos) return false;
  value.push_back(kValues[index]);
  return true;
}

bool read_json_string(Cursor& in, std::string& value) {
  if (!in.take("\"")) return false;
  while (!in.take("\"")) {
    if (in.take("\\")) {
      if (!read_escape(in, value)) return false;
      continue;
    }
    const size_t bytes = utf8_character_bytes(in.rest());
    if (bytes == 0 || static_cast<unsigned char>(in.peek()) < 0x20) return false;
    value.append(in.take_bytes(bytes));
  }
  return true;
}

bool read_json_number(Cursor& in, std::string& value) {
  const std::string_view start = in.rest();
  in.take("-");
  if (!in.take("0") && in.take_while(is_digit).empty()) return false;
  if (in.take(".") && in.take_while(is_digit).empty()) return false;
  if (in.take("e") || in.take("E")) {
    if (!in.take("+")) in.take("-");
    if (in.take_while(is_digit).empty()) return false;
  }
  value = start.substr(0, start.size() - in.rest().size());
  return true;
}

bool read_json_value(Cursor& in, std::string& value) {
  if (in.peek() == '"') return read_json_string(in, value);
  for (const std::string_view word : {"true", "false", "null"}) {
    if (!in.take(word)) continue;
    value = word;
    return true;
  }
  return read_json_number(in, value);
}

Complaint complain(std::string_view what, std::string_view where) {
  return std::string(what) + ": " + std::string(where.substr(0, 120));
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == ':';
}

bool read_label_value(Cursor& in, std::string& value) {
  if (!in.take("\"")) return false;
  while (!in.take("\"")) {
    if (in.take("\\\\"))
      value.push_back('\\');
    else if (in.take("\\\""))
      value.push_back('"');
    else if (in.take("\\n"))
      value.push_back('\n');
    else if (const size_t bytes = utf8_character_bytes(in.rest()); bytes && in.peek() != '\n' && in.peek() != '\\')
      value.append(in.take_bytes(bytes));
    else
      return false;
  }
  return true;
}

bool read_value(std::string_view text, double& value) {
  if (text == "+Inf" || text == "-Inf") {
    value = text[0] == '+' ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
    return true;
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Complaint read_sample(std::string_view line, ExpositionSample& sample) {
  Cursor in(line);
  sample.name = in.take_while(is_name_byte);
  if (sample.name.empty() || is_digit(sample.name[0])) return complain("no metric name", line);
  if (in.take("{")) {
    do {
      const std::string name(in.take_while([](char c) { return is_name_byte(c) && c != ':'; }));
      std::string value;
      if (name.empty() || !in.take("=") || !read_label_value(in, value)) return complain("bad label", line);
      if (!sample.labels.emplace(name, value).second) return complain("label twice", line);
    } while (in.take(","));
    if (!in.take("}")) return complain("labels not closed", line);
  }
  if (!in.take(" ") || !read_value(in.rest(), sample.value)) return complain("bad value", line);
  return std::nullopt;
}

// Reads line by line and knows the family the lines belong to.
class ExpositionChecker {
 public:
  explicit ExpositionChecker(ExpositionText& parsed) : parsed_(parsed) {}

  Complaint line(std::string_view line) {
    if (line.starts_with("# HELP ")) return help(line);
    if (line.starts_with("# TYPE ")) return type(line);
    if (line.empty() || line.starts_with('#')) return complain("unexpected line", line);
    ExpositionSample sample;
    if (auto complaint = read_sample(line, sample)) return complaint;
    return check_sample(std::move(sample), line);
  }
  Complaint finish() {
    if (!family_.empty() && !has_samples_) return complain("family without samples", family_);
    return open_buckets_.empty() ? std::nullopt : complain("histogram without _count", family_);
  }

 private:
  Complaint help(std::string_view line) {
    if (auto complaint = finish()) return complaint;
    Cursor in(line.substr(7));
    family_ = in.take_while(is_name_byte);
    if (family_.empty() || !in.take(" ")) return complain("bad HELP", line);
    type_.clear();
    has_samples_ = false;
    return std::nullopt;
  }
  Complaint type(std::string_view line) {
    Cursor in(line.substr(7));
    const std::string name(in.take_while(is_name_byte));
    if (name != family_ || !in.take(" ")) return complain("TYPE without its HELP", line);
    type_ = in.rest();
    if (type_ != "counter" && type_ != "gauge" && type_ != "histogram") return complain("bad type", line);
    if (!parsed_.types.emplace(name, type_).second) return complain("family twice", line);
    return std::nullopt;
  }
  Complaint check_sample(ExpositionSample sample, std::string_view line) {
    if (type_.empty()) return complain("sample without TYPE", line);
    has_samples_ = true;
    if (!seen_.insert({sample.name, sample.labels}).second) return complain("series twice", line);
    if (type_ != "gauge" && !(sample.value >= 0)) return complain("negative", line);
    auto complaint = type_ == "histogram"     ? check_histogram(sample, line)
                     : sample.name == family_ ? std::nullopt
                                              : complain("sample of another family", line);
    parsed_.samples.push_back(std::move(sample));
    return complaint;
  }
  Complaint check_histogram(const ExpositionSample& sample, std::string_view line) {
    auto labels = sample.labels;
    if (sample.name == family_ + "_bucket") {
      double bound = 0;
      if (!labels.contains("le") || !read_value(labels["le"], bound)) return complain("bucket without le", line);
      labels.erase("le");
      Buckets& buckets = open_buckets_[labels];
      if (bound <= buckets.bound || sample.value < buckets.count) return complain("buckets not in order", line);
      buckets = {bound, sample.value};
      return std::nullopt;
    }
    const auto buckets = open_buckets_.find(labels);
    if (buckets == open_buckets_.end() || !std::isinf(buckets->second.bound)) return complain("no +Inf bucket", line);
    if (sample.name == family_ + "_sum") return std::nullopt;
    if (sample.name != family_ + "_count") return complain("sample of another family", line);
    if (sample.value != buckets->second.count) return complain("_count differs from +Inf", line);
    open_buckets_.erase(buckets);
    return std::nullopt;
  }

  struct Buckets {
    double bound = -1;
    double count = 0;
  };
  ExpositionText& parsed_;
  std::string family_;
  std::string type_;
  bool has_samples_ = false;
  std::set<std::pair<std::string, std::map<std::string, std::string>>> seen_;
  std::map<std::map<std::string, std::string>, Buckets> open_buckets_;
};

}  // namespace

std::optional<std::string> check_json_object(std::string_view text, std::map<std::string, std::string>& fields) {
  Cursor in(text);
  if (!in.take("{")) return complain("not an object", text);
  if (!in.take("}")) {
    do {
      std::string name;
      std::string value;
      if (!read_json_string(in, name) || !in.take(":") || !read_json_value(in, value))
        return complain("bad member", in.rest());
      if (!fields.emplace(name, value).second) return complain("name twice", name);
    } while (in.take(","));
    if (!in.take("}")) return complain("object not closed", in.rest());
  }
  return in.done() ? std::nullopt : complain("something follows", in.rest());
}

std::optional<std::string> check_exposition(std::string_view text, ExpositionText& parsed) {
  ExpositionChecker checker(parsed);
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return complain("last line has no line feed", text);
    if (auto complaint = checker.line(text.substr(0, end))) return complaint;
    text.remove_prefix(end + 1);
  }
  return checker.finish();
}

}  // namespace llmgw::telemetry
