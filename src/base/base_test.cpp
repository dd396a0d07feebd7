#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/intrusive_list.h"
#include "base/memory_pool.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/secret.h"
#include "base/text.h"

namespace llmgw::base {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

TEST(Secret, CannotBeStreamedOrConverted) {
  static_assert(!Streamable<Secret>);
  static_assert(!std::is_convertible_v<Secret, std::string>);
  static_assert(!std::is_convertible_v<Secret, std::string_view>);
}

TEST(Secret, MovedFromIsEmpty) {
  Secret first("0123456789012345678901234567890123456789");
  Secret second = std::move(first);
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  EXPECT_EQ(second.size(), 40u);
}

TEST(Secret, ComparesByValue) {
  EXPECT_TRUE(constant_time_equal("abc", "abc"));
  EXPECT_FALSE(constant_time_equal("abc", "abd"));
  EXPECT_FALSE(constant_time_equal("abc", "abcd"));
  EXPECT_TRUE(constant_time_equal("", ""));
}

TEST(MemoryPool, GivesAlignedMemoryOfEverySize) {
  std::vector<std::pair<void*, size_t>> pieces;
  for (int round = 0; round < 2; ++round) {
    for (size_t bytes = 1; bytes <= 5000; bytes += 37) {
      void* memory = MemoryPool::allocate(bytes);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % alignof(std::max_align_t), 0u);
      std::memset(memory, round, bytes);
      pieces.emplace_back(memory, bytes);
    }
    // Freed where they were not taken, and twice over on a thread that ends: nothing may be lost.
    std::thread([&] {
      for (auto [memory, bytes] : pieces) MemoryPool::release(memory, bytes);
      MemoryPool::release(MemoryPool::allocate(100), 100);
    }).join();
    pieces.clear();
  }
  MemoryPool::release(nullptr, 0);
}

TEST(Arena, KeepsAnOrdinaryBlockWhateverCameAfterIt) {
  Arena arena;
  arena.bytes(10 * Arena::kBlockBytes);
  arena.reset();
  EXPECT_EQ(arena.allocated_bytes(), 0u);
  const char* first = arena.bytes(8).data();
  arena.bytes(10 * Arena::kBlockBytes);
  arena.reset();
  EXPECT_EQ(arena.bytes(8).data(), first);
}

TEST(Arena, KeepsAlignmentAndContents) {
  Arena arena;
  auto text = arena.copy("hello");
  for (int i = 0; i < 1000; ++i) {
    auto* number = arena.make<uint64_t>(uint64_t{7});
    EXPECT_EQ(reinterpret_cast<uintptr_t>(number) % alignof(uint64_t), 0u);
    arena.bytes(3);
  }
  EXPECT_EQ(text, "hello");
  EXPECT_EQ(arena.bytes(100'000).size(), 100'000u);
  arena.reset();
  EXPECT_EQ(arena.allocated_bytes(), Arena::kBlockBytes);
}

TEST(Rng, IsDeterministicAndBounded) {
  Rng a(1);
  Rng b(1);
  Rng c(2);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(a.below(7), 7u);
    const double u = a.uniform();
    EXPECT_GE(u, 0.0);
    EXPECT_LT(u, 1.0);
  }
}

TEST(Text, ParsesOnlyPlainDecimals) {
  EXPECT_EQ(parse_decimal("18446744073709551615"), UINT64_MAX);
  EXPECT_FALSE(parse_decimal("18446744073709551616"));
  for (auto bad : {"", "+1", "-1", " 1", "1 ", "0x1", "1e3"}) EXPECT_FALSE(parse_decimal(bad)) << bad;
}

TEST(Text, PercentCoding) {
  EXPECT_EQ(percent_decode("a%2Fb%3a"), "a/b:");
  EXPECT_FALSE(percent_decode("%"));
  EXPECT_FALSE(percent_decode("%4"));
  EXPECT_FALSE(percent_decode("%zz"));
  EXPECT_EQ(percent_encode("a/b:c~"), "a%2Fb%3Ac~");
}

TEST(Text, TrimAndCase) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim("  "), "");
  EXPECT_TRUE(equals_ignoring_case("Content-Length", "content-lengTH"));
  EXPECT_FALSE(equals_ignoring_case("a", "ab"));
}

TEST(Text, SuggestsTypingErrorsOnly) {
  constexpr std::string_view kNames[] = {"endpoint", "provider", "api_key"};
  EXPECT_EQ(closest("endpiont", kNames), "endpoint");
  EXPECT_EQ(closest("apikey", kNames), "api_key");
  EXPECT_EQ(closest("zzzzzzzz", kNames), "");
}

struct Member : ListNode {
  int value = 0;
};

TEST(IntrusiveList, MembersLeaveWhenTheyDie) {
  IntrusiveList<Member> list;
  Member a;
  {
    Member b;
    b.value = 2;
    list.push_back(a);
    list.push_front(b);
    EXPECT_EQ(list.front().value, 2);
  }
  EXPECT_EQ(&list.front(), &a);
  list.pop_front();
  EXPECT_TRUE(list.empty());
}

TEST(Error, OsErrorsKeepTheirNumber) {
  EXPECT_EQ(os_error(ECONNRESET, "read").code, ErrorCode::reset);
  EXPECT_EQ(os_error(ECONNREFUSED, "connect").code, ErrorCode::refused);
  EXPECT_EQ(os_error(EMFILE, "accept").os_error, EMFILE);
}

}  // namespace
}  // namespace llmgw::base
