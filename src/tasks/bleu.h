// BLEU (Papineni, Roukos, Ward, Zhu 2002) of a corpus, with one reference a sentence and the tokens of mteval-v13a, as
// sacrebleu has it (Post 2018, 1804.08771): its default signature, tok:13a, smooth:exp, case:mixed.
#pragma once

#include <array>
#include <string>
#include <vector>

namespace ogee::tasks {

inline constexpr std::size_t bleu_orders = 4;

// What a translation adds to the corpus': n-grams that it shares with its reference, by order; its n-grams; the tokens
// of both.
struct BleuCounts {
  std::array<double, bleu_orders> correct{}, total{};
  double tokens = 0, reference_tokens = 0;
};

std::vector<std::string> tokens_13a(const std::string& text);
BleuCounts count_bleu(const std::string& translation, const std::string& reference);
// From 0 to 1, up to n-grams of `order`.
double bleu(const BleuCounts& corpus, std::size_t order = bleu_orders);

}  // namespace ogee::tasks
