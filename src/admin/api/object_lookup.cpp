#include "admin/api/object_lookup.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "admin/api/object_view.h"
#include "base/did_you_mean.h"
#include "json/reader.h"
#include "json/text.h"

namespace llmgw::admin {
namespace {

namespace bj = boost::json;
using control::ObjectKind;

// A member that an object of the document has twice: whichever counted, the other would be lost silently.
std::optional<std::string> repeated_member(json::Reader& reader) {
  if (reader.kind() == json::Kind::array && reader.enter_array()) {
    while (reader.next_element()) {
      if (auto repeated = repeated_member(reader)) return repeated;
    }
    return std::nullopt;
  }
  if (reader.kind() != json::Kind::object || !reader.enter_object()) {
    reader.skip();
    return std::nullopt;
  }
  std::set<std::string> seen;
  for (std::string_view key; reader.next_member(key);) {
    std::string plain(key.size(), '\0');
    plain.resize(json::unescape(key, plain.data()).value_or(0));
    if (!seen.insert(plain).second) return plain;
    if (auto repeated = repeated_member(reader)) return repeated;
  }
  return std::nullopt;
}

using Visible = std::function<bool(const store::Object&)>;
constexpr size_t kNamedMax = 10;  // of several of one name, in the message

// Of the visible ones of that name one more than a message names, at most.
std::expected<std::vector<store::Object>, ApiAnswer> find_by_name(const ApiContext& context, const ObjectKind& kind,
                                                                  std::string_view name, const Visible& visible) {
  std::vector<store::Object> found;
  for (std::string after; found.size() <= kNamedMax;) {
    auto page = context.store.list({.kind = kind.name, .name = name, .after = after, .limit = kNamedMax + 1});
    if (!page) return std::unexpected(store_failed(page.error()));
    if (page->more) after = page->objects.back().id;
    for (store::Object& each : page->objects) {
      if (found.size() <= kNamedMax && (!visible || visible(each))) found.push_back(std::move(each));
    }
    if (!page->more) break;
  }
  return found;
}

}  // namespace

ApiAnswer store_failed(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::exhausted:
      return api_error(507, "storage_full", "the database has no room left; nothing was changed");
    case base::ErrorCode::too_large: return api_error(413, "too_large", "the object is larger than 1 MiB");
    case base::ErrorCode::already_exists: return api_error(409, "conflict", "somebody changed the same at this moment");
    case base::ErrorCode::permission: {
      const bool passes = error.context == store::kReadOnlyDatabase;
      ApiAnswer answer =
          api_error(passes ? 503 : 500, passes ? "store_unavailable" : "store",
                    "the database takes no changes (" + std::string(error.context) + "); nothing was changed");
      if (passes) answer.retry_after = 5;
      return answer;
    }
    default: {
      ApiAnswer answer = api_error(503, "store_unavailable",
                                   "the database did not answer (" + std::string(error.context) +
                                       "); nothing is known to be changed, try again");
      answer.retry_after = 1;
      return answer;
    }
  }
}

std::expected<store::Object, ApiAnswer> find_object(const ApiContext& context, const ObjectKind& kind,
                                                    std::string_view id_or_name, const Visible& visible) {
  const std::string missing = "there is no " + std::string(kind.name) + " " + in_quotes(id_or_name);
  if (control::is_object_id(kind, id_or_name)) {
    auto object = context.store.get(id_or_name);
    if (!object) return std::unexpected(store_failed(object.error()));
    if (*object && (*object)->kind == kind.name && (!visible || visible(**object))) return std::move(**object);
    return std::unexpected(api_error(404, "not_found", missing));
  }
  auto found = find_by_name(context, kind, id_or_name, visible);
  if (!found) return std::unexpected(std::move(found).error());
  if (found->empty()) return std::unexpected(api_error(404, "not_found", missing));
  if (found->size() == 1) return std::move(found->front());
  std::string ids;
  for (const store::Object& each : std::span(*found).first(std::min(found->size(), kNamedMax))) {
    ids += (ids.empty() ? "" : ", ") + each.id;
  }
  if (found->size() > kNamedMax) ids += " and more";
  return std::unexpected(
      api_error(409, "ambiguous", "several have the name " + in_quotes(id_or_name) + "; say which by its id: " + ids));
}

std::string no_such_object(const ApiContext& context, const ObjectKind& kind, std::string_view name) {
  std::vector<std::string> names;
  for (FileObject& each : show_file_objects(context.file, kind)) names.push_back(std::move(each.name));
  // A typing error is looked for among the first thousand.
  if (auto listed = context.store.list({.kind = kind.name, .limit = store::ObjectStore::kPageMax})) {
    for (store::Object& each : listed->objects) names.push_back(std::move(each.name));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string near = base::did_you_mean(name, views);
  return "there is no " + std::string(kind.name) + " " + in_quotes(name) + (near.empty() ? ";" : near) + " `" +
         "llm-gateway " + std::string(kind.command) + " list` shows all";
}

namespace {

// Of JSON's numbers that no double has: what is read of them is infinite, and is no JSON when it is written.
bool is_infinite(const bj::value& value) {
  if (value.is_array()) return std::ranges::any_of(value.get_array(), is_infinite);
  if (!value.is_object()) return value.is_double() && !std::isfinite(value.get_double());
  return std::ranges::any_of(value.get_object(), [](const auto& member) { return is_infinite(member.value()); });
}

}  // namespace

std::expected<bj::object, ApiAnswer> read_fields(std::string_view body) {
  if (body.empty()) return bj::object();
  bj::stream_parser parser;
  boost::system::error_code error;
  const size_t read = parser.write_some(body.data(), body.size(), error);
  if (!error && body.find_first_not_of(" \t\r\n", read) != std::string_view::npos) error = bj::error::extra_data;
  if (!error) parser.finish(error);
  if (error) {
    return invalid_request("the body is not JSON: " + error.message() + " at byte " +
                           std::to_string(std::min(read + 1, body.size())) + " of " + std::to_string(body.size()));
  }
  bj::value value = parser.release();
  json::Parser reading;
  if (const auto document = reading.parse(body)) {
    json::Reader reader(*document);
    if (const auto repeated = repeated_member(reader)) return invalid_request(in_quotes(*repeated) + " stands twice");
  }
  if (!value.is_object()) return invalid_request(R"(the body must be a JSON object, as in {"name": "x"})");
  for (const auto& [field, member] : value.get_object()) {
    if (is_infinite(member)) return invalid_request(std::string(field) + ": the number is too large");
  }
  return std::move(value.get_object());
}

}  // namespace llmgw::admin
