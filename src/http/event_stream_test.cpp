#include "http/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace llmgw::http {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using namespace std::string_view_literals;

struct Seen {
  std::string event_type;
  std::string payload;
  bool operator==(const Seen&) const = default;
};

struct Outcome {
  std::vector<Seen> messages;
  std::optional<ErrorCode> error;
  bool between = true;
  size_t ended = 0;  // messages whose end the walker has seen
};

Outcome read(std::string_view bytes, size_t step) {
  EventStreamReader reader;
  Outcome outcome;
  for (size_t at = 0; at < bytes.size() && !outcome.error; at += step) {
    const std::string piece(bytes.substr(at, step));  // its own allocation, so that a view kept too long is seen
    std::string_view left = piece;
    while (!left.empty() && !outcome.error) {
      const auto message = reader.next(left);
      if (!message) {
        outcome.error = message.error().code;
      } else if (*message) {
        outcome.messages.push_back({std::string((*message)->text(":event-type")), std::string((*message)->payload)});
      }
    }
  }
  outcome.between = reader.between_messages();
  return outcome;
}

Outcome walk(std::string_view bytes, size_t step) {
  EventStreamWalker walker;
  Outcome outcome;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const std::string piece(bytes.substr(at, step));
    std::string_view left = piece;
    while (const auto part = walker.next(left)) {
      if (part->starts) outcome.messages.push_back({std::string(walker.event_type()), ""});
      outcome.messages.back().payload.append(part->payload);
      if (part->ends) ++outcome.ended;
    }
    if (walker.broken()) outcome.error = ErrorCode::protocol;
  }
  outcome.between = walker.between_messages();
  return outcome;
}

std::string event(std::string_view type, std::string_view json) {
  std::string out;
  EXPECT_TRUE(append_event_stream_event(out, type, json));
  return out;
}

// One message put together by hand from the specification: total 29, no headers, the payload {'foo':'bar'}.
constexpr std::string_view kByHand = "\x00\x00\x00\x1d\x00\x00\x00\x00\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36"sv;

TEST(EventStream, ReadsAMessageMadeByHand) {
  EventStreamReader reader;
  std::string_view bytes = kByHand;
  const auto message = reader.next(bytes);
  ASSERT_TRUE(message && *message);
  EXPECT_EQ((*message)->payload, "{'foo':'bar'}");
  EXPECT_TRUE((*message)->headers.empty());
  EXPECT_TRUE(bytes.empty());
  std::string written;
  ASSERT_TRUE(append_event_stream_message(written, {}, "{'foo':'bar'}"));
  EXPECT_EQ(written, kByHand);
}

TEST(EventStream, ReadsWhatItWroteWhateverTheSplit) {
  const std::string stream = event("messageStart", R"({"role":"assistant"})") + event("contentBlockDelta", "") +
                             event("metadata", std::string(5000, 'x'));
  const std::vector<Seen> expected = {
      {"messageStart", R"({"role":"assistant"})"}, {"contentBlockDelta", ""}, {"metadata", std::string(5000, 'x')}};
  for (const size_t step : {size_t{1}, size_t{2}, size_t{3}, size_t{7}, size_t{11}, size_t{12}, size_t{13}, size_t{97},
                            size_t{1000}, stream.size()}) {
    for (const auto& outcome : {read(stream, step), walk(stream, step)}) {
      EXPECT_EQ(outcome.messages, expected) << step;
      EXPECT_FALSE(outcome.error);
      EXPECT_TRUE(outcome.between);
    }
  }
}

TEST(EventStream, KnowsACutAtEveryPlace) {
  const std::string stream = event("messageStart", "{}") + event("messageStop", R"({"stopReason":"end_turn"})");
  const size_t first = event("messageStart", "{}").size();
  for (size_t end = 1; end < stream.size(); ++end) {
    const auto cut = std::string_view(stream).substr(0, end);
    EXPECT_EQ(read(cut, 5).between, end == first) << end;
    EXPECT_EQ(walk(cut, 5).between, end == first) << end;
  }
}

TEST(EventStream, RefusesEveryChangedByte) {
  const std::string good = event("messageStop", R"({"stopReason":"end_turn"})");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    const auto outcome = read(bad, bad.size());
    EXPECT_TRUE(outcome.error) << at;
    EXPECT_TRUE(outcome.messages.empty()) << at;
    for (const size_t step : {size_t{1}, size_t{5}, bad.size()}) {
      const auto walked = walk(bad + good, step);
      EXPECT_TRUE(walked.error) << at << " by " << step;
      EXPECT_EQ(walked.ended, 0U) << at << " by " << step;
    }
  }
}

// A message with the given header block, the checksums right.
std::string with_header_block(std::string_view block) {
  const auto number = [](uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift & 0xFF));
    return bytes;
  };
  const auto crc = [&](const std::string& bytes) {
    return number(static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())));
  };
  std::string message = number(static_cast<uint32_t>(16 + block.size())) + number(static_cast<uint32_t>(block.size()));
  message += crc(message);
  message += block;
  return message + crc(message);
}

TEST(EventStream, RefusesMalformedHeaders) {
  for (const auto block : {"\x00\x00"sv, "\x01"sv,
                           "\x05"
                           "ab"sv,
                           "\x01"
                           "a\x0a"sv,
                           "\x01"
                           "a\x07\x00"sv,
                           "\x01"
                           "a\x07\x00\x05xyz"sv,
                           "\x01"
                           "a\x04\x00\x00"sv,
                           "\x01"
                           "a\x00\x01"
                           "a\x01"sv}) {
    const std::string message = with_header_block(block);
    EXPECT_EQ(read(message, message.size()).error, ErrorCode::protocol) << testing::PrintToString(block);
  }
  std::string many;
  for (size_t i = 0; i <= kEventStreamHeadersMax; ++i)
    many += std::string("\x02") + "h" + static_cast<char>(i) + '\x00';
  const std::string message = with_header_block(many);
  EXPECT_EQ(read(message, message.size()).error, ErrorCode::too_large);
}

TEST(EventStream, ReadsEveryTypeOfHeader) {
  const std::string message = with_header_block(
      "\x01"
      "a\x00\x01"
      "b\x01\x01"
      "c\x02\xff\x01"
      "d\x03\xff\xfe\x01"
      "e\x04\x80\x00\x00\x00\x01"
      "f\x05\xff\xff\xff\xff\xff\xff\xff\xfd\x01"
      "g\x06\x00\x02xy\x01"
      "h\x07\x00\x03xyz\x01"
      "i\x08\x00\x00\x01\x95\x00\x00\x00\x00\x01"
      "j\x09"
      "0123456789abcdef"sv);
  EventStreamReader reader;
  std::string_view bytes = message;
  const auto read = reader.next(bytes);
  ASSERT_TRUE(read && *read);
  const auto headers = (*read)->headers;
  ASSERT_EQ(headers.size(), 10U);
  std::vector<int64_t> numbers;
  for (const auto& header : headers) numbers.push_back(header.number());
  EXPECT_THAT(numbers, ElementsAre(1, 0, -1, -2, INT32_MIN, -3, 0, 0, 0x19500000000, 0));
  EXPECT_EQ(headers[6].value, "xy");
  EXPECT_EQ((*read)->text("h"), "xyz");
  EXPECT_EQ((*read)->text("g"), "");
  EXPECT_EQ(headers[9].value, "0123456789abcdef");
}

TEST(EventStream, WritesAnException) {
  std::string out;
  ASSERT_TRUE(append_event_stream_exception(out, "throttlingException", R"({"message":"slow down"})"));
  EventStreamReader reader;
  std::string_view bytes = out;
  const auto message = reader.next(bytes);
  ASSERT_TRUE(message && *message);
  EXPECT_FALSE((*message)->is_event());
  EXPECT_EQ((*message)->text(":message-type"), "exception");
  EXPECT_EQ((*message)->text(":exception-type"), "throttlingException");
  EXPECT_EQ((*message)->text(":content-type"), "application/json");
  EventStreamWalker walker;
  bytes = out;
  ASSERT_TRUE(walker.next(bytes));
  EXPECT_FALSE(walker.is_event());
}

TEST(EventStream, WritesNothingAboveALimit) {
  std::string out = "before";
  const EventStreamField no_name[] = {{"", "x"}};
  EXPECT_FALSE(append_event_stream_message(out, no_name, ""));
  EXPECT_FALSE(append_event_stream_event(out, std::string(65536, 'x'), ""));
  EXPECT_FALSE(append_event_stream_event(out, "x", std::string(kEventStreamPayloadBytesMax + 1, 'x')));
  EXPECT_EQ(out, "before");
}

TEST(EventStream, WalkerTakesLongHeadersAndRefusesImpossibleLengths) {
  std::string out;
  const EventStreamField fields[] = {{"x-long", std::string_view(kByHand)}, {":event-type", "chunk"}};
  const std::string padding(2000, 'p');
  const EventStreamField long_fields[] = {{"x-long", padding}, {":event-type", "chunk"}};
  ASSERT_TRUE(append_event_stream_message(out, fields, "short"));
  ASSERT_TRUE(append_event_stream_message(out, long_fields, "long"));
  EXPECT_EQ(walk(out, 10).messages, (std::vector<Seen>{{"chunk", "short"}, {"", "long"}}));
  EXPECT_TRUE(walk("\x00\x00\x00\x0f\x00\x00\x00\x00\x00\x00\x00\x00more"sv, 4).error);
  EXPECT_TRUE(walk("<!DOCTYPE html>"sv, 15).error);
}

std::filesystem::path vectors() {
  const char* const cases = std::getenv("LLMGW_CASES");
  return std::filesystem::path(cases != nullptr ? cases : "../shared/cases") / "_framing" / "aws_eventstream";
}

// Also of a file that is not compressed.
std::string read_compressed(const std::filesystem::path& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr) << path;
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (int got = 0; (got = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  gzclose(file);
  return text;
}

// The expectation's spelling of a header.
std::string spelt(const EventStreamHeader& header) {
  using Type = EventStreamHeader::Type;
  const std::string name = "\"" + std::string(header.name) + "\": ";
  const auto hex = [&] {
    std::ostringstream out;
    for (const char c : header.value) {
      out << std::hex << (static_cast<unsigned char>(c) >> 4) << (static_cast<unsigned char>(c) & 15);
    }
    return out.str();
  };
  switch (header.type) {
    case Type::yes: return name + "true";
    case Type::no: return name + "false";
    case Type::string: return name + "\"" + std::string(header.value) + "\"";
    case Type::bytes:
    case Type::uuid: return "\"bytes_hex\": \"" + hex() + "\"";
    default: return name + std::to_string(header.number());
  }
}

TEST(EventStream, AgreesWithTheVectorsOfBotocore) {
  if (!std::filesystem::exists(vectors())) GTEST_SKIP() << "no vectors at " << vectors() << "; LLMGW_CASES says where";
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(vectors() / "positive")) {
    if (entry.path().extension() != ".bin") continue;
    const std::string stream = read_compressed(entry.path());
    auto expectation_file = entry.path();
    const std::string expectation = read_compressed(expectation_file.replace_extension(".json"));
    EventStreamReader reader;
    std::string_view bytes = stream;
    const auto message = reader.next(bytes);
    ASSERT_TRUE(message && *message) << entry.path();
    EXPECT_TRUE(bytes.empty() && reader.between_messages());
    for (const auto& header : (*message)->headers) {
      EXPECT_NE(expectation.find(spelt(header)), std::string::npos) << entry.path() << spelt(header);
    }
    EXPECT_EQ((*message)->payload.empty(), expectation.find("\"payload_hex\": \"\"") != std::string::npos);
    ++count;
  }
  EXPECT_GE(count, 9U);
  for (const auto& entry : std::filesystem::directory_iterator(vectors() / "negative")) {
    if (entry.path().extension() == ".json") continue;
    const std::string stream = read_compressed(entry.path());
    EXPECT_TRUE(read(stream, stream.size()).error) << entry.path();
    ++count;
  }
  EXPECT_GE(count, 16U);
}

}  // namespace
}  // namespace llmgw::http
