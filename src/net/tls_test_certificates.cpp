#include "net/tls_test_certificates.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace llmgw::net {
namespace {

constexpr int kRsaBits = 2048;
constexpr long kSecondsPerDay = 24L * 60 * 60;
constexpr long kVersion3 = 2;

void require(bool condition) {
  if (!condition) std::abort();
}

struct Deleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter>;
using CertificatePtr = std::unique_ptr<X509, Deleter>;

KeyPtr new_key(bool rsa) {
  KeyPtr key(rsa ? EVP_RSA_gen(kRsaBits) : EVP_EC_gen("P-256"));
  require(key != nullptr);
  return key;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  require(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

CertificatePtr new_certificate(const TestCertificate& description, EVP_PKEY* key, int serial) {
  CertificatePtr certificate(X509_new());
  require(certificate != nullptr);
  X509_set_version(certificate.get(), kVersion3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), description.valid_from_days * kSecondsPerDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), description.valid_to_days * kSecondsPerDay);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* name = reinterpret_cast<const unsigned char*>(description.common_name.c_str());
  require(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, -1, -1, 0) == 1);
  return certificate;
}

void write_certificates(const std::string& path, const std::vector<X509*>& certificates) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  require(file != nullptr);
  for (X509* certificate : certificates) require(PEM_write_X509(file, certificate) == 1);
  std::fclose(file);
}

void write_key(const std::string& path, EVP_PKEY* key) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  require(file != nullptr && PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(file);
}

}  // namespace

struct TestAuthority::Keys {
  KeyPtr key;
  CertificatePtr certificate;
};

TestAuthority::TestAuthority(std::string_view name) : keys_(std::make_unique<Keys>()) {
  std::string pattern = std::string(P_tmpdir) + "/llmgw-certificates-XXXXXX";
  require(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  certificate_file_ = directory_ + "/authority.pem";
  keys_->key = new_key(false);
  TestCertificate description;
  description.common_name = name;
  keys_->certificate = new_certificate(description, keys_->key.get(), 1);
  X509* certificate = keys_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  require(X509_sign(certificate, keys_->key.get(), EVP_sha256()) > 0);
  write_certificates(certificate_file_, {certificate});
  files_.push_back(certificate_file_);
}

TestAuthority::~TestAuthority() {
  for (const std::string& file : files_) unlink(file.c_str());
  rmdir(directory_.c_str());
}

TlsCertificateFiles TestAuthority::issue(const TestCertificate& description) {
  const std::string base = directory_ + "/" + std::to_string(issued_ + 1);
  TlsCertificateFiles files{base + ".pem", base + ".key"};
  files_.push_back(files.chain_file);
  files_.push_back(files.key_file);
  issue_into(files, description);
  return files;
}

void TestAuthority::issue_into(const TlsCertificateFiles& files, const TestCertificate& description) {
  ++issued_;
  const KeyPtr key = new_key(description.rsa);
  const CertificatePtr certificate = new_certificate(description, key.get(), issued_ + 1);
  X509* issuer = keys_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  std::string names;
  for (const std::string& name : description.names) {
    if (!names.empty()) names += ",";
    names += name.starts_with("IP:") ? name : "DNS:" + name;
  }
  if (!names.empty()) add_extension(certificate.get(), issuer, NID_subject_alt_name, names);
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  require(X509_sign(certificate.get(), keys_->key.get(), EVP_sha256()) > 0);
  write_certificates(files.chain_file, {certificate.get()});
  write_key(files.key_file, key.get());
}

}  // namespace llmgw::net
