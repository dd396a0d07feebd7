#include "net/resolver.h"

#include <algorithm>
#include <list>
#include <unordered_map>

#include "base/text.h"
#include "net/dns_cache.h"
#include "net/dns_channel.h"
#include "net/io.h"

namespace llmgw::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::Instant;
using base::Result;

constexpr size_t kNameBytesMax = 253;                           // RFC 1035, section 2.3.4, without the length bytes
constexpr base::Duration kLiteralTtl = std::chrono::hours(24);  // literals do not change

// Letters, digits, '-', '_' and '.', as host names and Kubernetes services have them; IDNs come as punycode.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '.') return false;
  return std::ranges::all_of(name, [](char c) {
    const char lower = base::to_lower(c);
    return (lower >= 'a' && lower <= 'z') || base::is_digit(c) || c == '-' || c == '_' || c == '.';
  });
}

class DnsResolver : public Resolver {
 public:
  DnsResolver(Loop& loop, const DnsOptions& options, std::unique_ptr<DnsChannel> channel)
      : loop_(loop), options_(options), channel_(std::move(channel)) {}

  Task<Result<Resolution>> resolve(std::string host, uint16_t port, Wait wait) override;

 private:
  struct Entry : Timer {
    Entry(DnsResolver& resolver, std::string host)
        : Timer(&on_family_delay), owner(resolver), name(std::move(host)), changed(resolver.loop_) {}
    DnsResolver& owner;
    std::string name;
    DnsName known;
    uint32_t query = 0;
    Instant query_start{};
    Signal changed;
  };
  using Entries = std::list<std::shared_ptr<Entry>>;

  std::shared_ptr<Entry> entry_of(const std::string& name);
  void start_query(const std::shared_ptr<Entry>& entry);
  void on_answer(Entry& entry, uint32_t query, bool v6, DnsAnswer answer);
  static void on_family_delay(Timer& timer);

  Loop& loop_;
  const DnsOptions options_;
  Entries entries_;  // most recently used first
  std::unordered_map<std::string, Entries::iterator> by_name_;
  std::unique_ptr<DnsChannel> channel_;
};

// Entries in use live on with their users when they are forgotten here.
std::shared_ptr<DnsResolver::Entry> DnsResolver::entry_of(const std::string& name) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (entries_.size() >= options_.names_max) {
    by_name_.erase(entries_.back()->name);
    entries_.pop_back();
  }
  entries_.push_front(std::make_shared<Entry>(*this, name));
  by_name_[name] = entries_.begin();
  return entries_.front();
}

void DnsResolver::start_query(const std::shared_ptr<Entry>& entry) {
  const uint32_t query = entry->query = entry->known.query_started();
  entry->query_start = loop_.now();
  DnsAnswer v4;
  DnsAnswer v6;
  channel_->look_up_hosts(entry->name, v4, v6);
  if (v4.status == DnsAnswer::Status::found || v6.status == DnsAnswer::Status::found) {
    on_answer(*entry, query, false, std::move(v4));
    on_answer(*entry, query, true, std::move(v6));
    return;
  }
  for (bool family_v6 : {false, true}) {
    channel_->query(entry->name, family_v6, [entry, query, family_v6](DnsAnswer answer) {
      entry->owner.on_answer(*entry, query, family_v6, std::move(answer));
    });
  }
}

void DnsResolver::on_answer(Entry& entry, uint32_t query, bool v6, DnsAnswer answer) {
  if (entry.known.answered(query, v6, std::move(answer), loop_.now(), options_)) {
    entry.disarm();
    entry.changed.notify();
  } else if (entry.known.half_answered() && !entry.armed()) {
    loop_.timers().arm(entry, loop_.now() + options_.family_delay);
  }
}

void DnsResolver::on_family_delay(Timer& timer) {
  auto& entry = static_cast<Entry&>(timer);
  DnsResolver& resolver = entry.owner;
  if (entry.known.waited_enough(entry.query, resolver.loop_.now(), resolver.options_)) entry.changed.notify();
}

Task<Result<Resolution>> DnsResolver::resolve(std::string host, uint16_t port, Wait wait) {
  if (auto known = resolve_without_query(host, port)) co_return std::move(*known);
  if (!is_host_name(host)) co_return fail(ErrorCode::invalid_argument, "not a host name");
  std::ranges::transform(host, host.begin(), base::to_lower);
  const std::shared_ptr<Entry> entry = entry_of(host);
  DnsName& known = entry->known;
  for (;;) {
    if (known.query_due(loop_.now())) start_query(entry);
    const Instant now = loop_.now();
    const DnsName::State state = known.state(now);
    if (state == DnsName::State::fresh) co_return known.resolution(port, now, options_);
    if (state == DnsName::State::failed || (state == DnsName::State::unknown && !known.querying())) {
      co_return fail(known.error());
    }
    const bool stale = state == DnsName::State::stale;
    const Instant patience = stale ? entry->query_start + options_.patience : base::kNever;
    if (stale && (!known.querying() || known.failing() || patience <= now)) {
      co_return known.resolution(port, now, options_);
    }
    auto waited = co_await entry->changed.wait({std::min(wait.deadline, patience), wait.cancellation});
    if (!waited && (waited.error().code != ErrorCode::deadline_exceeded || wait.deadline <= loop_.now())) {
      co_return fail(waited.error().code, "name resolution");
    }
  }
}

}  // namespace

std::optional<Resolution> resolve_without_query(std::string_view host, uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  if (auto literal = Address::from_ip(host, port)) return Resolution{{*literal}, kLiteralTtl, false};
  std::string name(host);
  if (name.ends_with('.')) name.pop_back();
  std::ranges::transform(name, name.begin(), base::to_lower);
  if (name != "localhost" && !name.ends_with(".localhost")) return std::nullopt;
  // IPv4 first: what runs on this machine mostly listens there, and the refused attempt would be for nothing.
  return Resolution{{*Address::from_ip("127.0.0.1", port), *Address::from_ip("::1", port)}, kLiteralTtl, false};
}

Result<std::unique_ptr<Resolver>> make_dns_resolver(Loop& loop, const DnsOptions& options) {
  TRY(channel, open_dns_channel(loop, options));
  return std::make_unique<DnsResolver>(loop, options, std::move(channel));
}

}  // namespace llmgw::net
