// Splits, limits and standardisation.
#include "ogee/libtorch.h"
#include "data/dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "data/split.h"
#include "ogee/ogee.h"

namespace ogee::data::dataset_test {
namespace {

std::vector<int> labels_of(std::size_t count) {
  std::vector<int> labels;
  for (std::size_t i = 0; i < count; ++i) labels.push_back(i % 10 < 7 ? 0 : i % 10 < 9 ? 1 : 2);
  return labels;
}

std::int64_t count_of(const std::vector<std::int64_t>& part, const std::vector<int>& labels, int label) {
  return std::count_if(part.begin(), part.end(), [&](auto i) { return labels[static_cast<std::size_t>(i)] == label; });
}

TEST(Split, SharesOutEveryClassWithoutOverlap) {
  const auto labels = labels_of(1000);
  const Indices parts = split(1000, labels, 0.2, 0.2, 1);
  std::set<std::int64_t> all;
  for (const auto* part : {&parts.train, &parts.validation, &parts.test}) all.insert(part->begin(), part->end());
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(parts.train.size() + parts.validation.size() + parts.test.size(), 1000u);
  for (int label = 0; label < 3; ++label) {
    const auto size = count_of(parts.train, labels, label);
    EXPECT_EQ(count_of(parts.test, labels, label) * 3, size);
    EXPECT_EQ(count_of(parts.validation, labels, label) * 3, size);
  }
}

TEST(Split, IsTheSameForTheSameSeedOnly) {
  const auto labels = labels_of(200);
  EXPECT_EQ(split(200, labels, 0.2, 0.2, 1).test, split(200, labels, 0.2, 0.2, 1).test);
  EXPECT_NE(split(200, labels, 0.2, 0.2, 1).test, split(200, labels, 0.2, 0.2, 2).test);
}

TEST(Split, ALimitKeepsTheProportions) {
  const auto labels = labels_of(1000);
  const auto few = limit(split(1000, labels, 0.2, 0.2, 1).train, labels, 100, 1);
  EXPECT_EQ(few.size(), 100u);
  EXPECT_EQ(count_of(few, labels, 0), 70);
  EXPECT_EQ(count_of(few, labels, 1), 20);
}

TEST(Split, ALonelyExampleTrains) {
  std::vector<int> labels(50, 0);
  labels[7] = 1;
  const Indices parts = split(50, labels, 0.2, 0.2, 3);
  EXPECT_EQ(count_of(parts.train, labels, 1), 1);
}

TEST(Dataset, Digits) {
  const Dataset set = load({"optdigits", "", 0});
  EXPECT_EQ(set.train.size() + set.validation.size() + set.test.size(), 1797);
  EXPECT_NEAR(static_cast<double>(set.train.size()) / 1797, 0.6, 0.01);
  EXPECT_NEAR(static_cast<double>(set.test.size()) / 1797, 0.2, 0.01);
  EXPECT_EQ(set.shape, (std::vector<std::int64_t>{1, 8, 8}));
  EXPECT_EQ(set.outputs(), 10);
  EXPECT_NEAR(set.train.x.mean().item<double>(), 0, 1e-5);
  EXPECT_NEAR(set.train.x.std(false).item<double>(), 1, 1e-5);
  // The scale comes from the training part alone.
  EXPECT_GT(std::abs(set.test.x.mean().item<double>()), 1e-6);
  EXPECT_EQ(set.fingerprint, load({"optdigits", "", 0}).fingerprint);
  EXPECT_NE(set.fingerprint, load({"optdigits", "", 500}).fingerprint);
  EXPECT_EQ(load({"optdigits", "", 500}).train.size(), 500);
  EXPECT_EQ(load({"optdigits", "", 500}).test.size(), set.test.size());
}

TEST(Dataset, RegressionIsStandardisedAndUndone) {
  const auto path = std::filesystem::temp_directory_path() / "ogee_regression.csv";
  {
    std::ofstream file(path);
    file << "x,constant,y\n";
    for (int i = 0; i < 200; ++i) file << i << ",3," << 100 + 10.5 * i << "\n";
  }
  const Dataset set = load({path.string(), "y", 0});
  std::filesystem::remove(path);
  EXPECT_EQ(set.goal, Goal::regression);
  EXPECT_NEAR(set.train.y.mean().item<double>(), 0, 1e-5);
  EXPECT_NEAR(set.train.y.std(false).item<double>(), 1, 1e-5);
  EXPECT_GT(set.target_deviation, 500);
  EXPECT_TRUE(set.train.x.select(1, 1).eq(0).all().item<bool>());
  EXPECT_TRUE(std::any_of(set.notes.begin(), set.notes.end(),
                          [](const auto& note) { return note.find("constant") != std::string::npos; }));
}

TEST(Dataset, UnknownNames) {
  EXPECT_THROW(load({"imagenet", "", 0}), Error);
  EXPECT_THROW(load({"optdigits", "digit", 0}), Error);
}

}  // namespace
}  // namespace ogee::data::dataset_test
