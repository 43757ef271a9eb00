// What claims/associative_recall.toml runs, at a few updates: broken off, it goes on to the same numbers.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <filesystem>
#include <map>

#include "ogee/libtorch.h"
#include "claims/studies.h"
#include "ogee/ogee.h"

namespace ogee::claims::recall_test {
namespace {

namespace files = std::filesystem;

constexpr const char* small = R"toml(
target_error = 0.05
data.data = "associative_recall(bits=3,length=1,most=3,train=200,validation=50,test=50)"
model.name = "ntm(controller=lstm,gates=all,memory=9x4)"
model.width = 6
training = { epochs = 2, batch = 20, seeds = 2, learning_rate = 1e-3, optimiser = "rmsprop", momentum = 0.9, clip_value = 10 }
[[arm]]
name = "plain"
activation = "tanh"
[[arm]]
name = "annealed NAN"
activation = "nan(base=tanh)"
schedule.c = { from = 30, to = 0.5, shape = "c/sqrt(t+1)", every = 1 }
)toml";

using Values = std::map<std::string, double>;
Values values_of(const std::vector<Observation>& observations) {
  Values values;
  for (const Observation& each : observations)
    if (each.measure.find("seconds") == std::string::npos && each.measure != "ms_per_step")
      values[each.arm + " " + std::to_string(each.seed) + " " + each.measure] = each.value;
  return values;
}
std::string fresh_folder(const std::string& name) {
  const std::string folder = testing::TempDir() + "ogee-" + name;
  files::remove_all(folder);
  files::create_directories(folder);
  return folder;
}

TEST(RecallClaim, GoesOnWhereItWasStoppedToTheSameNumbers) {
  const Values whole = values_of(study_of("comparison", small)->run({fresh_folder("recall-whole"), 1}));
  EXPECT_EQ(whole.at("plain 1 steps_to_error"), 20) << "never, in so few";
  EXPECT_NEAR(whole.at("annealed NAN 2 error"), 0.5, 0.2);
  EXPECT_NEAR(whole.at("plain 2 loss"), std::log(2.0), 0.2);
  EXPECT_EQ(whole.at("plain 1 parameters") + 5 * 6, whole.at("annealed NAN 1 parameters")) << "a p for each unit";

  std::atomic<bool> stop = false;
  Work broken{fresh_folder("recall-broken"), 1};
  broken.stop = &stop;
  broken.progress = [&](std::size_t done, std::size_t, const std::string&) {
    if (done >= 1) stop = true;
  };
  Values part;
  int times = 0;
  do {
    stop = false;
    if (++times > 1) broken.progress = nullptr;
    part = values_of(study_of("comparison", small)->run(broken));
  } while (part.size() < whole.size() && times < 20);
  EXPECT_GT(times, 1);
  EXPECT_EQ(part, whole);
}

}  // namespace
}  // namespace ogee::claims::recall_test
