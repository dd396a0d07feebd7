// A DNS server for tests, on loopback with a thread of its own: UDP and TCP on the same port (RFC 1035).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/address.h"

namespace llmgw::net {

struct TestDnsRecord {
  enum class Behaviour : uint8_t {
    answers,
    not_found,
    fails,
    silent,
    silent_for_v6,
    truncates,  // over UDP; the whole answer over TCP
    garbage,    // broken and foreign packets first, then the answer
  };
  Behaviour behaviour = Behaviour::answers;
  std::vector<std::string> addresses = {};  // literals of either family
  uint32_t ttl_s = 60;
  std::string alias = {};  // a CNAME in front
};

class TestDnsServer {
 public:
  TestDnsServer();
  TestDnsServer(const TestDnsServer&) = delete;
  TestDnsServer& operator=(const TestDnsServer&) = delete;
  ~TestDnsServer();

  const Address& address() const { return address_; }
  void set(const std::string& name, TestDnsRecord record);
  // Queries of the name so far, both families, UDP and TCP.
  int queries(const std::string& name);
  int tcp_queries();

 private:
  struct Question {
    std::string name;
    bool v6 = false;
    std::string_view bytes = {};  // as it stands in the query
  };
  void run();
  void serve_udp();
  void serve_tcp();
  TestDnsRecord look_up(const Question& question, bool tcp);
  static bool parse(std::string_view packet, Question& question);
  static std::string answer(std::string_view query, const Question& question, const TestDnsRecord& record);

  int udp_ = -1;
  int tcp_ = -1;
  int stop_[2] = {-1, -1};
  Address address_;
  std::mutex mutex_;
  std::map<std::string, TestDnsRecord> records_;
  std::map<std::string, int> queries_;
  int tcp_queries_ = 0;
  std::thread thread_;
};

}  // namespace llmgw::net
