#include "app/process/successor.h"

#include <signal.h>

#include <filesystem>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

constexpr const char* kShell = "/bin/sh";

std::string run_script(const std::string& script) {
  auto successor = start_successor(kShell, {"sh", "-c", script});
  if (!successor) return successor.error().context;
  EXPECT_TRUE(successor->wait_for_end(kPatience));
  return reap_successor(*successor);
}

TEST(Successor, KnowsItsPredecessorAndNoVariableOfItsOwn) {
  setenv("LISTEN_FDS", "1", 1);
  setenv("WATCHDOG_PID", "1", 1);
  setenv("LLMGW_TEST_KEPT", "yes", 1);
  EXPECT_EQ(run_script("test \"$LLM_GATEWAY_PREDECESSOR\" = " + std::to_string(getpid()) +
                       " && test -z \"$LISTEN_FDS$WATCHDOG_PID\" && test \"$LLMGW_TEST_KEPT\" = yes"),
            "ended with status 0");
  unsetenv("LISTEN_FDS");
  unsetenv("WATCHDOG_PID");
  unsetenv("LLMGW_TEST_KEPT");
}

TEST(Successor, HowItEndedIsTold) {
  EXPECT_EQ(run_script("exit 7"), "ended with status 7");
  EXPECT_EQ(run_script("kill -9 $$"), "was killed by signal 9");
}

TEST(Successor, GetsNoBlockedSignal) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  EXPECT_EQ(run_script("kill -TERM $$; exit 5"), "was killed by signal 15");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Successor, AProgramThatIsNotThereIsAnErrorAtOnce) {
  auto successor = start_successor("/nonexistent/llm-gateway", {"llm-gateway"});
  ASSERT_FALSE(successor);
  EXPECT_EQ(successor.error().os_error, ENOENT);
}

TEST(Successor, EnvironmentReplacesAnOlderPredecessor) {
  using Variables = std::vector<std::string>;
  EXPECT_EQ(successor_environment({"A=1", "LLM_GATEWAY_PREDECESSOR=3", "LISTEN_FDNAMES=x", "LISTEN_FDS_X=1"}, 9),
            (Variables{"A=1", "LISTEN_FDS_X=1", "LLM_GATEWAY_PREDECESSOR=9"}));
}

TEST(ExecutablePath, IsThisProgram) {
  auto path = executable_path();
  ASSERT_TRUE(path);
  EXPECT_TRUE(std::filesystem::exists(*path));
  EXPECT_TRUE(path->starts_with('/'));
}

}  // namespace
}  // namespace llmgw::process
