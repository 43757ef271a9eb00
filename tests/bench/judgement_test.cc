// What is made of measurements, over made-up ones.
#include "bench/speed/judgement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace ogee::bench {
namespace {

Figures figures() {
  Figures all;
  all.add("b", 4);
  all.add("a", 1);
  all.add("c", 2);
  return all;
}

TEST(Judgement, ExtremesAndMeans) {
  const Figures all = figures();
  EXPECT_EQ(all.least(), 1);
  EXPECT_EQ(all.most(), 4);
  EXPECT_NEAR(all.geometric(), 2, 1e-12);  // the cube root of 8
  EXPECT_EQ(all.list(), "a 1.00, c 2.00, b 4.00");
}

TEST(Judgement, BoundsAreInclusive) {
  const Figures all = figures();
  EXPECT_TRUE(all.every_at_least("", 1).met());
  EXPECT_FALSE(all.every_at_least("", 1.01).met());
  EXPECT_TRUE(all.every_at_most("", 4).met());
  EXPECT_FALSE(all.every_at_most("", 3.99).met());
  EXPECT_TRUE(all.mean_at_least("", 1.99).met());
  EXPECT_FALSE(all.mean_at_least("", 2.01).met());
}

TEST(Judgement, NamesThoseThatMiss) {
  const Figures all = figures();
  EXPECT_EQ(all.every_at_least("", 3).detail, "2 of 3 miss it: a 1.00, c 2.00");
  EXPECT_EQ(all.every_at_most("", 1.5).detail, "2 of 3 miss it: b 4.00, c 2.00");  // the worst first
  EXPECT_EQ(all.every_at_least("", 1).detail, "all 3");
  EXPECT_EQ(all.mean_at_least("", 1).detail, "geometric mean of 3");
}

TEST(Judgement, NothingMeasuredIsNothingMet) {
  const Figures none;
  for (const Part& part : {none.every_at_least("", 0), none.every_at_most("", 1e9), none.mean_at_least("", 0),
                           Part{"", NAN, true, 0, ""}}) {
    EXPECT_TRUE(std::isnan(part.figure));
    EXPECT_FALSE(part.met());
  }
  EXPECT_EQ(none.every_at_least("", 0).detail, "nothing to compare");
  EXPECT_FALSE((Goal{"empty", {}}.met()));
}

TEST(Judgement, AGoalIsMetWhereAllItsPartsAre) {
  const Part good{"good", 2, true, 1, ""}, bad{"bad", 2, false, 1, "detail"};
  EXPECT_TRUE((Goal{"", {good, good}}.met()));
  EXPECT_FALSE((Goal{"", {good, bad}}.met()));
}

TEST(Judgement, ReportsSayWhichAreMet) {
  const Part good{"good", 2, true, 1, "fine"}, bad{"bad", 2, false, 1.5, "too slow"};
  const Part nothing{"nothing", std::numeric_limits<double>::quiet_NaN(), true, 1, ""};
  nlohmann::ordered_json report = {{"wrong", nlohmann::ordered_json::array()}};
  report["goals"] = to_json({{"first", {good}}, {"second", {good, bad, nothing}}});
  EXPECT_TRUE(report["goals"][0]["met"]);
  EXPECT_FALSE(report["goals"][1]["met"]);
  EXPECT_EQ(report["goals"][0]["parts"][0]["bound"], "at least 1");
  EXPECT_EQ(report["goals"][1]["parts"][1]["bound"], "at most 1.5");
  EXPECT_TRUE(report["goals"][1]["parts"][2]["figure"].is_null());
  EXPECT_FALSE(all_met(report));
  const std::string text = text_of(report);
  EXPECT_NE(text.find("first: met"), std::string::npos) << text;
  EXPECT_NE(text.find("second: not met"), std::string::npos) << text;
  EXPECT_NE(text.find("too slow"), std::string::npos) << text;

  report["goals"].erase(1);
  EXPECT_TRUE(all_met(report));
  report["wrong"].push_back("tanh forward: another function");
  EXPECT_FALSE(all_met(report));
  EXPECT_NE(text_of(report).find("ogee itself is wrong: tanh"), std::string::npos);
}

}  // namespace
}  // namespace ogee::bench
