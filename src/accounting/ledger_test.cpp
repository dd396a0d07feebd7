#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <utility>

#include "accounting/ledger_writer.h"
#include "base/temporary_directory.h"

namespace llmgw::accounting {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

LedgerRecord sample(std::string_view id) {
  LedgerRecord record{.time = 1'800'000'000'123'456'789,
                      .duration = 250'000'000,
                      .status = 200,
                      .upstream_status = 200,
                      .outcome = CallOutcome::cancelled,
                      .priced = true,
                      .streamed = true,
                      .capped = true,
                      .retries = 2,
                      .usage = {},
                      .nano_dollars = 123'456,
                      .texts = {}};
  record.usage.input = 10;
  record.usage.cache_read = 0;
  record.usage.output = 7;
  record.media = {.audio_input = 3, .image_output = 5};
  record.text(LedgerText::id) = id;
  record.text(LedgerText::model) = "gpt-4o";
  record.text(LedgerText::tags) = "a,b";
  record.text(LedgerText::key_id) = "key_1";
  record.text(LedgerText::organization_id) = "org_1";
  record.text(LedgerText::batch) = "batch_1";
  record.text(LedgerText::made_batch) = "batch_2";
  return record;
}

TEST(LedgerRecord, CountsThatNoCallReachesAreCapped) {
  chat::Usage usage;
  usage.input = kTokensMax;
  usage.output = 0;
  EXPECT_FALSE(cap(usage));
  usage.cache_write = kTokensMax + 1;
  usage.reasoning = UINT64_MAX;
  EXPECT_TRUE(cap(usage));
  EXPECT_EQ(usage.input, kTokensMax);
  EXPECT_EQ(usage.cache_read, std::nullopt);
  EXPECT_EQ(usage.cache_write, kTokensMax);
  EXPECT_EQ(usage.output, 0);
  EXPECT_EQ(usage.reasoning, kTokensMax);
  // The sum of several calls may be more.
  usage.cache_write = 2 * kTokensMax;
  EXPECT_FALSE(cap(usage, 2));
  EXPECT_TRUE(cap(usage, 1));
  MediaTokens media{.audio_input = kTokensMax};
  EXPECT_FALSE(cap(media));
  media.image_output = uint64_t{1} << 62;
  EXPECT_TRUE(cap(media));
  EXPECT_EQ(media, (MediaTokens{.audio_input = kTokensMax, .image_output = kTokensMax}));
}

TEST(LedgerRecord, ComesBackAsItWent) {
  const LedgerRecord record = sample("req-1");
  std::array<char, kLedgerRecordBytesMax> bytes;
  const size_t size = encode(record, bytes);
  const auto read = decode({bytes.data(), size});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->time, record.time);
  EXPECT_EQ(read->duration, record.duration);
  EXPECT_EQ(read->outcome, CallOutcome::cancelled);
  EXPECT_TRUE(read->priced && read->streamed && read->capped && !read->estimated);
  EXPECT_EQ(read->retries, 2);
  EXPECT_EQ(read->usage, record.usage) << "unknown stays unknown and 0 stays 0";
  EXPECT_EQ(read->nano_dollars, 123'456);
  EXPECT_EQ(read->media, record.media);
  for (size_t i = 0; i < static_cast<size_t>(LedgerText::media); ++i) EXPECT_EQ(read->texts[i], record.texts[i]);
  for (const LedgerOwner& owner : kLedgerOwners) EXPECT_EQ(read->text(owner.id), record.text(owner.id));
  EXPECT_EQ(read->text(LedgerText::batch), "batch_1");
  EXPECT_EQ(read->text(LedgerText::made_batch), "batch_2");
  // Every shorter text is refused, none is read beyond its end; but one that ends before its ids, or before its media,
  // is an older record.
  const size_t ids = 6 * 2 + std::string_view("key_1org_1batch_1batch_2").size();
  constexpr size_t kMediaBytes = 2 + 4 * sizeof(uint64_t);
  for (size_t cut = 0; cut < size - ids - kMediaBytes; ++cut) {
    EXPECT_FALSE(decode(std::string(bytes.data(), cut))) << cut;
  }
  const std::string without_ids(bytes.data(), size - ids);
  const auto old = decode(without_ids);
  ASSERT_TRUE(old);
  EXPECT_EQ(old->media, record.media);
  EXPECT_EQ(old->text(LedgerText::key_id), "");
  const std::string without_media(bytes.data(), size - ids - kMediaBytes);
  const auto older = decode(without_media);
  ASSERT_TRUE(older);
  EXPECT_FALSE(older->media.any());
  EXPECT_EQ(older->nano_dollars, 123'456);
}

TEST(LedgerRecord, LongTextsAreCutAtACharacter) {
  std::string name(kLedgerTextBytesMax - 1, 'x');
  name += "\xC3\xA4\xC3\xB6";
  LedgerRecord record = sample("r");
  for (auto& text : record.texts) text = name;
  std::array<char, kLedgerRecordBytesMax> bytes;
  const auto read = decode({bytes.data(), encode(record, bytes)});
  ASSERT_TRUE(read);
  EXPECT_EQ(read->text(LedgerText::model), std::string(kLedgerTextBytesMax - 1, 'x'));
}

TEST(Crc32c, IsCastagnolis) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  std::string text;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(crc32c(text), crc32c_by_table(text)) << text.size();
    text.push_back(static_cast<char>(i * 7));
  }
}

std::vector<std::string> ids(std::string_view bytes, SegmentScan* scan = nullptr) {
  std::vector<std::string> found;
  const auto result = scan_segment(bytes, kSegmentHeadBytes, [&](std::string_view payload) {
    found.emplace_back(decode(payload)->text(LedgerText::id));
  });
  if (scan != nullptr) *scan = result;
  return found;
}

TEST(LedgerSegment, WhatIsWrittenIsInTheFile) {
  const base::TemporaryDirectory directory;
  LedgerWriter writer;
  EXPECT_FALSE(writer.append(sample("nowhere")));
  EXPECT_EQ(writer.lost(), 1u);
  auto segment = Segment::create(directory.file("a"), 5);
  ASSERT_TRUE(segment);
  writer.give_spare(std::move(*segment));
  EXPECT_TRUE(writer.append(sample("1")));
  EXPECT_TRUE(writer.append(sample("2")));
  // As another process sees it, now.
  auto file = read_segment(directory.file("a"));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->live);
  SegmentScan scan;
  EXPECT_THAT(ids(file->bytes, &scan), ElementsAre("1", "2"));
  EXPECT_FALSE(scan.torn);
  EXPECT_EQ(scan.end, writer.current()->written());
  writer.take_all();
  EXPECT_FALSE(read_segment(directory.file("a"))->live);
  EXPECT_FALSE(Segment::create(directory.file("a"), 5)) << "an old segment is never written over";
}

long page_faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_minflt;
}

// The disk gets what is written, and the pages populated ahead stay ready for the worker.
TEST(LedgerSegment, SyncingLeavesThePagesAheadAlone) {
#ifdef __has_feature
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer's own memory has more faults than the ledger";
#endif
#endif
  constexpr size_t kPageBytes = 4096;
  constexpr size_t kPages = 256;
  const base::TemporaryDirectory directory;
  auto segment = Segment::create(directory.path() + "/1.seg", 0);
  ASSERT_TRUE(segment);
  (*segment)->populate(kPages * kPageBytes);
  const std::string payload(1000, 'x');
  ASSERT_TRUE((*segment)->append(payload));
  const int fd = (*segment)->duplicate_descriptor();
  ASSERT_TRUE(sync_segment(fd, 0, (*segment)->written()));
  EXPECT_TRUE(sync_segment(fd, (*segment)->written(), (*segment)->written())) << "nothing to do";
  close(fd);
  const long before = page_faults();
  bool whole = true;
  while ((*segment)->written() < (kPages - 1) * kPageBytes) whole = (*segment)->append(payload) && whole;
  // AddressSanitizer's own memory has its faults, too.
  EXPECT_LT(page_faults() - before, static_cast<long>(kPages / 2));
  EXPECT_TRUE(whole);
  EXPECT_FALSE(sync_segment(-1, 0, 100)) << "no file";
}

TEST(LedgerSegment, FullOnesAreTakenAway) {
  LedgerWriter writer;
  std::vector<std::unique_ptr<Segment>> full;
  size_t appended = 0;
  while (full.size() < 3) {
    if (writer.wants_spare()) writer.give_spare(Segment::in_memory());
    ASSERT_TRUE(writer.append(sample(std::to_string(appended))));
    ++appended;
    for (auto& segment : writer.take_full()) full.push_back(std::move(segment));
  }
  size_t expected = 0;
  for (auto& segment : writer.take_all()) full.push_back(std::move(segment));
  for (const auto& segment : full) {
    for (const auto& id : ids(segment->bytes())) EXPECT_EQ(id, std::to_string(expected++));
  }
  EXPECT_EQ(expected, appended);
  EXPECT_EQ(writer.appended(), appended);
}

// A power cut can leave any page as it was or as it is now; what stands before the damage must be found.
TEST(LedgerSegment, ATornTailIsTheEnd) {
  auto segment = Segment::in_memory();
  std::vector<size_t> ends{segment->written()};
  LedgerWriter writer;
  const Segment* const current = segment.get();
  writer.give_spare(std::move(segment));
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(writer.append(sample(std::to_string(i))));
    ends.push_back(current->written());
  }
  const std::string whole(current->bytes());
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    const size_t at = kSegmentHeadBytes + random() % (whole.size() - kSegmentHeadBytes);
    std::string damaged = whole + std::string(4096, '\0');
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
    size_t intact = 0;
    while (ends[intact + 1] <= at) ++intact;
    SegmentScan scan;
    const auto found = ids(damaged, &scan);
    // Padding between frames is nobody's.
    if (found.size() == 20) continue;
    EXPECT_EQ(found.size(), intact);
    EXPECT_TRUE(scan.torn || scan.end == ends[intact]);
  }
  for (size_t cut = 0; cut < whole.size(); cut += 13) {
    SegmentScan scan;
    const auto found = ids(whole.substr(0, cut), &scan);
    EXPECT_LE(scan.end, std::max(cut, kSegmentHeadBytes));
    EXPECT_LE(found.size(), 20u);
  }
}

TEST(LedgerSegment, AReaderFollowsAWriter) {
  LedgerWriter writer;
  auto segment = Segment::in_memory();
  const Segment* const current = segment.get();
  writer.give_spare(std::move(segment));
  constexpr int kRecords = 5000;
  std::jthread worker([&] {
    for (int i = 0; i < kRecords; ++i) EXPECT_TRUE(writer.append(sample(std::to_string(i))));
  });
  size_t at = kSegmentHeadBytes;
  int next = 0;
  while (next < kRecords) {
    const auto scan = scan_segment(current->bytes(), at, [&](std::string_view payload) {
      EXPECT_EQ(decode(payload)->text(LedgerText::id), std::to_string(next));
      ++next;
    });
    EXPECT_FALSE(scan.torn);
    at = scan.end;
  }
}

}  // namespace
}  // namespace llmgw::accounting
