// libpq (PostgreSQL 15) without its blocking calls, so that a database that is frozen costs a time limit and no more.
#include <dlfcn.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <deque>
#include <optional>

#include "store/sql/ending.h"
#include "store/sql/postgres_message.h"
#include "store/sql/session.h"

namespace llmgw::store {
namespace {

using Clock = std::chrono::steady_clock;

// libpq is loaded when a PostgreSQL store is opened first: who has none needs neither the library nor the memory and
// start-up time of all that it brings along (5 MiB and 10 ms with Debian's).
// Those functions of libpq that are used, by their own names (PostgreSQL 15, chapter 34).
struct Libpq {
  decltype(&::PQclear) PQclear;
  decltype(&::PQcmdTuples) PQcmdTuples;
  decltype(&::PQconnectPoll) PQconnectPoll;
  decltype(&::PQconnectStart) PQconnectStart;
  decltype(&::PQconsumeInput) PQconsumeInput;
  decltype(&::PQenterPipelineMode) PQenterPipelineMode;
  decltype(&::PQerrorMessage) PQerrorMessage;
  decltype(&::PQexitPipelineMode) PQexitPipelineMode;
  decltype(&::PQfinish) PQfinish;
  decltype(&::PQflush) PQflush;
  decltype(&::PQfreemem) PQfreemem;
  decltype(&::PQgetResult) PQgetResult;
  decltype(&::PQgetlength) PQgetlength;
  decltype(&::PQgetvalue) PQgetvalue;
  decltype(&::PQisBusy) PQisBusy;
  decltype(&::PQnfields) PQnfields;
  decltype(&::PQnotifies) PQnotifies;
  decltype(&::PQntuples) PQntuples;
  decltype(&::PQpipelineSync) PQpipelineSync;
  decltype(&::PQresultErrorField) PQresultErrorField;
  decltype(&::PQresultStatus) PQresultStatus;
  decltype(&::PQsendQueryParams) PQsendQueryParams;
  decltype(&::PQsetNoticeReceiver) PQsetNoticeReceiver;
  decltype(&::PQsetnonblocking) PQsetnonblocking;
  decltype(&::PQsocket) PQsocket;
  decltype(&::PQstatus) PQstatus;
};

template <class Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

std::optional<Libpq> load() {
  void* const library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  Libpq functions{};
  bool complete = true;
  complete = find(library, "PQclear", functions.PQclear) && complete;
  complete = find(library, "PQcmdTuples", functions.PQcmdTuples) && complete;
  complete = find(library, "PQconnectPoll", functions.PQconnectPoll) && complete;
  complete = find(library, "PQconnectStart", functions.PQconnectStart) && complete;
  complete = find(library, "PQconsumeInput", functions.PQconsumeInput) && complete;
  complete = find(library, "PQenterPipelineMode", functions.PQenterPipelineMode) && complete;
  complete = find(library, "PQerrorMessage", functions.PQerrorMessage) && complete;
  complete = find(library, "PQexitPipelineMode", functions.PQexitPipelineMode) && complete;
  complete = find(library, "PQfinish", functions.PQfinish) && complete;
  complete = find(library, "PQflush", functions.PQflush) && complete;
  complete = find(library, "PQfreemem", functions.PQfreemem) && complete;
  complete = find(library, "PQgetResult", functions.PQgetResult) && complete;
  complete = find(library, "PQgetlength", functions.PQgetlength) && complete;
  complete = find(library, "PQgetvalue", functions.PQgetvalue) && complete;
  complete = find(library, "PQisBusy", functions.PQisBusy) && complete;
  complete = find(library, "PQnfields", functions.PQnfields) && complete;
  complete = find(library, "PQnotifies", functions.PQnotifies) && complete;
  complete = find(library, "PQntuples", functions.PQntuples) && complete;
  complete = find(library, "PQpipelineSync", functions.PQpipelineSync) && complete;
  complete = find(library, "PQresultErrorField", functions.PQresultErrorField) && complete;
  complete = find(library, "PQresultStatus", functions.PQresultStatus) && complete;
  complete = find(library, "PQsendQueryParams", functions.PQsendQueryParams) && complete;
  complete = find(library, "PQsetNoticeReceiver", functions.PQsetNoticeReceiver) && complete;
  complete = find(library, "PQsetnonblocking", functions.PQsetnonblocking) && complete;
  complete = find(library, "PQsocket", functions.PQsocket) && complete;
  complete = find(library, "PQstatus", functions.PQstatus) && complete;
  return complete ? std::optional(functions) : std::nullopt;
}

const std::optional<Libpq>& loaded() {
  static const std::optional<Libpq> kLoaded = load();
  return kLoaded;
}

// open_postgres() has seen that it is there.
const Libpq& pq() {
  return *loaded();
}

struct Finish {
  void operator()(PGconn* connection) const { pq().PQfinish(connection); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
struct Clear {
  void operator()(PGresult* result) const { pq().PQclear(result); }
};
using Outcome = std::unique_ptr<PGresult, Clear>;

// When the process ends; of Clock, far away while it does not.
std::atomic<Clock::duration> ending = Clock::duration::max();
// When this thread has waited enough; see AtMost.
thread_local Clock::time_point enough = Clock::time_point::max();
// A wait looks so often whether it does.
constexpr std::chrono::milliseconds kEndingSlice{100};

// Waits for a socket; false at the deadline. `wake` ends the wait too.
bool wait_for(int socket, short events, Clock::time_point deadline, int wake = -1) {
  while (true) {
    const auto until = std::min({deadline, enough, Clock::time_point(ending.load(std::memory_order_relaxed))});
    const auto all = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    if (all < 0) return false;
    const auto left = std::min<int64_t>(all, kEndingSlice.count());
    std::array<pollfd, 2> watched{
        {{.fd = socket, .events = events, .revents = 0}, {.fd = wake, .events = POLLIN, .revents = 0}}};
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(left) + 1);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// What the database said of the last thing that this thread asked of it in vain.
thread_local std::string last_message;

// PostgreSQL 15, appendix A.
struct SqlState {
  std::string_view begins;
  base::ErrorCode code;
  const char* context;
};
constexpr SqlState kSqlStates[] = {
    {"23505", base::ErrorCode::already_exists, "running a statement"},  // unique_violation
    {"25006", base::ErrorCode::permission, kReadOnlyDatabase},
    {"28", base::ErrorCode::permission, "the database does not let this user in"},
    {"40", base::ErrorCode::reset, "the database undid the transaction"},  // serialization failure, deadlock
    {"42501", base::ErrorCode::permission, "the database does not permit this user to do it"},
    {"42P01", base::ErrorCode::io, "a table of the database is not there"},
    {"53100", base::ErrorCode::exhausted, "the database's disk is full"},
    {"53200", base::ErrorCode::exhausted, "the database is out of memory"},
    {"53", base::ErrorCode::exhausted, "the database has reached a limit"},
    {"57014", base::ErrorCode::closed, "the database cancelled the statement"},
    {"57", base::ErrorCode::closed, "the database is shutting down"},
};

base::Error error_of(const PGresult* result) {
  const char* const words = pq().PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  last_message = words == nullptr ? "" : words;
  const char* const state = pq().PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view text = state == nullptr ? "" : state;
  for (const SqlState& each : kSqlStates) {
    if (text.starts_with(each.begins)) return {each.code, each.context, 0};
  }
  return {base::ErrorCode::io, "running a statement", 0};
}

bool is_read_only(const base::Error& error) {
  return error.context == kReadOnlyDatabase;
}

class PostgresSession final : public SqlSession {
 public:
  PostgresSession(Connection connection, const PostgresOptions& options)
      : connection_(std::move(connection)), channel_(options.channel), query_limit_(options.query_limit) {}

  Kind kind() const override { return Kind::postgres; }
  using SqlSession::query;
  base::Result<SqlRows> query(std::string_view sql, SqlValues values) override;
  base::Result<void> run_all(std::span<const SqlStatement> statements) override;

  base::Result<void> begin() override {
    TRY_VOID(query("BEGIN"));
    return {};
  }
  base::Result<void> announce() override {
    if (!channel_.empty()) TRY_VOID(query("NOTIFY " + channel_));
    return {};
  }
  bool hears_changes() const override { return !channel_.empty(); }
  base::Result<bool> wait_for_change(base::Duration limit, int wake) override;
  bool broken() const override { return broken_; }
  base::Result<bool> writable() override {
    TRY(rows, query("SHOW transaction_read_only"));
    return rows.empty() || rows.text(0, 0) != "on";
  }

  base::Result<void> listen() {
    if (!channel_.empty()) TRY_VOID(query("LISTEN " + channel_));
    return {};
  }

 private:
  base::Error lost(base::ErrorCode code, const char* context) {
    broken_ = true;
    last_message.clear();
    return {code, context, 0};
  }
  bool send(std::string_view sql, SqlValues values);
  base::Result<void> flush(Clock::time_point deadline);
  // The next result; null after the last of a statement.
  base::Result<Outcome> next_result(Clock::time_point deadline);
  base::Result<SqlRows> rows_of(const PGresult* result) const;
  base::Result<void> drain_pipeline(size_t statements, Clock::time_point deadline);

  Connection connection_;
  std::string channel_;
  base::Duration query_limit_;
  bool broken_ = false;
};

bool PostgresSession::send(std::string_view sql, SqlValues values) {
  // libpq wants C strings; the deque keeps their addresses.
  const std::string statement(sql);
  std::deque<std::string> texts;
  std::vector<const char*> pointers;
  for (const SqlValue& value : values) {
    const auto* text = std::get_if<std::string_view>(&value);
    texts.push_back(text != nullptr ? std::string(*text) : std::to_string(std::get<int64_t>(value)));
    pointers.push_back(texts.back().c_str());
  }
  return pq().PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(pointers.size()), nullptr,
                                pointers.data(), nullptr, nullptr, 0) == 1;
}

base::Result<void> PostgresSession::flush(Clock::time_point deadline) {
  while (true) {
    const int left = pq().PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return base::fail(lost(base::ErrorCode::reset, "sending to the database"));
    if (!wait_for(pq().PQsocket(connection_.get()), POLLIN | POLLOUT, deadline)) {
      return base::fail(lost(base::ErrorCode::deadline_exceeded, "sending to the database"));
    }
    if (pq().PQconsumeInput(connection_.get()) != 1) return base::fail(lost(base::ErrorCode::reset, "the database"));
  }
}

base::Result<Outcome> PostgresSession::next_result(Clock::time_point deadline) {
  while (pq().PQisBusy(connection_.get()) == 1) {
    if (!wait_for(pq().PQsocket(connection_.get()), POLLIN, deadline)) {
      return base::fail(lost(base::ErrorCode::deadline_exceeded, "waiting for the database"));
    }
    if (pq().PQconsumeInput(connection_.get()) != 1) {
      return base::fail(lost(base::ErrorCode::reset, "the connection to the database"));
    }
  }
  return Outcome(pq().PQgetResult(connection_.get()));
}

base::Result<SqlRows> PostgresSession::rows_of(const PGresult* result) const {
  const ExecStatusType status = pq().PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return base::fail(error_of(result));
  const int columns = pq().PQnfields(result);
  SqlRows rows(static_cast<size_t>(columns));
  for (int row = 0; row < pq().PQntuples(result); ++row) {
    for (int column = 0; column < columns; ++column) {
      rows.add({pq().PQgetvalue(result, row, column), static_cast<size_t>(pq().PQgetlength(result, row, column))});
    }
  }
  // PQcmdTuples() takes a pointer to what it does not change.
  rows.changed = std::strtoll(pq().PQcmdTuples(const_cast<PGresult*>(result)), nullptr, 10);
  return rows;
}

base::Result<SqlRows> PostgresSession::query(std::string_view sql, SqlValues values) {
  if (broken_) return base::fail(base::ErrorCode::reset, "the connection to the database");
  const auto deadline = Clock::now() + query_limit_;
  if (!send(sql, values)) return base::fail(lost(base::ErrorCode::reset, "sending to the database"));
  TRY_VOID(flush(deadline));
  auto rows = base::Result<SqlRows>(SqlRows());
  while (true) {
    TRY(outcome, next_result(deadline));
    if (outcome == nullptr) break;
    rows = rows_of(outcome.get());
    if (pq().PQstatus(connection_.get()) != CONNECTION_OK) broken_ = true;
    if (broken_) break;
  }
  if (!rows && is_read_only(rows.error())) broken_ = true;
  return rows;
}

base::Result<void> PostgresSession::drain_pipeline(size_t statements, Clock::time_point deadline) {
  auto first_error = base::Result<void>();
  // Of every statement a result and a null, then that of the synchronisation.
  for (size_t i = 0; i < statements; ++i) {
    while (true) {
      TRY(outcome, next_result(deadline));
      if (outcome == nullptr) break;
      const ExecStatusType status = pq().PQresultStatus(outcome.get());
      const bool fine = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
      if (!fine && first_error) first_error = base::fail(error_of(outcome.get()));
    }
  }
  TRY(synchronised, next_result(deadline));
  if (synchronised == nullptr || pq().PQresultStatus(synchronised.get()) != PGRES_PIPELINE_SYNC) {
    return base::fail(lost(base::ErrorCode::protocol, "the database's pipeline"));
  }
  return first_error;
}

base::Result<void> PostgresSession::run_all(std::span<const SqlStatement> statements) {
  if (broken_) return base::fail(base::ErrorCode::reset, "the connection to the database");
  // Results must be read before the socket's buffers are full in both directions.
  constexpr size_t kAtOnce = 256;
  while (!statements.empty()) {
    const auto batch = statements.first(std::min(statements.size(), kAtOnce));
    statements = statements.subspan(batch.size());
    const auto deadline = Clock::now() + query_limit_;
    bool sent = pq().PQenterPipelineMode(connection_.get()) == 1;
    for (const SqlStatement& each : batch) sent = sent && send(each.sql, each.values);
    sent = sent && pq().PQpipelineSync(connection_.get()) == 1;
    if (!sent) return base::fail(lost(base::ErrorCode::reset, "sending to the database"));
    TRY_VOID(flush(deadline));
    const auto outcome = drain_pipeline(batch.size(), deadline);
    if (!outcome && is_read_only(outcome.error())) {
      broken_ = true;
      return outcome;
    }
    if (broken_ || pq().PQexitPipelineMode(connection_.get()) != 1) {
      return base::fail(lost(base::ErrorCode::reset, "the connection to the database"));
    }
    if (!outcome) return outcome;
  }
  return {};
}

base::Result<bool> PostgresSession::wait_for_change(base::Duration limit, int wake) {
  const auto heard = [this] {
    bool any = false;
    while (PGnotify* notification = pq().PQnotifies(connection_.get())) {
      any = true;
      pq().PQfreemem(notification);
    }
    return any;
  };
  if (heard()) return true;
  if (!wait_for(pq().PQsocket(connection_.get()), POLLIN, Clock::now() + limit, wake)) return false;
  if (pq().PQconsumeInput(connection_.get()) != 1) {
    return base::fail(lost(base::ErrorCode::reset, "the connection to the database"));
  }
  return heard();
}

std::unexpected<base::Error> not_connected(const Connection& connection) {
  last_message = connection == nullptr ? "" : pq().PQerrorMessage(connection.get());
  while (last_message.ends_with('\n')) last_message.pop_back();
  // What cannot be read of an URL is repeated, and it may have a password.
  if (last_message.find("://") != std::string::npos) last_message = "its URL cannot be read";
  return base::fail(base::ErrorCode::refused, "connecting to PostgreSQL");
}

base::Result<Connection> connect(const PostgresOptions& options) {
  last_message.clear();
  const auto deadline = Clock::now() + options.connect_limit;
  Connection connection(pq().PQconnectStart(options.conninfo.c_str()));
  if (connection == nullptr || pq().PQstatus(connection.get()) == CONNECTION_BAD) {
    return not_connected(connection);
  }
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) return not_connected(connection);
    const short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    if (!wait_for(pq().PQsocket(connection.get()), events, deadline)) {
      return base::fail(base::ErrorCode::deadline_exceeded, "connecting to PostgreSQL");
    }
    next = pq().PQconnectPoll(connection.get());
  }
  if (pq().PQsetnonblocking(connection.get(), 1) != 0)
    return base::fail(base::ErrorCode::io, "connecting to PostgreSQL");
  return connection;
}

}  // namespace

std::string last_postgres_message() {
  return last_message;
}

EndingSoon::EndingSoon(base::Duration limit) {
  ending.store((Clock::now() + limit).time_since_epoch(), std::memory_order_relaxed);
}

EndingSoon::~EndingSoon() {
  ending.store(Clock::duration::max(), std::memory_order_relaxed);
}

AtMost::AtMost(base::Duration limit) {
  enough = Clock::now() + limit;
}

AtMost::~AtMost() {
  enough = Clock::time_point::max();
}

base::Result<std::unique_ptr<SqlSession>> open_postgres(const PostgresOptions& options) {
  if (!loaded()) {
    return base::fail(base::ErrorCode::not_found,
                      "loading libpq.so.5, which a PostgreSQL store needs (package libpq5)");
  }
  TRY(connection, connect(options));
  // Notices would go to standard error.
  pq().PQsetNoticeReceiver(connection.get(), [](void*, const PGresult*) {}, nullptr);
  auto session = std::make_unique<PostgresSession>(std::move(connection), options);
  TRY_VOID(session->listen());
  return session;
}

}  // namespace llmgw::store
