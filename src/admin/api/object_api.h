// The objects of the store as a REST interface: what /admin/v1 answers and what the command line does are the same
// function. It checks who may, validates against the configuration as it would be, seals secrets, writes with an audit
// entry, and shows objects without their secrets. Blocking: the store's thread, or the command line.
//
//   GET    /admin/v1/{kind}                ?limit, after, name      a page
//   POST   /admin/v1/{kind}                                         creates one; the answer shows its key, once
//   GET    /admin/v1/{kind}/{id or name}                            with its ETag
//   PATCH  /admin/v1/{kind}/{id or name}   If-Match                 a JSON merge patch (RFC 7396, October 2014)
//   DELETE /admin/v1/{kind}/{id or name}   If-Match, ?cascade=true  with what cannot be without it
//   POST   /admin/v1/{kind}/{id or name}/rotate                     another key; {"overlap": "24h"} keeps the old one
//   POST   /admin/v1/connections/{id or name}/test                  a real call of a few tokens; {"model"}
//   GET    /admin/v1/spend                 ?by, from, to, key, ...  what calls used and cost, summed up
//   GET    /admin/v1/audit                 ?limit, before           what was done, newest first
//   POST   /admin/v1/secrets/rotate                                 seals everything under a new master key
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/api/access.h"
#include "control/objects/object_merge.h"
#include "control/objects/store_access.h"
#include "http/message.h"
#include "store/objects/object_store.h"

namespace llmgw::admin {

inline constexpr std::string_view kApiRoot = "/admin/v1/";
inline constexpr size_t kBodyBytesMax = size_t{1} << 20;  // an object is never larger
inline constexpr size_t kPageDefault = 100;

struct ApiRequest {
  http::Method method = http::Method::get;
  std::string path;  // with kApiRoot, not decoded
  std::string query;
  std::string body;
  std::string if_match;
  Actor actor;
  int64_t now_ms = 0;
};

struct ApiAnswer {
  uint16_t status = 200;
  std::string body;                                               // JSON
  std::string etag = {};                                          // of the object in it
  uint32_t retry_after = 0;                                       // seconds; 0: no header
  bool changed = false;                                           // the store did, or the engines that are registered
  std::vector<std::pair<std::string, std::string>> headers = {};  // others
  // Set: this is not the answer yet. What is left takes its time and needs no store: it is called, away from the
  // store's thread, and gives the answer.
  std::function<ApiAnswer(std::stop_token)> rest = {};
};

// Why objects of the store are not used, by their ids.
using Unused = std::map<std::string, std::string, std::less<>>;
Unused unused_of(std::span<const control::ObjectNote> notes);

// What the objects are judged by.
struct ApiContext {
  store::ObjectStore& store;
  const control::Config& file;
  const control::ObjectSecrets& secrets;
  const control::Environment& environment;  // of the file
  control::StoreAccess* access = nullptr;   // for new master keys; null: the keys there are stay
  const Unused* unused = nullptr;           // null: nobody has put the objects in force
};

// An error as every endpoint here shows it: {"error": {"message", "type"}}.
ApiAnswer api_error(uint16_t status, std::string_view type, std::string_view message);

// 405: of this path only these methods are known ("GET, POST"). `more`: behind their list in the message.
ApiAnswer method_not_allowed(std::string_view methods, std::string_view more = {});

// The request cannot be taken as it is; `message` says what was expected.
std::unexpected<ApiAnswer> invalid_request(std::string_view message);

// As names stand in messages: 'name'.
std::string in_quotes(std::string_view text);
// While the database is away.
ApiAnswer store_away();

ApiAnswer handle_objects(const ApiContext& context, const ApiRequest& request);

}  // namespace llmgw::admin
