// Captions as numbers, and the data set of them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "ogee/libtorch.h"
#include "data/captions.h"
#include "data/parts.h"
#include "data/subwords.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

using Tokens = std::vector<std::int64_t>;

void standardise(Pictures& pictures, std::int64_t training) {
  double sum = 0, squares = 0, count = 0;
  for (std::int64_t i = 0; i < training; ++i) {
    const at::Tensor picture = pictures.all[i].to(torch::kDouble);
    sum += picture.sum().item<double>();
    squares += picture.square().sum().item<double>();
    count += static_cast<double>(picture.numel());
  }
  pictures.mean = sum / count;
  const double variance = squares / count - pictures.mean * pictures.mean;
  pictures.deviation = variance > 1e-12 * (1 + pictures.mean * pictures.mean) ? std::sqrt(variance) : 1;
}

// `first`: the number of the part's first picture. A picture without captions that are short enough is left out.
Part part_from(const std::vector<std::vector<Tokens>>& captions, std::int64_t first, std::int64_t longest) {
  std::int64_t rows = 0;
  for (const auto& its : captions) rows += static_cast<std::int64_t>(its.size());
  Part part{torch::full({rows, 2 + longest}, Subwords::padding, torch::kLong),
            torch::full({rows, 2 + longest}, not_asked_token, torch::kLong)};
  auto *x = part.x.data_ptr<std::int64_t>(), *y = part.y.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < captions.size(); ++i)
    for (std::size_t k = 0; k < captions[i].size(); ++k, x += part.x.size(1), y += part.y.size(1)) {
      const Tokens& tokens = captions[i][k];
      x[0] = first + static_cast<std::int64_t>(i);
      x[1] = Subwords::begin;
      std::copy(tokens.begin(), tokens.end(), x + 2);
      if (k == 0) y[0] = x[0];
      *std::copy(tokens.begin(), tokens.end(), y + 1) = Subwords::end;
    }
  return part;
}

}  // namespace

Dataset captioned(const std::string& name, Captioned given, std::int64_t pieces, std::int64_t longest,
                  std::int64_t limit, const std::string& path, std::vector<std::string> notes) {
  Dataset set;
  set.name = name;
  set.goal = Goal::captions;
  set.source_tokens = 1;
  set.notes = std::move(notes);
  set.pictures.all = given.pictures;
  if (given.captions[0].empty()) throw Error(fmt::format("{}: no pictures to train on", path));
  standardise(set.pictures, static_cast<std::int64_t>(given.captions[0].size()));
  std::vector<std::string> texts;
  std::int64_t left = limit > 0 ? limit : std::int64_t{1} << 62;
  std::array<std::vector<std::vector<std::string>>, 3> kept = given.captions;
  for (auto& its : kept[0]) {
    its.resize(std::min(its.size(), static_cast<std::size_t>(left)));
    left -= static_cast<std::int64_t>(its.size());
    texts.insert(texts.end(), its.begin(), its.end());
  }
  set.subwords[1] = Subwords::learned(texts, pieces, path);
  set.classes = set.subwords[1]->names();
  std::array<std::vector<std::vector<Tokens>>, 3> tokens;
  std::size_t most = 0, too_long = 0;
  for (std::size_t part = 0; part < 3; ++part) {
    std::vector<std::string> all;
    for (const auto& its : kept[part]) all.insert(all.end(), its.begin(), its.end());
    std::vector<Tokens> encoded = set.subwords[1]->encode(all);
    std::size_t next = 0;
    for (const auto& its : kept[part]) {
      tokens[part].emplace_back();
      for (std::size_t k = 0; k < its.size(); ++k) {
        Tokens& each = encoded[next++];
        if (part == 0 && each.size() > static_cast<std::size_t>(longest)) {
          ++too_long;
          continue;
        }
        most = std::max(most, each.size());
        tokens[part].back().push_back(std::move(each));
      }
    }
  }
  set.shape = {2 + static_cast<std::int64_t>(most)};
  Part* const made[] = {&set.train, &set.validation, &set.test};
  for (std::size_t part = 0; part < 3; ++part) {
    *made[part] =
        part_from(tokens[part], static_cast<std::int64_t>(set.references.size()), static_cast<std::int64_t>(most));
    for (auto& its : given.captions[part]) set.references.push_back(std::move(its));
  }
  set.lengths = set.train.x.ne(Subwords::padding).sum(1);
  set.notes.push_back(fmt::format("{}, {} and {} pictures; vocabulary: {} subwords of the training captions",
                                  given.captions[0].size(), given.captions[1].size(), given.captions[2].size(),
                                  set.subwords[1]->size()));
  if (too_long > 0)
    set.notes.push_back(
        fmt::format("{} captions of more than {} subwords are left out of training", too_long, longest));
  set.baseline = 1;  // 1 - BLEU
  seal(set);
  return set;
}

}  // namespace ogee::data
