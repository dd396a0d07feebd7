// Certificates made on the spot, for tests of TLS in any folder. Not linked into a program that does not ask for it.
// Aborts when OpenSSL or the file system fails: a test cannot go on then.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/tls.h"

namespace llmgw::net {

struct TestCertificate {
  std::string common_name = "test";
  std::vector<std::string> names = {};  // subject alternative names: "localhost", "*.example.com", "IP:127.0.0.1"
  int valid_from_days = -1;             // relative to now
  int valid_to_days = 1;
  bool rsa = false;  // else ECDSA on P-256
};

// An authority with its own directory of PEM files, removed when it dies.
class TestAuthority {
 public:
  explicit TestAuthority(std::string_view name = "Test authority");
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;
  ~TestAuthority();

  const std::string& certificate_file() const { return certificate_file_; }
  // A new certificate and key signed by this authority.
  TlsCertificateFiles issue(const TestCertificate& description);
  // The same, in files of an earlier certificate: what a renewal does.
  void issue_into(const TlsCertificateFiles& files, const TestCertificate& description);

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
  std::string directory_;
  std::string certificate_file_;
  std::vector<std::string> files_;
  int issued_ = 0;
};

}  // namespace llmgw::net
