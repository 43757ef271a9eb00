// A text to model: windows of tokens, each with the tokens that follow.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "data/loaders.h"
#include "data/parts.h"
#include "data/tokens.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::size_t most_characters = 2000, most_words = 10000;
constexpr std::int64_t usual_characters = 64, usual_words = 32;

using Tokens = std::vector<std::string_view>;

struct Span {
  const Tokens* tokens;
  std::size_t from, to;
  std::size_t size() const { return to - from; }
};

at::Tensor numbered(const Span& span, const Vocabulary& vocabulary) {
  at::Tensor numbers = torch::empty({static_cast<std::int64_t>(span.size())}, torch::kLong);
  for (std::size_t i = 0; i < span.size(); ++i)
    numbers.data_ptr<std::int64_t>()[i] = vocabulary.number_of((*span.tokens)[span.from + i]);
  return numbers;
}

// Side by side, not overlapping; what is left at the end is left out.
Part windows(const at::Tensor& numbers, std::int64_t context) {
  const std::int64_t count = (numbers.size(0) - 1) / context;
  if (count <= 0) return {torch::empty({0, context}, torch::kLong), torch::empty({0, context}, torch::kLong)};
  return {numbers.narrow(0, 0, count * context).reshape({count, context}),
          numbers.narrow(0, 1, count * context).reshape({count, context})};
}

// The perplexity of always answering the training text's frequencies, with one count more for each token.
double unigram_perplexity(const Dataset& set) {
  const at::Tensor counts = torch::bincount(set.train.y.flatten(), {}, set.outputs()).to(torch::kDouble) + 1;
  return std::exp(-(counts / counts.sum()).log().index_select(0, set.test.y.flatten()).mean().item<double>());
}

}  // namespace

Dataset load_text(const Request& request) {
  const bool words = request.tokens == "words";
  const std::int64_t context = request.context > 0 ? request.context : words ? usual_words : usual_characters;
  const auto read = [&](const std::string& path, std::string& text) {
    text = read_bytes(path);
    return words ? split_words(text, path) : split_characters(text, path);
  };
  std::string texts[3];
  const Tokens all = read(request.data, texts[0]);
  Tokens validation, test;
  const bool validation_given = !request.validation.empty(), test_given = !request.test.empty();
  if (validation_given) validation = read(request.validation, texts[1]);
  if (test_given) test = read(request.test, texts[2]);

  // Contiguous: training first, then validation, then test.
  const Shares shares = shares_of(request, validation_given, test_given, {0.1, 0.1});
  const auto count = static_cast<double>(all.size());
  const auto test_from = static_cast<std::size_t>(std::lround(count * (1 - shares.test)));
  const auto validation_from = static_cast<std::size_t>(std::lround(count * (1 - shares.test - shares.validation)));
  const Span train_span{&all, 0, validation_from};
  const Span validation_span =
      validation_given ? Span{&validation, 0, validation.size()} : Span{&all, validation_from, test_from};
  const Span test_span = test_given ? Span{&test, 0, test.size()} : Span{&all, test_from, all.size()};
  for (const auto& [span, name] :
       {std::pair(&train_span, "training"), std::pair(&validation_span, "validation"), std::pair(&test_span, "test")})
    if (static_cast<std::int64_t>(span->size()) <= fewest_windows * context)
      throw Error(fmt::format("{}: {} tokens in the {} part, more than {} are needed: {} windows of {}", request.data,
                              span->size(), name, fewest_windows * context, fewest_windows, context));

  // What a text has marked as unknown itself needs no further choice.
  const Tokens trained(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(validation_from));
  const bool marked = words && std::find(trained.begin(), trained.end(), "<unk>") != trained.end();
  const Vocabulary vocabulary(trained, words && !marked ? 2 : 1, words ? most_words : most_characters);
  Dataset set;
  set.name = request.data;
  set.goal = Goal::language;
  set.shape = {context};
  set.classes = vocabulary.names();
  if (set.classes.size() < 3)
    throw Error(fmt::format("{}: {} different {} in the training part: nothing to learn", request.data,
                            set.classes.size() - 1, words ? "words" : "characters"));
  set.notes.push_back(fmt::format("vocabulary: {} {}of the training part, and <unk>", set.classes.size() - 1,
                                  !words   ? "characters "
                                  : marked ? "words "
                                           : "words, seen twice or more, "));
  const at::Tensor tested = numbered(test_span, vocabulary);
  if (const auto unknown = tested.eq(0).to(torch::kDouble).mean().item<double>(); unknown > 0)
    set.notes.push_back(fmt::format("{:.2g} % of the test part's tokens are <unk>", 100 * unknown));
  set.train = limited(windows(numbered(train_span, vocabulary), context), request.train_limit);
  set.validation = windows(numbered(validation_span, vocabulary), context);
  set.test = windows(tested, context);
  set.baseline = unigram_perplexity(set);
  seal(set);
  return set;
}

}  // namespace ogee::data
