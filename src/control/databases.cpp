#include "control/databases.h"

#include "control/ledger/ledger.h"
#include "control/settings_binding.h"

namespace llmgw::control {
namespace {

// Clients wait for it: a database that does not answer must not keep them for long.
constexpr base::Duration kResponsesLimit = std::chrono::seconds(3);

// A database without the objects is not taken over by the gateway (store/objects/known_store.h), and then nothing else
// is made in it either. While a copy is put back, the row that is asked for comes after all tables.
base::Result<std::unique_ptr<store::SqlSession>> open_shared(const store::PostgresOptions& options) {
  TRY(session, store::open_postgres(options));
  const auto rows = session->query("SELECT 1 FROM store_state");
  if (!rows && rows.error().code != base::ErrorCode::io) return base::fail(rows.error());
  if (!rows || rows->empty()) {
    return base::fail(base::ErrorCode::not_found, "the store's objects are not in the database");
  }
  return session;
}

bool is_file(std::string_view url) {
  return url == kSqliteStore || url == kNoStore;
}

}  // namespace

LedgerAccess ledger_access(const StoreSettings& settings, const std::string& data_dir) {
  const std::string url(settings.url.value.reveal());
  if (is_file(url)) {
    const std::string path = ledger_database(data_dir);
    return {.data_dir = data_dir, .open_database = [path] { return store::open_sqlite(path); }, .place = path};
  }
  return {.data_dir = data_dir,
          .open_database = [url] { return open_shared({.conninfo = url, .channel = ""}); },
          .place = without_user(url),
          .shared = true};
}

OpenDatabase responses_database(const StoreSettings& settings, const std::string& data_dir) {
  const std::string url(settings.url.value.reveal());
  if (is_file(url)) return [path = data_dir + "/responses.sqlite"] { return store::open_sqlite(path); };
  return [url] {
    return open_shared(
        {.conninfo = url, .channel = "", .connect_limit = kResponsesLimit, .query_limit = kResponsesLimit});
  };
}

std::string responses_spool(const std::string& data_dir) {
  return data_dir + "/responses";
}

}  // namespace llmgw::control
