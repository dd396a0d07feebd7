#include "app/process/process_handle.h"

#include <signal.h>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

TEST(ProcessHandle, SignalsAndWaitsForAProcess) {
  Pipe forever;
  const pid_t child = start_child([&] {
    forever.write_end.close();
    pause();
    return 0;
  });
  auto handle = ProcessHandle::open(child);
  ASSERT_TRUE(handle);
  EXPECT_EQ(handle->wait_for_end(std::chrono::milliseconds(1)).error().code, base::ErrorCode::deadline_exceeded);
  EXPECT_TRUE(handle->send_signal(SIGKILL));
  EXPECT_TRUE(handle->wait_for_end(kPatience));
  EXPECT_EQ(exit_status_of(child), 1000 + SIGKILL);
  EXPECT_EQ(handle->send_signal(SIGTERM).error().code, base::ErrorCode::not_found);
  EXPECT_EQ(ProcessHandle::open(child).error().code, base::ErrorCode::not_found);
}

}  // namespace
}  // namespace llmgw::process
