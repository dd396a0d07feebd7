#include "telemetry/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <type_traits>

#include "base/rng.h"
#include "telemetry/format_checkers.h"
#include "telemetry/redact.h"
#include "telemetry/request_id.h"

namespace llmgw::telemetry {
namespace {

using base::Secret;
using base::WallTime;
using std::chrono::milliseconds;
using Fields = std::map<std::string, std::string>;

static_assert(!std::is_constructible_v<Field, std::string_view, Secret>);
static_assert(!std::is_constructible_v<Field, std::string_view, Secret&>);
static_assert(!std::is_constructible_v<Field, std::string_view, const Secret*>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_assignable_v<decltype(AccessRecord::model)&, Secret>);
static_assert(std::is_constructible_v<Field, std::string_view, std::string>);

Fields parse(std::string_view line) {
  Fields fields;
  EXPECT_TRUE(line.ends_with("}\n")) << line;
  const auto complaint = check_json_object(line.substr(0, line.size() - 1), fields);
  EXPECT_FALSE(complaint) << complaint.value_or("");
  return fields;
}

class LogTest : public testing::Test {
 protected:
  LogTest() {
    EXPECT_TRUE(control_.open());
    log_.use_clock([](const void* now) { return *static_cast<const WallTime*>(now); }, &now_);
  }
  static std::string take(ByteRing& ring) {
    const auto parts = ring.peek();
    std::string text(parts[0]);
    text.append(parts[1]);
    ring.consume(text.size());
    return text;
  }

  WallTime now_{std::chrono::seconds(1'769'904'000) + milliseconds(42)};  // 2026-02-01T00:00:00.042Z
  LogControl control_;
  ByteRing operational_{64 * 1024};
  ByteRing access_{64 * 1024};
  Log log_{control_, operational_, access_};
};

TEST_F(LogTest, OperationalLineGolden) {
  log_.warn("upstream failed", {{"connection", "main"},
                                {"attempt", 2},
                                {"healthy", false},
                                {"share", 0.25},
                                {"waited_ms", milliseconds(1500)},
                                {"error", base::Error{base::ErrorCode::refused, "connect", 111}}});
  EXPECT_EQ(
      take(operational_),
      R"({"ts":"2026-02-01T00:00:00.042Z","level":"warn","msg":"upstream failed","connection":"main","attempt":2,)"
      R"("healthy":false,"share":0.25,"waited_ms":1500.000,"error":"refused","context":"connect","errno":111})"
      "\n");
}

TEST_F(LogTest, EveryLineHasTheTimeOfItsClock) {
  now_ += milliseconds(1500);
  log_.info("a line");
  EXPECT_EQ(parse(take(operational_)).at("ts"), "2026-02-01T00:00:01.542Z");
}

// Nobody has to set a time first: a line of 1970 cannot be.
TEST_F(LogTest, TheRealClockIsTheDefault) {
  Log log(control_, operational_, access_);
  const WallTime before = base::real_wall_now();
  log.info("a line");
  Timestamp earliest;
  Timestamp latest;
  const std::string ts = parse(take(operational_)).at("ts");
  EXPECT_GE(ts, earliest.text(before));
  EXPECT_LE(ts, latest.text(base::real_wall_now()));
}

TEST_F(LogTest, LevelFilters) {
  log_.debug("no");
  EXPECT_TRUE(operational_.empty());
  control_.level = Level::debug;
  log_.debug("yes");
  EXPECT_EQ(parse(take(operational_)).at("msg"), "yes");
  control_.level = Level::off;
  log_.error("no");
  EXPECT_TRUE(operational_.empty());
  EXPECT_EQ(parse_level("warn"), Level::warn);
  EXPECT_FALSE(parse_level("WARN"));
}

AccessRecord full_record() {
  AccessRecord record;
  record.request_id = "req-1";
  record.method = "POST";
  record.target = "/v1/chat/completions?api-version=2024-06-01&key=canary";
  record.endpoint = "chat";
  record.key = "frontend";
  record.model = "gpt-4";
  record.connection = "main";
  record.client = "10.0.0.1";
  record.error_type = "timeout";
  record.status = 504;
  record.upstream_status = 500;
  record.retries = 2;
  record.bytes_in = 1000;
  record.bytes_out = 200;
  record.tokens = {12, 34, -1, 0, -1};
  record.duration = std::chrono::microseconds(1'234'567);
  record.added = std::chrono::nanoseconds(8'099);
  record.upstream = milliseconds(1200);
  record.first_token = milliseconds(7);
  return record;
}

TEST_F(LogTest, AccessLineGolden) {
  log_.access(full_record());
  EXPECT_EQ(take(access_),
            R"({"ts":"2026-02-01T00:00:00.042Z","level":"info","msg":"request","request_id":"req-1","method":"POST",)"
            R"("path":"/v1/chat/completions?api-version=2024-06-01&key=***","endpoint":"chat","key":"frontend",)"
            R"("model":"gpt-4","connection":"main","upstream_status":500,"status":504,"bytes_in":1000,"bytes_out":200,)"
            R"("input_tokens":12,"output_tokens":34,"cache_write_tokens":0,"duration_ms":1234.567,)"
            R"("upstream_ms":1200.000,"added_us":8.099,"ttft_ms":7.000,"retries":2,"error_type":"timeout",)"
            R"("client":"10.0.0.1"})"
            "\n");
  EXPECT_TRUE(operational_.empty());
}

TEST_F(LogTest, AnEstimateSaysThatItIsOne) {
  AccessRecord record = full_record();
  record.estimated = true;
  log_.access(record);
  EXPECT_NE(take(access_).find(R"("cache_write_tokens":0,"estimated":true,"duration_ms")"), std::string::npos);
}

TEST_F(LogTest, UnknownIsAbsent) {
  AccessRecord record;
  record.method = "GET";
  record.target = "/health";
  log_.access(record);
  EXPECT_EQ(take(access_),
            R"({"ts":"2026-02-01T00:00:00.042Z","level":"info","msg":"request","method":"GET","path":"/health",)"
            R"("bytes_in":0,"bytes_out":0,"duration_ms":0.000,"retries":0})"
            "\n");
}

TEST_F(LogTest, SlowRequestIsLoggedTwice) {
  AccessRecord stream = full_record();
  stream.first_token = milliseconds(20);
  control_.slow_request_ns = std::chrono::nanoseconds(milliseconds(21)).count();
  log_.access(stream);
  EXPECT_TRUE(operational_.empty()) << "a long stream that began at once is not slow";
  AccessRecord document = full_record();
  document.first_token = base::Duration(-1);
  control_.slow_request_ns = std::chrono::nanoseconds(milliseconds(1235)).count();
  log_.access(document);
  EXPECT_TRUE(operational_.empty());
  control_.slow_request_ns = std::chrono::nanoseconds(milliseconds(1234)).count();
  log_.access(document);
  const Fields fields = parse(take(operational_));
  EXPECT_EQ(fields.at("msg"), "slow request");
  EXPECT_EQ(fields.at("level"), "warn");
  EXPECT_EQ(fields.at("request_id"), "req-1");
  control_.access_log = false;
  take(access_);
  log_.access(document);
  EXPECT_TRUE(access_.empty());
  EXPECT_FALSE(operational_.empty());
}

TEST_F(LogTest, NothingOfACredentialIsWritten) {
  log_.error("canaries", {{"authorization", "canary"},
                          {"x_api_key", "canary"},
                          {"Set-Cookie", "canary"},
                          {"access_token", "canary"},
                          {"client_secret", std::string("canary")},
                          {"header", "Bearer canary"},
                          {"max_tokens", 5}});
  AccessRecord record = full_record();
  for (const char* target : {"/v1/x?key=canary", "/v1/x?alt=sse&%6Bey=canary#", "http://me:canary@host/v1/x",
                             "/x?canary", "/x?canary=", "/x?key=canary=1", "/x?alt=sse;key=canary",
                             "/x?api-version=canary-canary/canary", "/x?token=canary&key=canary"}) {
    record.target = target;
    log_.access(record);
  }
  const std::string text = take(operational_) + take(access_);
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("canary\"")));
  EXPECT_EQ(text.find("canary", text.find("canaries") + 8), std::string::npos) << text;
  EXPECT_THAT(text, testing::HasSubstr(R"("max_tokens":5)"));
}

TEST(Redact, HarmlessParametersStay) {
  std::array<char, kTargetBytesMax> buffer;
  EXPECT_EQ(loggable_target("/v1/models", buffer), "/v1/models");
  EXPECT_EQ(loggable_target("/a?alt=sse&x=1&&limit=20&$alt=json", buffer), "/a?alt=sse&***&&limit=20&$alt=json");
  EXPECT_EQ(loggable_target("/a?", buffer), "/a?");
  EXPECT_EQ(loggable_target("/" + std::string(2000, 'a') + "?key=x", buffer).size(), kTargetBytesMax);
  EXPECT_EQ(loggable_target("", buffer), "");
}

TEST_F(LogTest, HostileTextStaysOneValidLine) {
  const std::string hostile = std::string("a\"b\\c\n\r\t\x01\x7F\0z", 13) + "\xC3\xBC\xFF\xED\xA0\x80\xF0\x9F\x98\x80";
  log_.info(hostile, {{"value", hostile}});
  const Fields fields = parse(take(operational_));
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(fields.at("value"),
            std::string("a\"b\\c\n\r\t\x01\x7F\0z", 13) + "\xC3\xBC" + bad + bad + bad + bad + "\xF0\x9F\x98\x80");
}

TEST_F(LogTest, LongLinesAreCutAndStayValid) {
  const std::string quotes(5000, '"');
  const std::string text(5000, 'x');
  log_.info("long", {{"a", text}, {"b", quotes}, {"c", text}, {"d", quotes}, {"e", text}, {"f", 1}});
  const std::string line = take(operational_);
  EXPECT_LE(line.size(), kLineBytesMax);
  EXPECT_GT(line.size(), kLineBytesMax - 64);
  const Fields fields = parse(line);
  EXPECT_EQ(fields.at("a"), std::string(JsonLine::kTextBytesMax, 'x') + "\xE2\x80\xA6");
  EXPECT_FALSE(fields.contains("e"));
}

TEST_F(LogTest, AnyTextAtAnyLengthIsValid) {
  base::Rng rng(7);
  constexpr std::array<std::string_view, 8> kPieces{"plain text ", "\"",   "\\",       "\n",
                                                    "\xC3\xBC",    "\xFF", "\xE2\x82", "\x01"};
  for (int round = 0; round < 3000; ++round) {
    std::array<std::string, 5> values;
    for (std::string& value : values)
      for (uint64_t i = rng.below(200); i > 0; --i) value.append(kPieces[rng.below(kPieces.size())]);
    log_.info("m",
              {{"a", values[0]}, {"b", values[1]}, {"c", values[2]}, {"d", values[3]}, {"e", values[4]}, {"n", -1}});
    const std::string line = take(operational_);
    ASSERT_LE(line.size(), kLineBytesMax);
    parse(line);
    ASSERT_FALSE(HasFailure()) << round;
  }
}

TEST(JsonLine, Numbers) {
  JsonLine line;
  line.number("u", UINT64_MAX);
  line.number("i", INT64_MIN);
  line.number("d", 0.1);
  line.number("nan", std::numeric_limits<double>::quiet_NaN());
  line.milliseconds("ms", base::Duration(1'002'999));
  line.microseconds("us", base::Duration(7));
  line.milliseconds("negative", base::Duration(-5));
  EXPECT_EQ(line.finish(),
            "{\"u\":18446744073709551615,\"i\":-9223372036854775808,\"d\":0.1,\"nan\":null,\"ms\":1.002,\"us\":0.007,"
            "\"negative\":0.000}\n");
  line.clear();
  EXPECT_EQ(line.finish(), "{}\n");
}

TEST(Timestamp, IsRfc3339) {
  Timestamp timestamp;
  EXPECT_EQ(timestamp.text(WallTime{}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(timestamp.text(WallTime(milliseconds(951'826'154'999))), "2000-02-29T12:09:14.999Z");
  EXPECT_EQ(timestamp.text(WallTime(milliseconds(951'826'154'998))), "2000-02-29T12:09:14.998Z");
  EXPECT_EQ(timestamp.text(WallTime(milliseconds(1'767'225'599'999) + std::chrono::nanoseconds(999'999))),
            "2025-12-31T23:59:59.999Z");
  EXPECT_EQ(timestamp.text(WallTime(milliseconds(1'767'225'600'000))), "2026-01-01T00:00:00.000Z");
}

TEST(RequestId, AcceptsSaneIdsOnly) {
  base::Rng rng(1);
  const WallTime now(milliseconds(1'469'918'176'385));
  const auto result = [&](std::string_view id) { return std::string(RequestId::accept_or_mint(id, rng, now).view()); };
  const std::string longest(128, 'a');
  for (const std::string& id : {std::string("azAZ09._:/+=@-"), longest, std::string("1")}) EXPECT_EQ(result(id), id);
  for (const std::string& id : {std::string(), longest + "a", std::string("a b"), std::string("a\r\nb"),
                                std::string("\"x\""), std::string("\xC3\xBC"), std::string("a\0b", 3)}) {
    const std::string minted = result(id);
    EXPECT_EQ(minted.size(), RequestId::kMintedBytes);
    EXPECT_TRUE(RequestId::is_acceptable(minted));
    EXPECT_EQ(minted.substr(0, 10), "01ARYZ6S41");  // the example of the ULID specification
  }
}

TEST(RequestId, MintedIdsDifferAndSortByTime) {
  base::Rng rng(base::system_random());
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id(RequestId::mint(rng, WallTime(milliseconds(1'700'000'000'000 + i))).view());
    EXPECT_LT(last, id);
    last = id;
  }
  const WallTime now(milliseconds(1));
  EXPECT_NE(RequestId::mint(rng, now).view(), RequestId::mint(rng, now).view());
}

}  // namespace
}  // namespace llmgw::telemetry
