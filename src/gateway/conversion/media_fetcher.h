// Fetches images and documents that a request names by URL, for providers that want the bytes. Everything about such a
// URL is the client's word, so: http(s) only, addresses on the public internet only (checked after resolution, and
// connected to as checked), few redirects, each checked anew, limits on size and time. One a worker; one thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/network.h"
#include "net/resolver.h"
#include "net/task.h"
#include "net/tls.h"

namespace llmgw::gateway {

struct FetchLimits {
  size_t bytes_max = size_t{20} << 20;  // providers take images up to 20 MB
  base::Duration timeout = std::chrono::seconds(15);
  int redirects_max = 3;
  bool private_addresses = false;  // true: also addresses inside the network
  // Told of so many more bytes as they come; false: there is no room for them. Null: there always is.
  std::function<bool(size_t bytes)> take = {};
};

struct FetchedMedia {
  std::string bytes;
  std::string media_type;  // without parameters; empty if the server does not say
};

class MediaFetcher {
 public:
  MediaFetcher(net::Loop& loop, net::Network& network);
  ~MediaFetcher();

  // Errors: invalid_argument (no http(s) URL), permission (an address that is not public), too_large, exhausted (no
  // room), not_found (any status but 200), protocol, and those of connecting.
  net::Task<base::Result<FetchedMedia>> fetch(std::string url, FetchLimits limits, net::Cancellation* cancellation);

 private:
  base::Result<void> prepare();
  net::Task<base::Result<std::string>> fetch_once(const std::string& url, const FetchLimits& limits, net::Wait wait,
                                                  FetchedMedia& media);

  net::Loop& loop_;
  net::Network& network_;
  std::unique_ptr<net::Resolver> resolver_;         // made when first needed
  std::unique_ptr<net::Resolver> public_resolver_;  // over it
  std::unique_ptr<net::TlsClientContext> tls_;
};

}  // namespace llmgw::gateway
