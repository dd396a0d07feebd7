#include "app/process/handoff_protocol.h"

#include <gtest/gtest.h>

namespace llmgw::process {
namespace {

using base::ErrorCode;
using Names = std::vector<std::string>;

Names numbered(size_t count) {
  Names names;
  for (size_t index = 0; index < count; ++index) names.push_back("127.0.0.1:" + std::to_string(1000 + index));
  return names;
}

TEST(Offer, ComesOutAsItWentIn) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{64}, size_t{65}, kHandoffListenersMax}) {
    const Names names = numbered(count);
    auto packets = write_offer(names);
    ASSERT_TRUE(packets);
    OfferReader reader;
    size_t descriptors = 0;
    for (const OfferPacket& packet : *packets) {
      EXPECT_EQ(packet.first, descriptors);
      EXPECT_LE(packet.count, kDescriptorsPerPacketMax);
      ASSERT_TRUE(reader.add(packet.text, packet.count));
      EXPECT_FALSE(reader.complete());
      descriptors += packet.count;
    }
    ASSERT_TRUE(reader.add("pidfile", 1));
    EXPECT_TRUE(reader.pid_file_just_came());
    ASSERT_TRUE(reader.add("offered", 0));
    EXPECT_FALSE(reader.pid_file_just_came());
    EXPECT_TRUE(reader.complete());
    EXPECT_EQ(reader.names(), names);
    EXPECT_EQ(descriptors, count);
  }
}

TEST(Offer, StaysWithinItsLimits) {
  EXPECT_EQ(write_offer(numbered(kHandoffListenersMax + 1)).error().code, ErrorCode::too_large);
  EXPECT_EQ(write_offer({std::string(kListenerNameBytesMax + 1, 'x')}).error().code, ErrorCode::too_large);
  EXPECT_EQ(write_offer({"a\nb"}).error().code, ErrorCode::invalid_argument);
}

TEST(OfferReader, ADescriptorThatIsMissingIsNoticed) {
  OfferReader reader;
  EXPECT_EQ(reader.add("listeners 0 2\na\nb\n", 1).error().code, ErrorCode::exhausted);
}

TEST(OfferReader, ARefusalIsToldFromNonsense) {
  OfferReader reader;
  EXPECT_EQ(reader.add(R"({"ok":false,"error":"x"})", 0).error().code, ErrorCode::permission);
}

TEST(OfferReader, NonsenseIsAProtocolError) {
  const std::string many = std::to_string(kHandoffListenersMax + 1);
  for (const std::string& packet :
       {std::string("listeners"), std::string("listeners 0 1"), std::string("listeners 1 2\na\n"),
        std::string("listeners 0 1\na"), std::string("listeners 0 1\na\nb\n"), std::string("listeners x 1\na\n"),
        std::string("listeners 0 " + many + "\na\n"), std::string("draining"), std::string("ready"), std::string(" "),
        std::string("offered "), "listeners 0 1\n" + std::string(kListenerNameBytesMax + 1, 'x') + "\n"}) {
    OfferReader reader;
    EXPECT_EQ(reader.add(packet, 1).error().code, ErrorCode::protocol) << packet;
  }
  OfferReader early;
  ASSERT_TRUE(early.add("listeners 0 2\na\n", 1));
  EXPECT_EQ(early.add("offered", 0).error().code, ErrorCode::protocol);
  EXPECT_EQ(early.add("listeners 1 3\nb\n", 1).error().code, ErrorCode::protocol);
  OfferReader twice;
  ASSERT_TRUE(twice.add("pidfile", 1));
  EXPECT_EQ(twice.add("pidfile", 1).error().code, ErrorCode::protocol);
  OfferReader after;
  ASSERT_TRUE(after.add("offered", 0));
  EXPECT_EQ(after.add("offered", 0).error().code, ErrorCode::protocol);
}

TEST(HandoffDonor, ServesOneSuccessorAtATime) {
  HandoffDonor donor;
  EXPECT_EQ(donor.on_ready(1).error().code, ErrorCode::protocol);
  EXPECT_TRUE(donor.on_takeover(1, "1"));
  EXPECT_TRUE(donor.offered_to(1));
  EXPECT_EQ(donor.on_takeover(2, "1").error().code, ErrorCode::already_exists);
  EXPECT_EQ(donor.on_ready(2).error().code, ErrorCode::protocol);
  EXPECT_FALSE(donor.on_gone(2));
  EXPECT_TRUE(donor.on_gone(1));
  EXPECT_FALSE(donor.on_gone(1));
  EXPECT_TRUE(donor.on_takeover(2, "1"));
  EXPECT_FALSE(donor.is_ready(2));
  EXPECT_TRUE(donor.on_ready(2));
  EXPECT_TRUE(donor.is_ready(2) && donor.offered_to(2));
  EXPECT_EQ(donor.on_ready(2).error().code, ErrorCode::protocol);
  EXPECT_EQ(donor.on_takeover(3, "1").error().code, ErrorCode::already_exists);
  EXPECT_TRUE(donor.on_gone(2)) << "it served, and died soon";
  EXPECT_TRUE(donor.on_takeover(2, "1"));
  EXPECT_TRUE(donor.on_ready(2));
  EXPECT_FALSE(donor.handed_over());
  donor.on_handed_over();
  EXPECT_TRUE(donor.handed_over());
  EXPECT_FALSE(donor.on_gone(2));
  EXPECT_EQ(donor.on_takeover(3, "1").error().code, ErrorCode::closed);
}

TEST(HandoffDonor, RefusesOtherVersions) {
  HandoffDonor donor;
  for (const char* version : {"", "0", "2", "1 1", "one"}) {
    EXPECT_EQ(donor.on_takeover(1, version).error().code, ErrorCode::unsupported) << version;
  }
}

}  // namespace
}  // namespace llmgw::process
