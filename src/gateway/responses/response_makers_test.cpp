#include "gateway/responses/response_makers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>

#include "store/sqlite.h"

namespace llmgw::gateway {
namespace {

class ResponseMakersFor : public testing::Test {
 protected:
  ResponseMakersFor() {
    folder_ = std::filesystem::temp_directory_path() / ("llmgw-makers-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    open();
  }
  ~ResponseMakersFor() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    store_.reset();  // finishes what it was told
    store_ = std::make_unique<store::ResponsesStore>(
        store::ResponsesStore::Settings{.connect = [this]() -> base::Result<std::unique_ptr<store::SqlSession>> {
          if (away_) return base::fail(base::ErrorCode::refused, "away");
          return store::open_sqlite((folder_ / "responses.db").string());
        }});
  }
  std::optional<store::Maker::Mark> saved(std::string_view id) {
    open();
    std::optional<store::Maker::Mark> owner;
    store_->post([&](store::Responses* responses) {
      if (const auto found = responses->maker_of(mark_of(id))) owner = *found;
    });
    open();
    return owner;
  }

  std::filesystem::path folder_;
  std::atomic<bool> away_ = false;
  ResponseMakers makers_;
  std::unique_ptr<store::ResponsesStore> store_;
};

TEST_F(ResponseMakersFor, TheFirstHasMadeIt) {
  EXPECT_FALSE(makers_.find(mark_of("resp_1")));
  EXPECT_TRUE(makers_.note("resp_1", "me", store_.get()));
  EXPECT_TRUE(makers_.note("resp_1", "you", store_.get()));
  EXPECT_EQ(makers_.find(mark_of("resp_1")), mark_of("me"));
  EXPECT_FALSE(makers_.find(mark_of("resp_2")));
  EXPECT_EQ(saved("resp_1"), mark_of("me"));
  EXPECT_EQ(saved("resp_2"), std::nullopt);
}

TEST_F(ResponseMakersFor, WithoutADatabaseItIsRemembered) {
  EXPECT_TRUE(makers_.note("resp_1", "me", nullptr));
  EXPECT_EQ(makers_.find(mark_of("resp_1")), mark_of("me"));
}

TEST_F(ResponseMakersFor, TheNewestAreRememberedAndAllAreSaved) {
  constexpr size_t kCount = ResponseMakers::kRememberedMax / 8;
  for (size_t i = 0; i < kCount; ++i) makers_.remember({.id = {7, static_cast<int64_t>(i)}, .owner = {}});
  // All of one set.
  EXPECT_TRUE(makers_.find({7, kCount - 1}));
  EXPECT_FALSE(makers_.find({7, 0}));
  makers_.note("resp_1", "me", store_.get());
  makers_.remember({.id = mark_of("resp_1"), .owner = mark_of("you")});
  EXPECT_EQ(makers_.find(mark_of("resp_1")), mark_of("me"));
}

TEST_F(ResponseMakersFor, WhatADatabaseMissesItGetsWhenItIsBack) {
  away_ = true;
  open();
  EXPECT_TRUE(makers_.note("resp_1", "me", store_.get()));
  open();  // it has been told, and could not save it
  size_t untold = 0;
  for (size_t i = 0; i < ResponseMakers::kUnsavedMax; ++i) {
    if (!makers_.note("more" + std::to_string(i), "me", nullptr)) ++untold;
  }
  EXPECT_EQ(untold, 0U);  // nobody is there to save them
  away_ = false;
  open();
  EXPECT_TRUE(makers_.note("resp_2", "you", store_.get()));
  EXPECT_EQ(saved("resp_1"), mark_of("me"));
  EXPECT_EQ(saved("resp_2"), mark_of("you"));
}

TEST_F(ResponseMakersFor, TooManyToWaitAreToldOf) {
  away_ = true;
  open();
  size_t told = 0;
  for (size_t i = 0; i <= ResponseMakers::kUnsavedMax; ++i) {
    if (!makers_.note(std::to_string(i), "me", store_.get())) ++told;
  }
  EXPECT_EQ(told, 1U);
}

}  // namespace
}  // namespace llmgw::gateway
