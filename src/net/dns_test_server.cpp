#include "net/dns_test_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "base/text.h"

namespace llmgw::net {
namespace {

constexpr uint16_t kTypeA = 1;
constexpr uint16_t kTypeAaaa = 28;
constexpr uint16_t kTypeCname = 5;
constexpr size_t kHeaderBytes = 12;
constexpr uint16_t kResponse = 0x8180;  // QR, RD, RA
constexpr uint16_t kTruncated = 0x0200;
constexpr uint16_t kServerFailure = 2;
constexpr uint16_t kNameError = 3;
constexpr int kBindAttempts = 50;  // for a port that is free for UDP and for TCP

void require(bool condition) {
  if (!condition) std::abort();
}

void put16(std::string& out, uint16_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value & 0xff));
}

uint16_t get16(std::string_view bytes) {
  return static_cast<uint16_t>((static_cast<uint8_t>(bytes[0]) << 8) | static_cast<uint8_t>(bytes[1]));
}

void put_name(std::string& out, std::string_view name) {
  while (!name.empty()) {
    const std::string_view label = name.substr(0, name.find('.'));
    out.push_back(static_cast<char>(label.size()));
    out += label;
    name.remove_prefix(std::min(name.size(), label.size() + 1));
  }
  out.push_back('\0');
}

void put_record(std::string& out, std::string_view owner, uint16_t type, uint32_t ttl_s, std::string_view data) {
  put_name(out, owner);
  put16(out, type);
  put16(out, 1);
  put16(out, static_cast<uint16_t>(ttl_s >> 16));
  put16(out, static_cast<uint16_t>(ttl_s & 0xffff));
  put16(out, static_cast<uint16_t>(data.size()));
  out += data;
}

std::string address_bytes(const Address& address) {
  if (address.family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address.data());
    return {reinterpret_cast<const char*>(&v4->sin_addr), sizeof v4->sin_addr};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address.data());
  return {reinterpret_cast<const char*>(&v6->sin6_addr), sizeof v6->sin6_addr};
}

}  // namespace

TestDnsServer::TestDnsServer() {
  for (int attempt = 0; attempt < kBindAttempts; ++attempt) {
    Address any = *Address::parse("127.0.0.1:0");
    udp_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    require(bind(udp_, any.data(), any.size()) == 0);
    address_ = *Address::local_of(udp_);
    tcp_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(tcp_, address_.data(), address_.size()) == 0 && listen(tcp_, 16) == 0) break;
    close(udp_);
    close(tcp_);
    require(attempt + 1 < kBindAttempts);
  }
  require(pipe(stop_) == 0);
  thread_ = std::thread([this] { run(); });
}

TestDnsServer::~TestDnsServer() {
  close(stop_[1]);
  thread_.join();
  for (int fd : {udp_, tcp_, stop_[0]}) close(fd);
}

void TestDnsServer::set(const std::string& name, TestDnsRecord record) {
  std::lock_guard lock(mutex_);
  records_[name] = std::move(record);
}

int TestDnsServer::queries(const std::string& name) {
  std::lock_guard lock(mutex_);
  return queries_[name];
}

int TestDnsServer::tcp_queries() {
  std::lock_guard lock(mutex_);
  return tcp_queries_;
}

void TestDnsServer::run() {
  for (;;) {
    pollfd watched[] = {{udp_, POLLIN, 0}, {tcp_, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    poll(watched, 3, -1);
    if (watched[2].revents != 0) return;
    if (watched[0].revents != 0) serve_udp();
    if (watched[1].revents != 0) serve_tcp();
  }
}

bool TestDnsServer::parse(std::string_view packet, Question& question) {
  if (packet.size() < kHeaderBytes + 5) return false;
  size_t position = kHeaderBytes;
  while (position < packet.size() && packet[position] != 0) {
    const size_t label = static_cast<uint8_t>(packet[position]);
    if (position + 1 + label >= packet.size()) return false;
    if (!question.name.empty()) question.name += '.';
    for (char c : packet.substr(position + 1, label)) question.name += base::to_lower(c);
    position += 1 + label;
  }
  if (position + 5 > packet.size()) return false;
  question.v6 = get16(packet.substr(position + 1)) == kTypeAaaa;
  question.bytes = packet.substr(kHeaderBytes, position + 5 - kHeaderBytes);
  return true;
}

TestDnsRecord TestDnsServer::look_up(const Question& question, bool tcp) {
  std::lock_guard lock(mutex_);
  ++queries_[question.name];
  if (tcp) ++tcp_queries_;
  const auto found = records_.find(question.name);
  TestDnsRecord missing;
  missing.behaviour = TestDnsRecord::Behaviour::not_found;
  return found != records_.end() ? found->second : missing;
}

std::string TestDnsServer::answer(std::string_view query, const Question& question, const TestDnsRecord& record) {
  std::string records;
  uint16_t count = 0;
  uint16_t code = 0;
  if (record.behaviour == TestDnsRecord::Behaviour::not_found) code = kNameError;
  if (record.behaviour == TestDnsRecord::Behaviour::fails) code = kServerFailure;
  if (code == 0) {
    std::string owner = question.name;
    if (!record.alias.empty()) {
      std::string target;
      put_name(target, record.alias);
      put_record(records, owner, kTypeCname, record.ttl_s, target);
      ++count;
      owner = record.alias;
    }
    for (const std::string& literal : record.addresses) {
      const Address address = *Address::from_ip(literal, 0);
      if ((address.family() == AF_INET6) != question.v6) continue;
      put_record(records, owner, question.v6 ? kTypeAaaa : kTypeA, record.ttl_s, address_bytes(address));
      ++count;
    }
  }
  std::string packet(query.substr(0, 2));
  put16(packet, kResponse | code);
  for (uint16_t value : {uint16_t{1}, count, uint16_t{0}, uint16_t{0}}) put16(packet, value);
  packet += question.bytes;
  return packet + records;
}

void TestDnsServer::serve_udp() {
  char buffer[1500];
  sockaddr_storage from{};
  socklen_t from_length = sizeof from;
  const ssize_t size = recvfrom(udp_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &from_length);
  if (size <= 0) return;
  const std::string_view query(buffer, static_cast<size_t>(size));
  Question question;
  if (!parse(query, question)) return;
  const TestDnsRecord record = look_up(question, false);
  const auto send = [&](std::string_view packet) {
    sendto(udp_, packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), from_length);
  };
  using Behaviour = TestDnsRecord::Behaviour;
  if (record.behaviour == Behaviour::silent) return;
  if (record.behaviour == Behaviour::silent_for_v6 && question.v6) return;
  std::string packet = answer(query, question, record);
  if (record.behaviour == Behaviour::truncates) {
    packet[2] = static_cast<char>(packet[2] | (kTruncated >> 8));
    packet[6] = packet[7] = 0;
    packet.resize(kHeaderBytes + question.bytes.size());
  }
  if (record.behaviour == Behaviour::garbage) {
    send("\xff\xfe garbage");
    send(std::string_view("\0", 1));
    std::string foreign = packet;
    foreign[0] = static_cast<char>(foreign[0] ^ 0x55);
    foreign.back() = static_cast<char>(foreign.back() ^ 1);
    send(foreign);
  }
  send(packet);
}

void TestDnsServer::serve_tcp() {
  const int connection = accept(tcp_, nullptr, nullptr);
  if (connection < 0) return;
  const timeval limit{1, 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // c-ares may put both families' queries on one connection.
  std::string input;
  char buffer[2048];
  for (;;) {
    const ssize_t size = recv(connection, buffer, sizeof buffer, 0);
    if (size <= 0) break;
    input.append(buffer, static_cast<size_t>(size));
    while (input.size() >= 2 && input.size() >= 2u + get16(input)) {
      const std::string query = input.substr(2, get16(input));
      input.erase(0, 2 + query.size());
      Question question;
      if (!parse(query, question)) break;
      const std::string packet = answer(query, question, look_up(question, true));
      std::string framed;
      put16(framed, static_cast<uint16_t>(packet.size()));
      framed += packet;
      // In two pieces, so that the reader has to put them together.
      send(connection, framed.data(), 1, MSG_NOSIGNAL);
      usleep(1000);
      send(connection, framed.data() + 1, framed.size() - 1, MSG_NOSIGNAL);
    }
  }
  close(connection);
}

}  // namespace llmgw::net
