// One request to a URL and its whole answer, over a connection of its own: for what is rare and not on a call's way
// (the admin API from the command line, a sign-in provider's documents). Proxies as HTTP_PROXY and its kin say. One
// thread, the loop's.
#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "net/loop.h"
#include "net/network.h"
#include "net/task.h"

namespace llmgw::http {

struct FetchRequest {
  std::string method = "GET";
  std::string url;  // http://host[:port]/path?query, or https
  std::vector<std::pair<std::string, std::string>> headers = {};
  base::Secret authorization = {};  // the value of that header; empty: none
  std::string body = {};
  std::string ca_file = {};  // authorities to trust instead of the system's, and for a proxy beside them
  bool direct = false;       // through no proxy, whatever the environment says
  size_t answer_bytes_max = size_t{16} << 20;
};

struct FetchAnswer {
  uint16_t status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  // The first of that name; empty if there is none.
  std::string_view header(std::string_view name) const;
};

// invalid_argument: not such a URL; else what dialling, TLS (net::last_tls_error) and reading say.
net::Task<base::Result<FetchAnswer>> fetch(net::Loop& loop, net::Network& network, FetchRequest request,
                                           net::Wait wait);

// The same on a loop and a network of its own: for a command, which has nothing else to do meanwhile. cancelled: `stop`
// was requested.
base::Result<FetchAnswer> fetch_and_wait(FetchRequest request, base::Duration limit, std::stop_token stop = {});

struct Url {
  bool tls = false;
  std::string host;
  uint16_t port = 0;
  std::string authority;  // as it is sent
  std::string target;     // path and query
};
base::Result<Url> parse_url(std::string_view text);

}  // namespace llmgw::http
