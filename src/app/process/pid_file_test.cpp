#include "app/process/pid_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <atomic>
#include <csignal>
#include <filesystem>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

using base::ErrorCode;

TEST(PidFile, HoldsItsNumberWhileItLivesAndIsRemovedAfter) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  {
    auto held = PidFile::acquire(path);
    ASSERT_TRUE(held);
    EXPECT_EQ(read_file(path), std::to_string(getpid()) + "\n");
    EXPECT_EQ(PidFile::holder(path), getpid());
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(PidFile::holder(path).error().code, ErrorCode::not_found);
}

TEST(PidFile, IsRefusedWhileAnotherHoldsIt) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  auto held = PidFile::acquire(path);
  ASSERT_TRUE(held);
  const pid_t child = start_child([&] {
    auto second = PidFile::acquire(path);
    return !second && second.error().code == ErrorCode::already_exists && PidFile::holder(path) == getppid() ? 0 : 1;
  });
  EXPECT_EQ(exit_status_of(child), 0);
  EXPECT_EQ(PidFile::holder(path), getpid());
}

TEST(PidFile, AStaleFileIsNobodysAndIsTakenOver) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  const pid_t child = start_child([&]() -> int {
    auto held = PidFile::acquire(path);
    _exit(held ? 0 : 1);  // as a crash would: nothing is removed
  });
  ASSERT_EQ(exit_status_of(child), 0);
  ASSERT_EQ(read_file(path), std::to_string(child) + "\n");
  EXPECT_EQ(PidFile::holder(path).error().code, ErrorCode::not_found);
  std::ofstream(path) << "4194303999999\nrubbish\n";
  auto held = PidFile::acquire(path);
  ASSERT_TRUE(held);
  EXPECT_EQ(read_file(path), std::to_string(getpid()) + "\n");
}

TEST(PidFile, AForkedChildThatEndsRemovesNothing) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  auto held = PidFile::acquire(path);
  ASSERT_TRUE(held);
  const pid_t child = start_child([&] {
    {
      PidFile mine = std::move(*held);
    }
    return 0;
  });
  EXPECT_EQ(exit_status_of(child), 0);
  EXPECT_EQ(PidFile::holder(path), getpid());
}

TEST(PidFile, TheLockFollowsTheDescriptorToASuccessor) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  auto held = PidFile::acquire(path);
  ASSERT_TRUE(held);
  Pipe adopted;
  Pipe finish;
  const pid_t child = start_child([&] {
    finish.write_end.close();
    auto mine = PidFile::adopt(FileDescriptor(dup(held->fd())), path);
    held->release();
    adopted.write_end.close();
    finish.wait();
    return mine ? 0 : 1;
  });
  adopted.write_end.close();
  adopted.wait();
  held->release();
  EXPECT_EQ(PidFile::holder(path), child);
  EXPECT_EQ(PidFile::acquire(path).error().code, ErrorCode::already_exists);
  finish.write_end.close();
  EXPECT_EQ(exit_status_of(child), 0);
}

TEST(PidFile, AdoptsOnlyTheLockedFileItself) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  auto held = PidFile::acquire(path);
  ASSERT_TRUE(held);
  FileDescriptor other(open(directory.file("other").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(PidFile::adopt(std::move(other), path).error().code, ErrorCode::invalid_argument);
  FileDescriptor unlocked(open(path.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(PidFile::adopt(std::move(unlocked), path).error().code, ErrorCode::already_exists);
}

TEST(PidFile, ADirectoryThatIsNotThereIsSaid) {
  TemporaryDirectory directory;
  EXPECT_EQ(PidFile::acquire(directory.file("missing/gateway.pid")).error().os_error, ENOENT);
}

// As on a disk that has room for so many bytes more. Of this process, from now on.
void leave_room_for(rlim_t bytes) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

TEST(PidFile, WithoutRoomNothingIsLeft) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  for (const rlim_t room : {0, 1}) {
    for (const bool stale : {false, true}) {
      if (stale) std::ofstream(path) << "4194303\n";
      const pid_t child = start_child([&] {
        leave_room_for(room);
        const auto held = PidFile::acquire(path);
        return !held && held.error().os_error != 0 ? 0 : 1;
      });
      EXPECT_EQ(exit_status_of(child), 0) << room << stale;
      EXPECT_FALSE(std::filesystem::exists(path)) << room << stale << ": " << read_file(path);
    }
  }
}

TEST(PidFile, ASuccessorWithoutRoomHoldsTheLockAndNamesNobody) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  for (const rlim_t room : {0, 1}) {
    const pid_t child = start_child([&] {
      auto held = PidFile::acquire(path);
      if (!held) return 1;
      leave_room_for(room);
      auto adopted = PidFile::adopt(FileDescriptor(dup(held->fd())), path);
      held->release();
      if (!adopted || adopted->is_numbered() || !read_file(path).empty()) return 2;
      const pid_t asks = start_child([&] {
        const auto second = PidFile::acquire(path);
        if (second || second.error().code != ErrorCode::already_exists) return 1;
        return PidFile::holder(path) == 0 ? 0 : 1;
      });
      if (exit_status_of(asks) != 0) return 3;
      leave_room_for(RLIM_INFINITY);
      if (!adopted->write_number() || !adopted->is_numbered()) return 4;
      return PidFile::holder(path) == getpid() ? 0 : 5;
    });
    EXPECT_EQ(exit_status_of(child), 0) << room;
  }
}

// Many processes take and remove the file at once; never do two believe they hold it.
TEST(PidFile, IsHeldByOneAtATime) {
  TemporaryDirectory directory;
  const std::string path = directory.file("gateway.pid");
  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* holders = new (memory) std::atomic<int>(0);
  std::vector<pid_t> children;
  for (int index = 0; index < 6; ++index) {
    children.push_back(start_child([&] {
      for (int wins = 0; wins < 50;) {
        auto held = PidFile::acquire(path);
        if (!held) continue;
        if (holders->fetch_add(1) != 0) return 1;
        if (PidFile::holder(path) != getpid()) return 2;
        holders->fetch_sub(1);
        ++wins;
      }
      return 0;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_status_of(child), 0);
  munmap(memory, 4096);
}

}  // namespace
}  // namespace llmgw::process
