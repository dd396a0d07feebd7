#include "gateway/entrance/listening.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "net/network.h"

namespace llmgw::gateway {
namespace {

control::ListenAddress tcp(std::string_view host, uint16_t port) {
  return {.host = std::string(host), .port = port, .unix_path = {}};
}
control::ListenAddress unix_at(std::string_view path) {
  return {.host = {}, .port = 0, .unix_path = std::string(path)};
}

TEST(DealOut, EverySocketHasAWorkerAndEveryWorkerASocket) {
  for (size_t sockets = 1; sockets <= 9; ++sockets) {
    for (size_t workers = 1; workers <= 9; ++workers) {
      const auto shares = deal_out(sockets, workers);
      ASSERT_EQ(shares.size(), workers);
      std::set<size_t> seen;
      for (const auto& share : shares) {
        EXPECT_FALSE(share.empty());
        seen.insert(share.begin(), share.end());
        const auto [least, most] = std::ranges::minmax(shares, {}, &std::vector<size_t>::size);
        EXPECT_LE(most.size() - least.size(), 1U);
      }
      EXPECT_EQ(seen.size(), sockets);
    }
  }
  EXPECT_EQ(deal_out(0, 2), std::vector<std::vector<size_t>>(2));
}

TEST(ListenTargets, MeanWhatTheSettingSays) {
  const auto names = [](const control::ListenAddress& address) {
    std::vector<std::string> found;
    for (const auto& target : *listen_targets(address)) found.push_back(target.name);
    return found;
  };
  EXPECT_EQ(names(tcp("127.0.0.1", 80)), (std::vector<std::string>{"127.0.0.1:80"}));
  EXPECT_EQ(names(tcp("::1", 0)), (std::vector<std::string>{"[::1]:0"}));
  EXPECT_EQ(names(tcp("", 8080)), (std::vector<std::string>{"0.0.0.0:8080", "[::]:8080"}));
  EXPECT_EQ(names(tcp("localhost", 1)), (std::vector<std::string>{"127.0.0.1:1", "[::1]:1"}));
  EXPECT_EQ(names(unix_at("/run/x.sock")), (std::vector<std::string>{"unix:/run/x.sock"}));
  const auto unknown = listen_targets(tcp("no-such-host.invalid", 80));
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().find("no-such-host.invalid"), std::string::npos);
}

uint16_t port_of(int fd) {
  return net::Address::local_of(fd)->port();
}

TEST(SocketsFor, ShareThePortTheKernelPicked) {
  std::vector<ListeningSocket> none;
  const auto target = listen_targets(tcp("127.0.0.1", 0))->front();
  const auto sockets = sockets_for(target, none, {.count = 3});
  ASSERT_TRUE(sockets) << sockets.error();
  ASSERT_EQ(sockets->size(), 3U);
  for (const auto& socket : *sockets) {
    EXPECT_EQ(socket.name(), "127.0.0.1:0");
    EXPECT_EQ(port_of(socket.fd()), port_of(sockets->front().fd()));
  }
}

TEST(SocketsFor, RefuseAnAddressAnotherGatewayListensOn) {
  std::vector<ListeningSocket> none;
  const auto first = sockets_for(listen_targets(tcp("127.0.0.1", 0))->front(), none, {.count = 2});
  ASSERT_TRUE(first);
  // Both would set SO_REUSEPORT, and the kernel would let them share.
  const uint16_t port = port_of(first->front().fd());
  const auto second = sockets_for(listen_targets(tcp("127.0.0.1", port))->front(), none, {.count = 2});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().find("another program listens there"), std::string::npos) << second.error();
}

TEST(SocketsFor, TakeInheritedSocketsByNameAndByAddress) {
  std::vector<ListeningSocket> inherited;
  const auto open = [] { return *net::open_listening_socket(*net::Address::from_ip("127.0.0.1", 0), {}); };
  inherited.emplace_back("127.0.0.1:0", open());
  inherited.emplace_back("whatever systemd calls it", open());
  inherited.emplace_back("other", open());
  const int by_name = inherited[0].fd();
  const int by_address = inherited[1].fd();
  const int other = inherited[2].fd();

  const auto named = sockets_for(listen_targets(tcp("127.0.0.1", 0))->front(), inherited, {});
  ASSERT_EQ(named->size(), 1U);
  EXPECT_EQ(named->front().fd(), by_name);

  const auto bound =
      sockets_for(listen_targets(tcp("127.0.0.1", port_of(by_address)))->front(), inherited, {.count = 4});
  ASSERT_EQ(bound->size(), 1U);
  EXPECT_EQ(bound->front().fd(), by_address);
  ASSERT_EQ(inherited.size(), 1U);
  EXPECT_EQ(inherited.front().fd(), other);
}

int backlog_of(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
  return static_cast<int>(info.tcpi_sacked);  // of a listening socket (Linux, net/ipv4/tcp.c, tcp_get_info)
}

TEST(SocketsFor, WhatAPredecessorLeftGetsTheBacklogOfToday) {
  const auto open = [] { return *net::open_listening_socket(*net::Address::from_ip("127.0.0.1", 0), {.backlog = 7}); };
  std::vector<ListeningSocket> inherited;
  inherited.emplace_back("127.0.0.1:0", open());
  inherited.emplace_back("activated:api", open());
  const uint16_t port = port_of(inherited[1].fd());
  const auto own = sockets_for(listen_targets(tcp("127.0.0.1", 0))->front(), inherited, {.backlog = 9});
  EXPECT_EQ(backlog_of(own->front().fd()), 9);
  const auto activated = sockets_for(listen_targets(tcp("127.0.0.1", port))->front(), inherited, {.backlog = 9});
  EXPECT_EQ(backlog_of(activated->front().fd()), 7) << "it is the service manager's";
}

TEST(SocketsFor, ASocketOfBothFamiliesServesEveryAddress) {
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) GTEST_SKIP() << "no IPv6 here";
  const int off = 0;
  setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const auto any = *net::Address::from_ip("::", 0);
  ASSERT_EQ(bind(fd, any.data(), any.size()), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  std::vector<ListeningSocket> inherited;
  inherited.emplace_back("activated:api", fd);
  const auto found = sockets_for(listen_targets(tcp("", port_of(fd)))->front(), inherited, {});
  ASSERT_TRUE(found) << found.error();
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().fd(), fd);
  EXPECT_EQ(found->front().name(), "activated:api");
  EXPECT_TRUE(is_dual_stack(fd));
}

TEST(SocketsFor, SayWhatToDo) {
  std::vector<ListeningSocket> none;
  const auto elsewhere = sockets_for(listen_targets(tcp("192.0.2.1", 80))->front(), none, {});
  ASSERT_FALSE(elsewhere);
  EXPECT_NE(elsewhere.error().find("192.0.2.1:80"), std::string::npos);
  EXPECT_NE(elsewhere.error().find("server.listen"), std::string::npos);
  const auto admin = sockets_for(listen_targets(tcp("192.0.2.1", 80), "server.admin_listen")->front(), none, {});
  ASSERT_FALSE(admin);
  EXPECT_NE(admin.error().find("server.admin_listen"), std::string::npos);
}

}  // namespace
}  // namespace llmgw::gateway
