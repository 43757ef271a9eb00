// What the store keeps, and what it forgets.
#include "lab/store.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    path_ = (std::filesystem::temp_directory_path() /
             (std::string("ogee_store_") + testing::UnitTest::GetInstance()->current_test_info()->name()))
                .string();
    clean();
  }
  ~StoreTest() override { clean(); }
  void clean() const {
    for (const char* ending : {"", "-wal", "-shm", "-processes"}) std::filesystem::remove(path_ + ending);
  }
  static RunKey key(std::uint64_t seed) { return {"relu", Stage::result, seed, 1e-3, 100}; }

  std::string path_;
  const std::string none = "{}";
};

TEST_F(StoreTest, KeepsRunsWithTheirPoints) {
  RunResult result;
  result.test_error = 0.125;
  result.parameters = 7;
  {
    Store store(path_, std::string(R"({"a":1})"));
    const auto id = store.claim(key(1)).run;
    store.point(id, {0, unknown, 0.5, 0.7, {1e-9, 2}});
    store.point(id, {1, 0.4, 0.25, 0.6, {3, 4}});
    store.end(id, result);
  }
  Store store(path_, std::string(R"({"a":1})"));
  const auto found = store.find(key(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->test_error, 0.125);
  EXPECT_EQ(found->parameters, 7);
  EXPECT_TRUE(std::isnan(found->dead));
  const auto all = store.all();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].key, key(1));
  ASSERT_EQ(all[0].result.points.size(), 2u);
  EXPECT_TRUE(std::isnan(all[0].result.points[0].train_loss));
  EXPECT_EQ(all[0].result.points[0].gradients, (std::vector<double>{1e-9, 2}));
  EXPECT_FALSE(store.find(key(2)));
}

TEST_F(StoreTest, RunsThatWereCutGoOnAndFailedOnesAreTriedAgain) {
  std::int64_t cut = 0;
  {
    Store store(path_, none);
    cut = store.claim(key(1)).run;
    store.point(cut, {0, 1, 1, 1, {}});
    RunResult failed;
    failed.status = Status::failed;
    store.end(store.claim(key(2)).run, failed);
    RunResult diverged;
    diverged.status = Status::diverged;
    store.end(store.claim(key(3)).run, diverged);
    EXPECT_FALSE(store.find(key(1)));
    EXPECT_TRUE(store.find(key(2)));
  }
  Store store(path_, none);
  ASSERT_EQ(store.all().size(), 1u);
  EXPECT_EQ(store.all()[0].result.status, Status::diverged);
  const Claim again = store.claim(key(1));
  EXPECT_EQ(again.state, Claim::State::mine);
  EXPECT_TRUE(again.begun);
  EXPECT_EQ(again.run, cut);
  EXPECT_FALSE(store.claim(key(2)).begun);
  EXPECT_EQ(store.claim(key(3)).state, Claim::State::done);
}

// Two stores stand for two processes: their locks are those of open files.
TEST_F(StoreTest, ARunIsClaimedByOneAtATime) {
  Store first(path_, none);
  {
    Store second(path_, none);
    EXPECT_FALSE(first.alone());
    const std::int64_t run = first.claim(key(1)).run;
    EXPECT_EQ(second.claim(key(1)).state, Claim::State::elsewhere);
    EXPECT_EQ(second.claim(key(2)).state, Claim::State::mine);
    EXPECT_EQ(first.claim(key(2)).state, Claim::State::elsewhere);
    first.release(run);
    const Claim taken = second.claim(key(1));
    EXPECT_EQ(taken.state, Claim::State::mine);
    EXPECT_TRUE(taken.begun);
    EXPECT_THROW(first.point(run, {0, 1, 1, 1, {}}), Lost);
    EXPECT_THROW(first.end(run, {}), Lost);
    second.end(taken.run, {});
    EXPECT_EQ(first.claim(key(1)).state, Claim::State::done);
  }
  // The second one has ended without a word: what it had in hand returns.
  EXPECT_TRUE(first.alone());
  EXPECT_EQ(first.claim(key(2)).state, Claim::State::mine);
}

TEST_F(StoreTest, RefusesAnotherExperimentAndOtherFiles) {
  { Store store(path_, std::string(R"({"a":1,"b":[1,2]})")); }
  try {
    Store store(path_, std::string(R"({"a":1,"b":[1,3]})"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("b is [1,2] there, [1,3] here"), std::string::npos) << error.what();
  }
  clean();
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_THROW(Store(path_, none), Error);
  EXPECT_THROW(Store("/nowhere/at/all.db", none), Error);
  clean();
  sqlite3* old = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &old), SQLITE_OK);
  sqlite3_exec(old, "CREATE TABLE runs(id INTEGER PRIMARY KEY)", nullptr, nullptr, nullptr);
  sqlite3_close(old);
  try {
    Store store(path_, none);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("another version of Ogee"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace ogee::lab
