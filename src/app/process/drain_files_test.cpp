#include "app/process/drain_files.h"

#include <filesystem>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

size_t files_in(const std::string& directory) {
  const std::filesystem::directory_iterator entries(directory);
  return static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

TEST(DrainFiles, TellOfAProcessUntilItEnds) {
  TemporaryDirectory directory;
  EXPECT_TRUE(draining_processes(directory.path()).empty());
  EXPECT_TRUE(draining_processes(directory.file("missing")).empty());
  {
    auto held = hold_drain_file(directory.path());
    ASSERT_TRUE(held);
    auto found = draining_processes(directory.path());
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].pid, getpid());
    EXPECT_FALSE(found[0].note);
    // A shorter note leaves nothing of the longer one.
    for (const uint64_t in_flight : {12u, 7u}) {
      ASSERT_TRUE(write_drain_note(*held, {.since = 1'800'000'000, .until = 1'800'001'800, .in_flight = in_flight}));
      found = draining_processes(directory.path());
      ASSERT_TRUE(found.size() == 1 && found[0].note);
      EXPECT_EQ(found[0].pid, getpid());
      EXPECT_EQ(found[0].note->since, 1'800'000'000u);
      EXPECT_EQ(found[0].note->until, 1'800'001'800u);
      EXPECT_EQ(found[0].note->in_flight, in_flight);
    }
    remove_stale_drain_files(directory.path());
    EXPECT_EQ(files_in(directory.path()), 1u);
  }
  EXPECT_TRUE(draining_processes(directory.path()).empty());
  EXPECT_EQ(files_in(directory.path()), 0u);
}

TEST(DrainFiles, OfKilledProcessesAreNobodysAndGo) {
  TemporaryDirectory directory;
  std::ofstream(directory.file("llm-gateway.pid")) << "1\n";
  const pid_t child = start_child([&]() -> int {
    auto held = hold_drain_file(directory.path());
    _exit(held ? 0 : 1);  // as a crash would: nothing is removed
  });
  ASSERT_EQ(exit_status_of(child), 0);
  EXPECT_EQ(files_in(directory.path()), 2u);
  EXPECT_TRUE(draining_processes(directory.path()).empty());
  remove_stale_drain_files(directory.path());
  EXPECT_EQ(files_in(directory.path()), 1u);
  EXPECT_TRUE(std::filesystem::exists(directory.file("llm-gateway.pid")));
}

TEST(DrainFiles, OfAnotherPidNamespaceAreNotListedAndStay) {
  TemporaryDirectory directory;
  auto held = PidFile::acquire(directory.file("draining-1-1.pid"));
  ASSERT_TRUE(held);
  EXPECT_TRUE(draining_processes(directory.path()).empty());
  remove_stale_drain_files(directory.path());
  EXPECT_EQ(files_in(directory.path()), 1u);
}

}  // namespace
}  // namespace llmgw::process
