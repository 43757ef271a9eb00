// Verdicts from observations whose answer is known, and what the file reader refuses.
#include "claims/verdict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "claims/claim.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

using Relation = Expectation::Relation;

Expectation expectation(Relation relation, double by = 0, double factor = 0) {
  Expectation result;
  result.measure = "error";
  result.arms = {"a"};
  result.than = {"b"};
  result.relation = relation;
  result.by = by;
  result.factor = factor;
  return result;
}

// a: base + shift, b: base, with noise of their own.
std::vector<Observation> observations(double shift, double noise, int seeds, std::uint64_t stream = 1) {
  std::mt19937_64 random(stream);
  std::normal_distribution<double> normal;
  std::vector<Observation> all;
  for (int seed = 1; seed <= seeds; ++seed) {
    const double base = 5 + 3 * normal(random);  // what pairs share
    all.push_back(
        {"a", no_condition, static_cast<std::uint64_t>(seed), "error", base + shift + noise * normal(random)});
    all.push_back({"b", no_condition, static_cast<std::uint64_t>(seed), "error", base + noise * normal(random)});
  }
  return all;
}

TEST(Verdict, PairedDifferences) {
  const auto lower = observations(-1, 0.1, 6);
  EXPECT_EQ(judge(expectation(Relation::below), lower, 1).verdict, Verdict::holds);
  EXPECT_EQ(judge(expectation(Relation::above), lower, 1).verdict, Verdict::does_not_hold);
  // A margin is part of the claim: a is lower by 1, not by 2.
  EXPECT_EQ(judge(expectation(Relation::below, -0.5), lower, 1).verdict, Verdict::holds);
  EXPECT_EQ(judge(expectation(Relation::below, -2), lower, 1).verdict, Verdict::does_not_hold);
  EXPECT_EQ(judge(expectation(Relation::close, 2), lower, 1).verdict, Verdict::holds);
  EXPECT_EQ(judge(expectation(Relation::close, 0.5), lower, 1).verdict, Verdict::does_not_hold);
  EXPECT_EQ(judge(expectation(Relation::below), observations(0, 1, 6), 1).verdict, Verdict::cannot_tell);
  const Judgement judgement = judge(expectation(Relation::below, -0.5), lower, 1);
  EXPECT_NEAR(judgement.contrast, -1, 0.2);  // shown without the margin
  EXPECT_LT(judgement.interval.low, judgement.contrast);
  EXPECT_GT(judgement.interval.high, judgement.contrast);
  EXPECT_EQ(judgement.seeds, 6u);
}

TEST(Verdict, Ratios) {
  std::vector<Observation> all;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const double base = std::pow(10.0, static_cast<double>(seed));  // pairs over five decades
    all.push_back({"a", 3, seed, "error", base * (0.5 + 0.001 * static_cast<double>(seed))});
    all.push_back({"b", 7, seed, "error", base});
  }
  Expectation half = expectation(Relation::below, 0, 0.6);
  half.at = 3;
  half.than_at = 7;
  const Judgement judgement = judge(half, all, 1);
  EXPECT_EQ(judgement.verdict, Verdict::holds);
  EXPECT_NEAR(judgement.contrast, 0.503, 0.001);
  half.factor = 0.4;
  EXPECT_EQ(judge(half, all, 1).verdict, Verdict::does_not_hold);
  half.relation = Relation::close;
  half.factor = 2.5;
  EXPECT_EQ(judge(half, all, 1).verdict, Verdict::holds);
  half.than_at = 3;  // b was not measured there
  EXPECT_EQ(judge(half, all, 1).verdict, Verdict::cannot_tell);
  EXPECT_NE(judge(half, all, 1).problem, "");
}

TEST(Verdict, MeansOfSeveralArmsAndNumbers) {
  std::vector<Observation> all;
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
    for (const auto& [arm, value] : {std::pair("a", 1.0), std::pair("b", 3.0), std::pair("c", 2.5)})
      all.push_back({arm, no_condition, seed, "error", value + 0.01 * static_cast<double>(seed)});
  Expectation mean = expectation(Relation::below);
  mean.arms = {"a", "b"};
  mean.than = {"c"};
  EXPECT_NEAR(judge(mean, all, 1).contrast, -0.5, 1e-12);
  EXPECT_EQ(judge(mean, all, 1).verdict, Verdict::holds);
  mean.than = {};
  mean.number = 1.5;
  EXPECT_EQ(judge(mean, all, 1).verdict, Verdict::does_not_hold);
  mean.number = 2.2;
  EXPECT_EQ(judge(mean, all, 1).verdict, Verdict::holds);
}

TEST(Verdict, NumbersAreShownAsTheyWereMeasured) {
  // 0.1 - 0.3 + 0.3 is not 0.1.
  const std::vector<Observation> exact = {{"a", no_condition, 0, "error", 0.1}, {"b", no_condition, 0, "error", 0.1}};
  Expectation alone = expectation(Relation::close, 0.5);
  alone.than = {};
  alone.number = 0.3;
  EXPECT_EQ(judge(alone, exact, 1).contrast, 0.1);
  EXPECT_EQ(judge(alone, exact, 1).figure, "a: 0.1");
  const Judgement difference = judge(expectation(Relation::above, -0.3), exact, 1);
  EXPECT_EQ(difference.verdict, Verdict::holds);
  EXPECT_EQ(difference.interval.low, 0);
  EXPECT_EQ(difference.figure, "a 0.1, b 0.1: difference 0");
  // The ends are not part of what is claimed.
  EXPECT_EQ(judge(expectation(Relation::below), exact, 1).verdict, Verdict::does_not_hold);
  alone.number = 0.1;
  alone.by = 0.2;
  EXPECT_EQ(judge(alone, exact, 1).verdict, Verdict::holds);
  alone.relation = Relation::below;  // the number and the margin, 0.3
  EXPECT_EQ(judge(alone, exact, 1).verdict, Verdict::holds);
}

TEST(Verdict, WhatIsNotFiniteIsNamed) {
  auto all = observations(-1, 0.1, 6);
  all[0].value = NAN;
  const Judgement judgement = judge(expectation(Relation::below), all, 1);
  EXPECT_EQ(judgement.seeds, 5u);
  EXPECT_NE(judgement.figure.find("left out"), std::string::npos);
  const Judgement one = judge(expectation(Relation::below), observations(-1, 0.1, 1), 1);
  EXPECT_EQ(one.verdict, Verdict::cannot_tell);
  EXPECT_EQ(one.problem, "one seed only");
  // Exact numbers need no seeds.
  const std::vector<Observation> exact = {{"a", no_condition, 0, "error", 1}, {"b", no_condition, 0, "error", 2}};
  EXPECT_EQ(judge(expectation(Relation::below), exact, 1).verdict, Verdict::holds);
}

// Where nothing differs, a claim of three expectations is called true or false in at most 5 % of cases together.
TEST(Verdict, FalseAlarmsAreRare) {
  int wrong = 0;
  constexpr int trials = 2000;
  for (int trial = 0; trial < trials; ++trial) {
    bool called = false;
    for (int part = 0; part < 3; ++part) {
      const auto all = observations(0, 1, 5, static_cast<std::uint64_t>(3 * trial + part + 1));
      called |= judge(expectation(Relation::below), all, 3).verdict != Verdict::cannot_tell;
    }
    wrong += called;
  }
  EXPECT_GT(wrong, trials * 0.03);
  EXPECT_LT(wrong, trials * 0.065);
}

TEST(Verdict, OfTheClaim) {
  const auto of = [](std::initializer_list<Verdict> verdicts) {
    std::vector<Judgement> all;
    for (const Verdict verdict : verdicts) all.emplace_back().verdict = verdict;
    return judge(all);
  };
  EXPECT_EQ(of({Verdict::holds, Verdict::holds}), Verdict::holds);
  EXPECT_EQ(of({Verdict::holds, Verdict::cannot_tell}), Verdict::cannot_tell);
  EXPECT_EQ(of({Verdict::cannot_tell, Verdict::does_not_hold}), Verdict::does_not_hold);
  EXPECT_EQ(of({Verdict::holds, Verdict::cannot_tell, Verdict::does_not_hold}), Verdict::holds_in_part);
}

constexpr const char* good = R"(claim = "c"
source = "s"
study = "slopes"
[small]
scale = "x"
[paper]
scale = "y"
seeds = 7
[[expect]]
text = "t"
measure = "zero_share"
arm = "relu"
relation = "below"
than = 0.9
)";

std::string complaint(const std::string& text, const std::string& preset = "small") {
  try {
    parse_claim(text, "my.toml", preset);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
std::string with(const std::string& from, const std::string& to) {
  std::string text = good;
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ClaimFile, IsReadWhole) {
  EXPECT_EQ(complaint(good), "");
  const Claim claim = parse_claim(good, "folder/my.toml", "paper");
  EXPECT_EQ(claim.name, "my");
  EXPECT_EQ(claim.scale, "y");
  ASSERT_EQ(claim.expectations.size(), 1u);
  EXPECT_EQ(claim.expectations[0].number, 0.9);
}

TEST(ClaimFile, MistakesAreNamedByLine) {
  EXPECT_NE(complaint(with("slopes", "slops")).find("my.toml:3:9: there is no study slops; did you mean 'slopes'?"),
            std::string::npos);
  EXPECT_NE(complaint(with("zero_share", "zero")).find("my.toml:11:11: the study does not measure zero"),
            std::string::npos);
  EXPECT_NE(complaint(with("seeds = 7", "seeds = 0")).find("my.toml:8:9: seeds is 0; expected"), std::string::npos);
  EXPECT_NE(complaint(with("seeds = 7", "seed = 7")).find("my.toml:8:1: unknown key 'seed' in [paper]"),
            std::string::npos);
  EXPECT_NE(complaint(with("below", "beneath")).find("my.toml:13:12: relation is "), std::string::npos);
  EXPECT_NE(complaint(with("than = 0.9", "")).find("'than' is missing"), std::string::npos);
  EXPECT_NE(complaint(with("\"below\"", "\"close\"")).find("'close' needs a margin"), std::string::npos);
  EXPECT_NE(complaint(with("than = 0.9", "than = 0.9\nfactor = 2")).find("needs an arm"), std::string::npos);
  EXPECT_NE(complaint(with("than = 0.9", "than = 0.9\npreset = \"paper\"")).find("nothing is expected"),
            std::string::npos);
  EXPECT_NE(complaint(with("source = \"s\"", "")).find("'source' is missing"), std::string::npos);
}

// Every claim that the program carries can be read in both presets.
TEST(ClaimFile, CarriedOnes) {
  const std::vector<ClaimFile> files = claim_files();
  EXPECT_GE(files.size(), 10u);
  for (const ClaimFile& file : files)
    for (const char* preset : {"small", "paper"})
      EXPECT_NO_THROW(parse_claim(file.text, file.path, preset)) << file.name;
  EXPECT_EQ(find_claim(files[0].name).text, files[0].text);
  EXPECT_THROW(find_claim("no_such_claim"), Error);
}

}  // namespace
}  // namespace ogee::claims
