#include "models/beam.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "ogee/libtorch.h"

namespace ogee::models {
namespace {

constexpr double impossible = -std::numeric_limits<double>::infinity();

struct Candidate {
  double score = impossible;
  std::int64_t from = 0, token = 0;
};

// Of one source.
struct Followed {
  std::vector<std::vector<std::int64_t>> sequences;
  std::vector<double> scores;  // impossible: a row that follows nothing
  std::vector<std::int64_t> best;
  double best_score = impossible;  // a token
  std::int64_t left;               // the beam's width by now

  void end(const std::vector<std::int64_t>& sequence, double score) {
    const double each = score / static_cast<double>(sequence.size());
    if (best.empty() || each > best_score) {
      best = sequence;
      best_score = each;
    }
  }
};

}  // namespace

at::Tensor beam_search(std::int64_t sources, const Beam& beam, const NextToken& next) {
  const std::int64_t width = beam.width, rows = sources * width;
  std::vector<Followed> all(static_cast<std::size_t>(sources));
  for (Followed& f : all) {
    f.sequences.resize(static_cast<std::size_t>(width));
    f.scores.assign(static_cast<std::size_t>(width), impossible);
    f.scores[0] = 0;  // at first all rows are the same
    f.left = width;
  }
  at::Tensor tokens = torch::full({rows}, beam.begin, torch::kLong), from = torch::arange(rows, torch::kLong);
  for (std::int64_t step = 1; step <= beam.longest; ++step) {
    const at::Tensor said = next(tokens, from);
    const auto [value, token] = said.topk(std::min(width, said.size(1)), 1);
    const at::Tensor values = value.to(torch::kCPU, torch::kDouble).contiguous(), places = token.cpu().contiguous();
    const std::int64_t each = values.size(1);
    tokens = torch::full({rows}, beam.padding, torch::kLong);
    from = torch::arange(rows, torch::kLong);
    bool going = false;
    for (std::int64_t i = 0; i < sources; ++i) {
      Followed& f = all[static_cast<std::size_t>(i)];
      std::vector<Candidate> candidates;
      for (std::int64_t k = 0; k < width; ++k) {
        const double score = f.scores[static_cast<std::size_t>(k)];
        if (score == impossible) continue;
        const std::int64_t at = (i * width + k) * each;
        for (std::int64_t j = 0; j < each; ++j)
          candidates.push_back({score + values.data_ptr<double>()[at + j], k, places.data_ptr<std::int64_t>()[at + j]});
      }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
      candidates.resize(std::min(candidates.size(), static_cast<std::size_t>(f.left)));
      const auto before = std::move(f.sequences);
      f.sequences.assign(static_cast<std::size_t>(width), {});
      f.scores.assign(static_cast<std::size_t>(width), impossible);
      std::size_t row = 0;
      for (const Candidate& c : candidates) {
        std::vector<std::int64_t> sequence = before[static_cast<std::size_t>(c.from)];
        sequence.push_back(c.token);
        if (c.token == beam.end || step == beam.longest) {
          f.end(sequence, c.score);
          --f.left;
          continue;
        }
        tokens.data_ptr<std::int64_t>()[i * width + static_cast<std::int64_t>(row)] = c.token;
        from.data_ptr<std::int64_t>()[i * width + static_cast<std::int64_t>(row)] = i * width + c.from;
        f.sequences[row] = std::move(sequence);
        f.scores[row] = c.score;
        ++row;
      }
      going = going || row > 0;
    }
    if (!going) break;
  }
  std::size_t longest = 1;
  for (const Followed& f : all) longest = std::max(longest, f.best.size());
  const at::Tensor result = torch::full({sources, static_cast<std::int64_t>(longest)}, beam.padding, torch::kLong);
  for (std::int64_t i = 0; i < sources; ++i) {
    const std::vector<std::int64_t>& best = all[static_cast<std::size_t>(i)].best;
    std::copy(best.begin(), best.end(), result.data_ptr<std::int64_t>() + i * result.size(1));
  }
  return result;
}

}  // namespace ogee::models
