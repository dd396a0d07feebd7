#include "gateway/entrance/descriptors.h"

#include <gtest/gtest.h>

namespace llmgw::gateway {
namespace {

TEST(ClientsAllowed, LeaveEveryoneADescriptorForItsUpstream) {
  for (const uint64_t open_files : {256, 1024, 4096, 524'288}) {
    for (const size_t workers : {size_t{1}, size_t{2}, size_t{8}}) {
      const uint64_t clients = clients_allowed(open_files, workers) * workers;
      EXPECT_LE(2 * clients + kOwnDescriptors + workers * kWorkerDescriptors, open_files);
      EXPECT_GT(2 * (clients + workers) + kOwnDescriptors + workers * kWorkerDescriptors, open_files);
    }
  }
}

TEST(ClientsAllowed, OneAWorkerWithWhatIsNeededToServe) {
  for (const size_t workers : {size_t{1}, size_t{2}, size_t{64}}) {
    EXPECT_EQ(clients_allowed(descriptors_needed(workers), workers), 1u);
    EXPECT_EQ(clients_allowed(descriptors_needed(workers) + kCallDescriptors * workers, workers), 2u);
  }
  EXPECT_LE(descriptors_needed(64), 1024u) << "what many systems allow by default";
}

TEST(ClientsAllowed, AtTheEdges) {
  EXPECT_EQ(clients_allowed(0, 1), 1u) << "one may always come";
  EXPECT_EQ(clients_allowed(64, 64), 1u);
  EXPECT_EQ(clients_allowed(UINT64_MAX, 1), UINT32_MAX) << "no limit";
}

}  // namespace
}  // namespace llmgw::gateway
