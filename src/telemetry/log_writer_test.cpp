#include "telemetry/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/temporary_directory.h"
#include "telemetry/exposition.h"
#include "telemetry/format_checkers.h"

namespace llmgw::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = LogDestination::Kind;

constexpr base::Duration kLongEnough = seconds(60);  // only a hang takes this long

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::map<std::string, std::string> parse(const std::string& line) {
  std::map<std::string, std::string> fields;
  const auto complaint = check_json_object(line, fields);
  EXPECT_FALSE(complaint) << complaint.value_or("");
  return fields;
}

AccessRecord record_of(std::string_view id) {
  AccessRecord record;
  record.request_id = id;
  record.method = "POST";
  record.target = "/v1/chat/completions";
  return record;
}

TEST(ByteRing, WrapsAtEveryOffset) {
  ByteRing ring(64);
  std::string pushed;
  std::string got;
  for (int i = 0; i < 1000; ++i) {
    const std::string text(static_cast<size_t>(i % 23 + 1), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(ring.push(text));
    pushed += text;
    const auto parts = ring.peek();
    got.append(parts[0]).append(parts[1]);
    ring.consume(parts[0].size() + parts[1].size());
  }
  EXPECT_EQ(got, pushed);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.dropped(), 0u);
}

TEST(ByteRing, FullRingDropsWholePushesAndCounts) {
  ByteRing ring(64);
  EXPECT_TRUE(ring.push(std::string(60, 'a')));
  EXPECT_FALSE(ring.push("bbbbb"));
  EXPECT_TRUE(ring.push("cccc"));
  EXPECT_FALSE(ring.push("d"));
  EXPECT_EQ(ring.dropped(), 2u);
  EXPECT_EQ(ring.peek()[0], std::string(60, 'a') + "cccc");
  ring.consume(10);
  EXPECT_TRUE(ring.push("0123456789"));
  EXPECT_EQ(ring.peek()[1], "0123456789");
  EXPECT_EQ(ring.filled_at_most(), 64u);
}

// Run it under ThreadSanitizer as well.
TEST(ByteRing, OneProducerOneConsumer) {
  constexpr uint32_t kLines = 30'000;
  ByteRing ring(1024);
  std::thread producer([&] {
    for (uint32_t i = 0; i < kLines; ++i)
      while (!ring.push(std::to_string(i) + "\n")) std::this_thread::yield();
  });
  uint32_t expected = 0;
  std::string rest;
  while (expected < kLines) {
    if (ring.empty()) std::this_thread::yield();
    const auto parts = ring.peek();
    rest.append(parts[0]).append(parts[1]);
    ring.consume(parts[0].size() + parts[1].size());
    ASSERT_TRUE(rest.empty() || rest.back() == '\n');
    std::istringstream lines(rest);
    for (std::string line; std::getline(lines, line);) ASSERT_EQ(line, std::to_string(expected++));
    rest.clear();
  }
  producer.join();
}

TEST(LogWriter, WritesEachLogToItsFile) {
  base::TemporaryDirectory directory;
  const std::string access = directory.file("access");
  const std::string operational = directory.file("operational");
  LogOptions options{.access = {Kind::file, access}, .operational = {Kind::file, operational}};
  auto writer = LogWriter::start(options);
  ASSERT_TRUE(writer);
  Log& log = (*writer)->add_producer();
  log.info("hello", {{"n", 1}});
  log.access(record_of("one"));
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  ASSERT_EQ(lines_of(access).size(), 1u);
  ASSERT_EQ(lines_of(operational).size(), 1u);
  EXPECT_EQ(parse(lines_of(access)[0]).at("request_id"), "one");
  EXPECT_EQ(parse(lines_of(operational)[0]).at("n"), "1");
  struct stat status{};
  ASSERT_EQ(stat(access.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007u, 0u);
}

TEST(LogWriter, StopWritesEverythingOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kLines = 5000;
  base::TemporaryDirectory directory;
  const std::string path = directory.file("both");
  const LogDestination both{Kind::file, path};
  auto writer = LogWriter::start({.access = both, .operational = both, .access_ring_bytes = 4 * 1024 * 1024});
  ASSERT_TRUE(writer);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      Log& log = (*writer)->add_producer();
      for (int i = 0; i < kLines; ++i) log.access(record_of(std::to_string(t) + "-" + std::to_string(i)));
      log.warn("last");
    });
  for (std::thread& thread : threads) thread.join();
  (*writer)->stop(kLongEnough);
  EXPECT_EQ((*writer)->dropped_lines(), 0u);
  std::array<int, kThreads> next{};
  int last = 0;
  for (const std::string& line : lines_of(path)) {
    const auto fields = parse(line);
    if (fields.at("msg") == "last") {
      ++last;
      continue;
    }
    const std::string& id = fields.at("request_id");
    const auto thread = static_cast<size_t>(id[0] - '0');
    ASSERT_EQ(id.substr(2), std::to_string(next[thread]++));
  }
  EXPECT_EQ(last, kThreads);
  EXPECT_THAT(next, testing::Each(kLines));
}

TEST(LogWriter, SleepingWriterWakesForALine) {
  base::TemporaryDirectory directory;
  const std::string path = directory.file("log");
  auto writer = LogWriter::start({.access = {Kind::none, {}}, .operational = {Kind::file, path}});
  ASSERT_TRUE(writer);
  for (int round = 0; round < 3; ++round) {
    Log& log = (*writer)->add_producer();
    std::this_thread::sleep_for(LogWriter::kRoundInterval * (LogWriter::kIdleRounds + 4));  // long enough to doze off
    log.info("line");
    const auto wanted = static_cast<size_t>(round) + 1;
    const base::Instant limit = base::real_now() + kLongEnough;
    while (lines_of(path).size() < wanted && base::real_now() < limit) std::this_thread::sleep_for(milliseconds(1));
    ASSERT_EQ(lines_of(path).size(), wanted);
  }
}

TEST(LogWriter, ReopensAfterRotation) {
  base::TemporaryDirectory directory;
  const std::string path = directory.file("log");
  const std::string rotated = directory.file("log.1");
  auto writer = LogWriter::start({.access = {Kind::none, {}}, .operational = {Kind::file, path}});
  ASSERT_TRUE(writer);
  Log& log = (*writer)->add_producer();
  log.info("before");
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  ASSERT_EQ(rename(path.c_str(), rotated.c_str()), 0);
  log.info("between");
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  (*writer)->reopen();
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  log.info("after");
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  EXPECT_EQ(lines_of(rotated).size(), 2u);
  ASSERT_EQ(lines_of(path).size(), 1u);
  EXPECT_EQ(parse(lines_of(path)[0]).at("msg"), "after");
}

TEST(LogWriter, FailedReopenKeepsTheOldFileAndSaysSo) {
  base::TemporaryDirectory directory;
  const std::string path = directory.file("log");
  const std::string rotated = directory.file("log.1");
  auto writer = LogWriter::start({.access = {Kind::none, {}}, .operational = {Kind::file, path}});
  ASSERT_TRUE(writer);
  ASSERT_EQ(rename(path.c_str(), rotated.c_str()), 0);
  ASSERT_EQ(mkdir(path.c_str(), 0700), 0);  // the path can no longer be a file
  (*writer)->reopen();
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  EXPECT_EQ((*writer)->reopen_problem(), path + ": Is a directory");
  EXPECT_EQ((*writer)->write_errors(), 1U);
  (*writer)->add_producer().info("still here");
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  ASSERT_EQ(rmdir(path.c_str()), 0);
  (*writer)->reopen();
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  EXPECT_EQ((*writer)->reopen_problem(), "");
  const auto lines = lines_of(rotated);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(parse(lines[0]).at("msg"), "log file not reopened");
  EXPECT_EQ(parse(lines[1]).at("msg"), "still here");
}

TEST(LogWriter, StartFailsWhereTheFileCannotBe) {
  EXPECT_EQ(LogWriter::start({.operational = {Kind::file, "/nonexistent/log"}}).error().os_error, ENOENT);
  EXPECT_FALSE(LogWriter::start({.access_ring_bytes = 3000}));
}

TEST(LogWriter, FullDiskLosesLinesAndCountsThem) {
  base::TemporaryDirectory directory;
  const std::string path = directory.file("log");
  auto writer = LogWriter::start({.access = {Kind::file, "/dev/full"}, .operational = {Kind::file, path}});
  ASSERT_TRUE(writer);
  Log& log = (*writer)->add_producer();
  for (int i = 0; i < 7; ++i) log.access(record_of("x"));
  ASSERT_TRUE((*writer)->flush(kLongEnough));
  EXPECT_EQ((*writer)->dropped_lines(), 7u);
  EXPECT_GE((*writer)->write_errors(), 1u);
  Registry registry;
  (*writer)->add_metrics(registry);
  EXPECT_THAT(render_metrics(registry, ExpositionFormat::prometheus),
              testing::HasSubstr("\nllm_gateway_log_lines_dropped_total 7\n"));
  (*writer)->stop(kLongEnough);
  uint64_t reported = 0;
  for (const std::string& line : lines_of(path)) {
    EXPECT_EQ(parse(line).at("msg"), "log lines dropped");
    reported += std::stoull(parse(line).at("lines"));
  }
  EXPECT_EQ(reported, 7u);
}

// A FIFO whose reader takes nothing: workers are not held up, lines are dropped and counted, the other log goes on, and
// stop() keeps its limit. When the reader comes back, what it gets is whole lines.
TEST(LogWriter, StuckReaderHoldsNobodyUp) {
  base::TemporaryDirectory directory;
  const std::string fifo = directory.file("fifo");
  const std::string operational = directory.file("operational");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto writer = LogWriter::start(
      {.access = {Kind::file, fifo}, .operational = {Kind::file, operational}, .access_ring_bytes = 8192});
  ASSERT_TRUE(writer);
  Log& log = (*writer)->add_producer();
  constexpr uint64_t kLines = 5000;
  for (uint64_t i = 0; i < kLines; ++i) {
    log.access(record_of(std::to_string(i)));
    if (i % 16 == 0) std::this_thread::sleep_for(milliseconds(1));
  }
  log.info("still alive");
  EXPECT_FALSE((*writer)->flush(milliseconds(300)));
  const base::Instant patience = base::real_now() + kLongEnough;
  while (lines_of(operational).empty() && base::real_now() < patience) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_THAT(lines_of(operational), testing::Contains(testing::HasSubstr("still alive")));
  const uint64_t dropped = (*writer)->dropped_lines();
  EXPECT_GT(dropped, 0u);
  std::string text;
  std::thread drain([&] {
    std::array<char, 65536> buffer;
    for (const base::Instant limit = base::real_now() + 2 * kLongEnough; base::real_now() < limit;) {
      const ssize_t count = read(reader, buffer.data(), buffer.size());
      if (count > 0) text.append(buffer.data(), static_cast<size_t>(count));
      if (count == 0) break;
      if (count < 0) std::this_thread::sleep_for(milliseconds(1));
    }
  });
  EXPECT_TRUE((*writer)->flush(kLongEnough));
  writer->reset();
  drain.join();
  close(reader);
  uint64_t lines = 0;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line); ++lines) parse(line);
  EXPECT_EQ(lines + dropped, kLines);
}

TEST(LogWriter, StopGivesUpOnAStuckReader) {
  base::TemporaryDirectory directory;
  const std::string fifo = directory.file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto writer = LogWriter::start({.access = {Kind::file, fifo}, .operational = {Kind::none, {}}});
  ASSERT_TRUE(writer);
  Log& log = (*writer)->add_producer();
  for (int i = 0; i < 2000; ++i) log.access(record_of("x"));
  const base::Instant began = base::real_now();
  (*writer)->stop(milliseconds(200));
  EXPECT_LT(base::real_now() - began, seconds(20));
  close(reader);
}

TEST(LogDestination, Parses) {
  EXPECT_EQ(parse_log_destination("off").kind, Kind::none);
  EXPECT_EQ(parse_log_destination("stdout").kind, Kind::standard_output);
  EXPECT_EQ(parse_log_destination("stderr").kind, Kind::standard_error);
  EXPECT_EQ(parse_log_destination("/var/log/x"), (LogDestination{Kind::file, "/var/log/x"}));
}

}  // namespace
}  // namespace llmgw::telemetry
