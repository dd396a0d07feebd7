#include "app/process/systemd_notify.h"

#include <sys/un.h>

#include <array>
#include <cstring>

#include "app/process/test_support.h"

namespace llmgw::process {
namespace {

// What systemd's end of the notify socket is.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& address) {
    socket_ = FileDescriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, address.data(), address.size());
    if (address.front() == '@') name.sun_path[0] = '\0';
    void* raw = &name;
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    EXPECT_EQ(bind(socket_.get(), static_cast<sockaddr*>(raw), length), 0);
  }
  std::string next() {
    std::array<char, 8192> bytes{};
    const ssize_t count = recv(socket_.get(), bytes.data(), bytes.size(), 0);
    return count < 0 ? "nothing" : std::string(bytes.data(), static_cast<size_t>(count));
  }

 private:
  FileDescriptor socket_;
};

TEST(SystemdNotify, SaysEveryState) {
  TemporaryDirectory directory;
  NotifySocket systemd(directory.file("notify"));
  auto notifier = SystemdNotifier::connect_to(directory.file("notify"));
  ASSERT_TRUE(notifier);
  ASSERT_TRUE(notifier->active());
  EXPECT_TRUE(notifier->ready("serving on 127.0.0.1:8080\nMAINPID=1"));
  EXPECT_EQ(systemd.next(), "READY=1\nSTATUS=serving on 127.0.0.1:8080 MAINPID=1");
  EXPECT_TRUE(notifier->reloading(base::Instant(std::chrono::microseconds(1234567))));
  EXPECT_EQ(systemd.next(), "RELOADING=1\nMONOTONIC_USEC=1234567");
  EXPECT_TRUE(notifier->status("draining\n2 streams"));
  EXPECT_EQ(systemd.next(), "STATUS=draining 2 streams");
  EXPECT_TRUE(notifier->main_process(4711));
  EXPECT_EQ(systemd.next(), "MAINPID=4711");
  EXPECT_TRUE(notifier->watchdog());
  EXPECT_EQ(systemd.next(), "WATCHDOG=1");
  EXPECT_TRUE(notifier->stopping());
  EXPECT_EQ(systemd.next(), "STOPPING=1");
}

TEST(SystemdNotify, ReachesAnAbstractAddress) {
  const std::string address = "@llmgw-notify-test-" + std::to_string(getpid());
  NotifySocket systemd(address);
  auto notifier = SystemdNotifier::connect_to(address);
  ASSERT_TRUE(notifier);
  EXPECT_TRUE(notifier->watchdog());
  EXPECT_EQ(systemd.next(), "WATCHDOG=1");
}

TEST(SystemdNotify, WithoutSystemdEverythingSucceedsAndDoesNothing) {
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  auto notifier = SystemdNotifier::from_environment();
  ASSERT_TRUE(notifier);
  EXPECT_FALSE(notifier->active());
  EXPECT_TRUE(notifier->ready("x"));
  EXPECT_TRUE(notifier->watchdog());
  EXPECT_EQ(notifier->watchdog_period(), std::nullopt);
}

TEST(SystemdNotify, TheEnvironmentIsReadAndKept) {
  TemporaryDirectory directory;
  NotifySocket systemd(directory.file("notify"));
  setenv("NOTIFY_SOCKET", directory.file("notify").c_str(), 1);
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  auto notifier = SystemdNotifier::from_environment();
  ASSERT_TRUE(notifier);
  EXPECT_TRUE(notifier->active());
  EXPECT_EQ(notifier->watchdog_period(), std::chrono::seconds(15));
  EXPECT_NE(getenv("NOTIFY_SOCKET"), nullptr);
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_USEC");
  unsetenv("WATCHDOG_PID");
}

TEST(SystemdNotify, AddressesItCannotReachAreErrors) {
  using base::ErrorCode;
  EXPECT_EQ(SystemdNotifier::connect_to("vsock:2:1234").error().code, ErrorCode::unsupported);
  EXPECT_EQ(SystemdNotifier::connect_to("/" + std::string(200, 'x')).error().code, ErrorCode::too_large);
  EXPECT_EQ(SystemdNotifier::connect_to("/nonexistent/notify").error().code, ErrorCode::refused);
}

TEST(WatchdogPeriod, IsHalfOfWhatSystemdWaitsForThisProcess) {
  EXPECT_EQ(read_watchdog_period("10000000", nullptr, 7), std::chrono::seconds(5));
  EXPECT_EQ(read_watchdog_period("10000000", "7", 7), std::chrono::seconds(5));
  EXPECT_EQ(read_watchdog_period("10000000", "8", 7), std::nullopt);
  EXPECT_EQ(read_watchdog_period(nullptr, nullptr, 7), std::nullopt);
  for (const char* bad : {"", "0", "-1", "x", "18446744073709551615", "99999999999999999999"}) {
    EXPECT_EQ(read_watchdog_period(bad, nullptr, 7), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace llmgw::process
