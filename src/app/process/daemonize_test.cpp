#include "app/process/daemonize.h"

#include "app/process/process_handle.h"
#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

// In the command: what daemonize() returned. In the daemon: runs `body` and ends.
StartupOutcome run_daemon(const DaemonOptions& options, const std::function<void(StartupReporter&)>& body) {
  auto result = daemonize(options);
  if (!result) return {-1, 0, result.error().context};
  if (!result->in_daemon) return std::move(result->outcome);
  body(result->reporter);
  _exit(0);
}

TEST(Daemonize, ReturnsWhenTheDaemonIsReady) {
  Pipe finish;
  const StartupOutcome outcome = run_daemon({}, [&](StartupReporter& reporter) {
    finish.write_end.close();
    reporter.ready();
    finish.wait();
  });
  EXPECT_EQ(outcome.exit_status, 0);
  EXPECT_EQ(outcome.message, "");
  ASSERT_GT(outcome.daemon, 0);
  auto daemon = ProcessHandle::open(outcome.daemon);
  ASSERT_TRUE(daemon) << "the daemon outlives the command's wait";
  EXPECT_EQ(getsid(outcome.daemon) == getsid(0), false);
  EXPECT_NE(getsid(outcome.daemon), outcome.daemon) << "a session leader could gain a terminal";
  finish.write_end.close();
  EXPECT_TRUE(daemon->wait_for_end(kPatience));
}

TEST(Daemonize, SaysWhyTheDaemonFailed) {
  const StartupOutcome outcome = run_daemon({}, [](StartupReporter& reporter) {
    reporter.failed(3, "config.toml:7: unknown key 'lisen'\ndid you mean 'listen'?");
  });
  EXPECT_EQ(outcome.exit_status, 3);
  EXPECT_EQ(outcome.message, "config.toml:7: unknown key 'lisen'\ndid you mean 'listen'?");
}

TEST(Daemonize, AMessageOfAnyLengthAndStatusZeroAreStillAFailure) {
  const StartupOutcome outcome =
      run_daemon({}, [](StartupReporter& reporter) { reporter.failed(0, std::string(1'000'000, 'x')); });
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_GT(outcome.message.size(), 4000u);
  EXPECT_LE(outcome.message.size(), 4096u);
}

TEST(Daemonize, SilenceIsAFailure) {
  const StartupOutcome outcome = run_daemon({}, [](StartupReporter&) { _exit(0); });
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.message.find("ended before it was ready"), std::string::npos);
}

TEST(Daemonize, DoesNotWaitForEver) {
  Pipe finish;
  DaemonOptions options;
  options.ready_timeout = std::chrono::milliseconds(5);
  const StartupOutcome outcome = run_daemon(options, [&](StartupReporter& reporter) {
    finish.write_end.close();
    finish.wait();
    reporter.ready();  // nobody listens any more; that must not kill the daemon
  });
  finish.write_end.close();
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.message.find("not ready yet"), std::string::npos);
}

TEST(Daemonize, StandardStreamsGoToTheLog) {
  TemporaryDirectory directory;
  const std::string log = directory.file("daemon.log");
  std::ofstream(log) << "before\n";
  DaemonOptions options;
  options.log_path = log;
  const StartupOutcome outcome = run_daemon(options, [](StartupReporter& reporter) {
    char byte = 0;
    const bool input_is_empty = read(STDIN_FILENO, &byte, 1) == 0;
    const bool written = write(STDOUT_FILENO, "out\n", 4) == 4 && write(STDERR_FILENO, "err\n", 4) == 4;
    if (input_is_empty && written) reporter.ready();
  });
  EXPECT_EQ(outcome.exit_status, 0) << outcome.message;
  EXPECT_EQ(read_file(log), "before\nout\nerr\n");
}

TEST(Daemonize, ALogThatCannotBeOpenedIsSaidBeforeForking) {
  TemporaryDirectory directory;
  DaemonOptions options;
  options.log_path = directory.file("missing/daemon.log");
  auto result = daemonize(options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().os_error, ENOENT);
}

TEST(StartupReport, OnlyWholeReportsCount) {
  EXPECT_EQ(read_startup_report("ready 17\n").exit_status, 0);
  EXPECT_EQ(read_startup_report("ready 17\n").daemon, 17);
  for (const char* report :
       {"", "ready", "ready \n", "ready 17", "ready x\n", "failed 0\nwhy", "failed 256\nwhy", "\n"}) {
    EXPECT_EQ(read_startup_report(report).exit_status, 1) << report;
    EXPECT_NE(read_startup_report(report).message, "") << report;
  }
}

}  // namespace
}  // namespace llmgw::process
