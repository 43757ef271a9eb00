// BLEU (Papineni, Roukos, Ward, Zhu 2002) of a corpus, with one or more references a sentence and the tokens of
// mteval-v13a, as sacrebleu has it (Post 2018, 1804.08771): its default signature, tok:13a, smooth:exp, case:mixed.
#pragma once

#include <array>
#include <string>
#include <vector>

namespace ogee::tasks {

inline constexpr std::size_t bleu_orders = 4;

// What a sentence adds to the corpus': n-grams that it shares with its references, by order (one counts as often as the
// reference has it that has it most often); its n-grams; its tokens and those of the reference that is closest in
// length, of two the shorter.
struct BleuCounts {
  std::array<double, bleu_orders> correct{}, total{};
  double tokens = 0, reference_tokens = 0;
};

std::vector<std::string> tokens_13a(const std::string& text);
BleuCounts count_bleu(const std::string& sentence, const std::vector<std::string>& references);
// From 0 to 1, up to n-grams of `order`.
double bleu(const BleuCounts& corpus, std::size_t order = bleu_orders);

}  // namespace ogee::tasks
