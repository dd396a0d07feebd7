// AWS Signature Version 4 ("Signature Version 4 signing process", AWS IAM user guide, 2026), both sides: signing what
// goes to AWS, and verifying what a client signed. Of the request's body only its hash is signed, so nothing is
// streamed. Pure: the time is passed in. Any thread, but a SigningKeys belongs to one.
//
// The canonical URI is the path on the wire, encoded once more: ':' in a model's name is %3A on the wire and %253A in
// the canonical request. Only S3 differs, and is not served here.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/secret.h"
#include "base/time.h"

namespace llmgw::providers {

// AWS allows five minutes between the signer's clock and its own.
inline constexpr base::Duration kSigV4SkewMax = std::chrono::minutes(5);
// A request of the SDKs has at most twelve; bounds the work for a client's list.
inline constexpr size_t kSigV4HeadersMax = 64;

struct AwsCredentials {
  base::Secret access_key_id;
  base::Secret secret_access_key;
  base::Secret session_token;  // empty for long-lived keys
};

using Sha256 = std::array<uint8_t, 32>;
Sha256 sha256(std::span<const std::string_view> parts);

struct SigV4Header {
  std::string_view name;  // of a signed request in lower case
  std::string_view value;
};

struct SigV4Request {
  std::string_view method;
  std::string_view path;                 // as it goes over the wire
  std::string_view query = {};           // without '?', as it goes over the wire
  std::span<const SigV4Header> headers;  // those to sign, "host" among them; those of one name in their order
  std::string_view payload_hash;         // lower-case hex of the body's SHA-256, or AWS's word for none
};

// "20250102T030405Z"
std::string_view sigv4_time(base::WallTime time, base::Arena& arena);
// What is hashed and signed: for tests, and for whoever has to explain a mismatch.
std::string sigv4_canonical_request(const SigV4Request& request);

// Derived keys: four HMACs saved for each request of the same day, region, service and secret. One thread.
class SigningKeys {
 public:
  // Valid until the next call.
  const Sha256& find(std::string_view secret, std::string_view date, std::string_view region, std::string_view service);
  uint64_t derivations() const { return derivations_; }

 private:
  struct Entry {
    base::Secret secret;
    std::string scope;  // date, region and service
    Sha256 key{};
  };
  // More than a gateway has connections to AWS; beyond it keys are derived anew, oldest out first.
  static constexpr size_t kEntriesMax = 64;
  std::vector<Entry> entries_;
  size_t next_ = 0;
  uint64_t derivations_ = 0;
};

// The value of the Authorization header, in the arena. `time` is that of the x-amz-date header, which must be among the
// headers; so must x-amz-security-token where the credentials have one.
base::Secret sign_sigv4(const SigV4Request& request, const AwsCredentials& credentials, std::string_view region,
                        std::string_view service, std::string_view time, SigningKeys& keys);

enum class SigV4Problem : uint8_t {
  malformed,    // the header cannot be read, or lacks what must be signed
  unsupported,  // a streamed body, a presigned URL
  expired,      // signed too long ago, or in the future
  mismatch,     // signature or body hash differ
};

struct SigV4Refusal {
  SigV4Problem problem;
  const char* message;  // static; says what to do
};

struct SigV4Claim {
  std::string_view access_key_id;
  std::string_view date;  // "20250102"
  std::string_view region;
  std::string_view service;
  std::string_view signed_headers;
  std::string_view signature;
};

// Whether an Authorization header is of this scheme.
bool is_sigv4(std::string_view authorization);
std::expected<SigV4Claim, SigV4Refusal> parse_sigv4(std::string_view authorization);

struct SigV4Received {
  std::string_view method;
  std::string_view path;  // as it came over the wire
  std::string_view query;
  std::string_view host;                 // Host or :authority
  std::span<const SigV4Header> headers;  // all that came, names in any case
  std::string_view body;
};

// Whether the holder of `secret` signed this request, body included. A body that the client left unsigned
// (UNSIGNED-PAYLOAD) is taken; one signed piece by piece is not.
std::expected<void, SigV4Refusal> verify_sigv4(const SigV4Claim& claim, const SigV4Received& request,
                                               std::string_view secret, base::WallTime now);

}  // namespace llmgw::providers
