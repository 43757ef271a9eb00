// BLEU against sacrebleu's numbers, which tests/golden/bleu/make_bleu.py wrote down.
#include "tasks/bleu.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

namespace ogee::tasks {
namespace {

nlohmann::json golden() {
  std::ifstream file("tests/golden/bleu/bleu.json");
  return nlohmann::json::parse(file);
}

TEST(Bleu, TokensAreThoseOfSacrebleu) {
  const nlohmann::json all = golden().at("tokens");
  ASSERT_GT(all.size(), 20u);
  for (const auto& each : all)
    EXPECT_EQ(fmt::format("{}", fmt::join(tokens_13a(each[0].get<std::string>()), " ")), each[1].get<std::string>())
        << each[0];
}

TEST(Bleu, ScoresAreThoseOfSacrebleu) {
  nlohmann::json all = golden().at("corpora");
  ASSERT_GT(all.size(), 8u);
  const nlohmann::json several = golden().at("several");  // several references for a sentence
  ASSERT_GT(several.size(), 5u);
  all.insert(all.end(), several.begin(), several.end());
  for (const auto& corpus : all) {
    BleuCounts sums;
    for (std::size_t i = 0; i < corpus["said"].size(); ++i) {
      const nlohmann::json& meant = corpus["meant"][i];
      const auto references =
          meant.is_array() ? meant.get<std::vector<std::string>>() : std::vector<std::string>{meant.get<std::string>()};
      const BleuCounts counts = count_bleu(corpus["said"][i].get<std::string>(), references);
      for (std::size_t n = 0; n < bleu_orders; ++n) {
        sums.correct[n] += counts.correct[n];
        sums.total[n] += counts.total[n];
      }
      sums.tokens += counts.tokens;
      sums.reference_tokens += counts.reference_tokens;
    }
    for (std::size_t n = 0; n < bleu_orders; ++n) {
      EXPECT_EQ(sums.correct[n], corpus["correct"][n].get<double>()) << corpus["said"];
      EXPECT_EQ(sums.total[n], corpus["total"][n].get<double>()) << corpus["said"];
      EXPECT_NEAR(bleu(sums, n + 1), corpus["bleu"][n].get<double>(), 1e-12) << corpus["said"] << n;
    }
    EXPECT_EQ(sums.tokens, corpus["tokens"].get<double>()) << corpus["said"];
    EXPECT_EQ(sums.reference_tokens, corpus["reference_tokens"].get<double>()) << corpus["said"];
  }
}

}  // namespace
}  // namespace ogee::tasks
