// Looks at files of certificates the way a TLS context loads them, and says which of them is at fault: for messages
// about settings. Any thread.
#pragma once

#include <optional>
#include <string>

#include "base/time.h"
#include "net/tls.h"

namespace llmgw::net {

struct TlsFileFault {
  enum class Kind : uint8_t {
    certificate,  // the chain cannot be used
    key,          // the key cannot be used
    pair,         // the key is another certificate's
  };
  Kind kind = Kind::certificate;
  std::string reason;  // OpenSSL's
};

// Nothing: a client or a server can show this certificate.
std::optional<TlsFileFault> check_certificate_files(const TlsCertificateFiles& files);

struct CertificateValidity {
  base::WallTime not_before;
  base::WallTime not_after;
};

// When the first certificate of the file may be shown; nothing where there is none that can be read.
std::optional<CertificateValidity> certificate_validity(const std::string& chain_file);

// The reason why no peer can be verified by this file of authorities; empty: one can be.
std::string check_authorities_file(const std::string& file);

}  // namespace llmgw::net
