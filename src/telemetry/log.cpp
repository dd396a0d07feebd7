#include "telemetry/log.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "telemetry/redact.h"

namespace llmgw::telemetry {
namespace {

constexpr size_t kNameBytesMax = 128;     // of keys, models, connections and ids in an access line
constexpr size_t kMessageBytesMax = 512;  // messages are constants; this guards against one that is not

constexpr std::array<std::string_view, kTokenTypeCount> kTokenFields{
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"};

}  // namespace

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
    case Level::off: return "off";
  }
  return "off";
}

std::optional<Level> parse_level(std::string_view name) {
  for (const Level level : {Level::debug, Level::info, Level::warn, Level::error, Level::off})
    if (name == to_string(level)) return level;
  return std::nullopt;
}

void Field::write(JsonLine& line) const {
  if (is_sensitive_name(name_)) return line.text(name_, kRedacted);
  switch (kind_) {
    case Kind::text: return line.text(name_, is_sensitive_value(text_) ? kRedacted : text_);
    case Kind::boolean: return line.boolean(name_, unsigned_ != 0);
    case Kind::unsigned_number: return line.number(name_, unsigned_);
    case Kind::signed_number: return line.number(name_, signed_);
    case Kind::real_number: return line.number(name_, real_);
    case Kind::duration: return line.milliseconds(name_, base::Duration(signed_));
    case Kind::error:
      line.text(name_, base::to_string(code_));
      if (!text_.empty()) line.text("context", text_);
      if (signed_ != 0) line.number("errno", signed_);
      return;
  }
}

LogControl::~LogControl() {
  if (event_descriptor_ >= 0) close(event_descriptor_);
}

base::Result<void> LogControl::open() {
  event_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (event_descriptor_ < 0) return base::fail(base::os_error(errno, "log writer: eventfd"));
  return {};
}

void LogControl::wake() {
  if (wake_pending_.load(std::memory_order_relaxed) || wake_pending_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  // It can only fail if the counter is full, and then the writer wakes anyway.
  [[maybe_unused]] const ssize_t written = ::write(event_descriptor_, &one, sizeof one);
}

void LogControl::acknowledge_wake() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t got = read(event_descriptor_, &count, sizeof count);
  wake_pending_.store(false, std::memory_order_release);
}

void Log::push(ByteRing& ring) {
  ring.push(line_.finish());
  const size_t half = ring.capacity() / 2;
  if (ring.filled_at_most() > half) [[unlikely]] {
    ring.refresh();
    if (ring.filled_at_most() > half) control_->wake();
  }
  // Without a fence this may miss a writer that is just falling asleep; it then wakes by itself (kSleepInterval).
  if (control_->asleep.load(std::memory_order_relaxed)) [[unlikely]]
    control_->wake();
}

void Log::begin(Level level, std::string_view message) {
  line_.clear();
  line_.text("ts", timestamp_.text(clock_(source_)));
  line_.text("level", to_string(level));
  line_.text("msg", message, kMessageBytesMax);
}

void Log::write_enabled(Level level, std::string_view message, std::initializer_list<Field> fields) {
  begin(level, message);
  for (const Field& field : fields) field.write(line_);
  push(*operational_);
}

void Log::format(const AccessRecord& record) {
  const auto name = [&](std::string_view field, std::string_view value) {
    if (!value.empty()) line_.text(field, value, kNameBytesMax);
  };
  std::array<char, kTargetBytesMax> target;
  name("request_id", record.request_id);
  name("method", record.method);
  line_.text("path", loggable_target(record.target, target), kTargetBytesMax);
  name("endpoint", record.endpoint);
  name("key", record.key);
  name("model", record.model);
  name("connection", record.connection);
  if (record.upstream_status) line_.number("upstream_status", uint64_t{record.upstream_status});
  if (record.status) line_.number("status", uint64_t{record.status});
  line_.number("bytes_in", record.bytes_in);
  line_.number("bytes_out", record.bytes_out);
  for (size_t i = 0; i < kTokenTypeCount; ++i)
    if (record.tokens[i] >= 0) line_.number(kTokenFields[i], record.tokens[i]);
  if (record.estimated) line_.boolean("estimated", true);
  line_.milliseconds("duration_ms", record.duration);
  if (record.upstream.count() >= 0) line_.milliseconds("upstream_ms", record.upstream);
  if (record.added.count() >= 0) line_.microseconds("added_us", record.added);
  if (record.first_token.count() >= 0) line_.milliseconds("ttft_ms", record.first_token);
  line_.number("retries", uint64_t{record.retries});
  name("error_type", record.error_type);
  name("client", record.client);
}

void Log::access(const AccessRecord& record) {
  if (control_->access_log.load(std::memory_order_relaxed)) {
    begin(Level::info, "request");
    format(record);
    push(*access_);
  }
  const int64_t slow_ns = control_->slow_request_ns.load(std::memory_order_relaxed);
  // A stream is as slow as its first token: how long it then goes on is the answer's length.
  const base::Duration wait = record.first_token.count() >= 0 ? record.first_token : record.duration;
  if (slow_ns > 0 && wait.count() >= slow_ns && enabled(Level::warn)) [[unlikely]] {
    begin(Level::warn, "slow request");
    format(record);
    push(*operational_);
  }
}

}  // namespace llmgw::telemetry
