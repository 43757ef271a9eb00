// What the store keeps, and what it forgets.
#include "lab/store.h"

#include <gtest/gtest.h>

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
    for (const char* ending : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + ending);
  }
  static RunKey key(std::uint64_t seed) { return {"relu", Stage::result, seed, 1e-3, 100}; }

  std::string path_;
};

TEST_F(StoreTest, KeepsRunsWithTheirPoints) {
  RunResult result;
  result.test_error = 0.125;
  result.parameters = 7;
  {
    Store store(path_, R"({"a":1})");
    const auto id = store.begin(key(1));
    store.point(id, {0, unknown, 0.5, 0.7, {1e-9, 2}});
    store.point(id, {1, 0.4, 0.25, 0.6, {3, 4}});
    store.end(id, result);
  }
  Store store(path_, R"({"a":1})");
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

TEST_F(StoreTest, ForgetsRunsThatWereCutOrFailed) {
  {
    Store store(path_, "{}");
    store.point(store.begin(key(1)), {0, 1, 1, 1, {}});
    RunResult failed;
    failed.status = Status::failed;
    store.end(store.begin(key(2)), failed);
    RunResult diverged;
    diverged.status = Status::diverged;
    store.end(store.begin(key(3)), diverged);
    EXPECT_FALSE(store.find(key(1)));
    store.drop(store.begin(key(4)));
  }
  Store store(path_, "{}");
  ASSERT_EQ(store.all().size(), 1u);
  EXPECT_EQ(store.all()[0].result.status, Status::diverged);
  store.begin(key(1));  // free again
  store.begin(key(4));
}

TEST_F(StoreTest, RefusesAnotherExperimentAndOtherFiles) {
  { Store store(path_, R"({"a":1,"b":[1,2]})"); }
  try {
    Store store(path_, R"({"a":1,"b":[1,3]})");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("b is [1,2] there, [1,3] here"), std::string::npos) << error.what();
  }
  clean();
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_THROW(Store(path_, "{}"), Error);
  EXPECT_THROW(Store("/nowhere/at/all.db", "{}"), Error);
}

}  // namespace
}  // namespace ogee::lab
