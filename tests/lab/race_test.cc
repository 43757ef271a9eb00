// Which arms are stopped, and that the answer depends on complete blocks alone.
#include "lab/race.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace ogee::lab {
namespace {

using Errors = std::vector<std::vector<double>>;
const Race ten{10, 0.002};

// The first arm learns, the second nearly as well, the third not at all.
const Errors errors{{0.030, 0.036, 0.028, 0.034, 0.032, 0.030, 0.036, 0.028, 0.034, 0.032},
                    {0.034, 0.032, 0.036, 0.030, 0.038, 0.034, 0.032, 0.036, 0.030, 0.038},
                    {0.890, 0.910, 0.900, 0.880, 0.900, 0.910, 0.890, 0.900, 0.900, 0.900}};

TEST(Race, StopsWhatIsHopelessAndNothingElse) {
  EXPECT_EQ(out_of_the_race(errors, ten), (std::vector<std::size_t>{0, 0, 3}));
}

TEST(Race, IsTheSameWheneverItIsAsked) {
  // Cut short where the arm was stopped, and while others still run.
  Errors cut = errors;
  cut[2].resize(3);
  EXPECT_EQ(out_of_the_race(cut, ten), (std::vector<std::size_t>{0, 0, 3}));
  cut[0].resize(4);
  EXPECT_EQ(out_of_the_race(cut, ten), (std::vector<std::size_t>{0, 0, 3}));
  // Before the block is complete nothing is decided.
  cut[1].resize(2);
  EXPECT_EQ(out_of_the_race(cut, ten), (std::vector<std::size_t>{0, 0, 0}));
}

TEST(Race, WhatDivergedCannotWin) {
  Errors broken = errors;
  broken[0][1] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(out_of_the_race(broken, ten), (std::vector<std::size_t>{3, 0, 3}));
  for (auto& arm : broken) arm[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(out_of_the_race(broken, ten), (std::vector<std::size_t>{3, 3, 3}));
}

TEST(Race, HasNothingToStopAtItsEnd) {
  EXPECT_EQ(out_of_the_race(errors, {3, 0.002}), (std::vector<std::size_t>{0, 0, 0}));
  EXPECT_TRUE(out_of_the_race({}, ten).empty());
}

TEST(Race, EqualNumbersOfACoarseMeasureAreNoProof) {
  // Without allowing for rounding, differences that are all one example in fifty would be certain.
  const Errors coarse{{0.02, 0.02, 0.02, 0.02, 0.02}, {0.04, 0.04, 0.04, 0.04, 0.04}};
  EXPECT_EQ(out_of_the_race(coarse, {10, 0.02}), (std::vector<std::size_t>{0, 0}));
  EXPECT_EQ(out_of_the_race(coarse, {10, 0}), (std::vector<std::size_t>{0, 3}));
}

}  // namespace
}  // namespace ogee::lab
