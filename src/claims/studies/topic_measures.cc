#include "claims/studies/topic_measures.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <span>

namespace ogee::claims {
namespace {

using data::SparseRows;
using Topics = std::vector<std::vector<std::int64_t>>;

std::span<const std::int64_t> row_of(const SparseRows& rows, std::int64_t row) {
  const auto place = static_cast<std::size_t>(row);
  return {rows.columns.data() + rows.begin[place], static_cast<std::size_t>(rows.begin[place + 1] - rows.begin[place])};
}

std::int64_t shared(std::span<const std::int64_t> a, std::span<const std::int64_t> b) {
  std::int64_t count = 0;
  for (const std::int64_t each : a) count += std::find(b.begin(), b.end(), each) != b.end();
  return count;
}

std::vector<std::int64_t> numbers(const at::Tensor& t) {
  const at::Tensor flat = t.contiguous().view(-1);
  return {flat.data_ptr<std::int64_t>(), flat.data_ptr<std::int64_t>() + flat.numel()};
}

double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

// Which of the units fire on any film.
std::vector<std::int64_t> alive(const at::Tensor& z) { return numbers((z > 0).any(0).nonzero()); }

// Equal values keep their order: LibTorch's topk promises none.
at::Tensor largest(const at::Tensor& t, std::int64_t count, std::int64_t dim) {
  const at::Tensor order = std::get<1>(t.sort(/*stable=*/true, dim, /*descending=*/true));
  return order.narrow(dim, 0, std::min(count, t.size(dim)));
}

}  // namespace

Topics topics_of(const at::Tensor& weight, std::int64_t count) {
  const at::Tensor top = largest(weight.detach().t().contiguous(), count, 1);
  Topics topics;
  for (std::int64_t unit = 0; unit < top.size(0); ++unit) topics.push_back(numbers(top[unit]));
  return topics;
}

double coherence(const Topics& topics, const SparseRows& films, std::int64_t keywords) {
  // The films that each keyword is in, in ascending order.
  std::vector<std::vector<std::int64_t>> of(static_cast<std::size_t>(keywords));
  for (std::int64_t film = 0; film < films.rows(); ++film)
    for (const std::int64_t keyword : row_of(films, film)) of[static_cast<std::size_t>(keyword)].push_back(film);
  const auto n = static_cast<double>(films.rows());
  double sum = 0, pairs = 0;
  for (const auto& topic : topics) {
    for (std::size_t i = 0; i < topic.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        const auto &a = of[static_cast<std::size_t>(topic[i])], &b = of[static_cast<std::size_t>(topic[j])];
        ++pairs;
        if (a.empty() || b.empty()) continue;
        std::vector<std::int64_t> both;
        std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
        const double together = static_cast<double>(both.size()) / n;
        if (together == 0)
          sum -= 1;
        else if (together == 1)
          sum += 1;
        else
          sum += std::log(together * n * n / static_cast<double>(a.size() * b.size())) / -std::log(together);
      }
    }
  }
  return share(sum, pairs);
}

double diversity(const Topics& topics) {
  std::set<std::int64_t> different;
  double places = 0;
  for (const auto& topic : topics) {
    different.insert(topic.begin(), topic.end());
    places += static_cast<double>(topic.size());
  }
  return share(static_cast<double>(different.size()), places);
}

double single_matches(const at::Tensor& z, const SparseRows& films, const Topics& topics, std::int64_t count) {
  const std::vector<std::int64_t> units = alive(z);
  double sum = 0;
  for (const std::int64_t unit : units) {
    const at::Tensor outputs = z.select(1, unit);
    double single = 0, fired = 0;
    for (const std::int64_t film : numbers(largest(outputs, count, 0))) {
      if (outputs[film].item<double>() <= 0) break;
      ++fired;
      single += shared(row_of(films, film), topics[static_cast<std::size_t>(unit)]) <= 1;
    }
    sum += single / fired;
  }
  return share(sum, static_cast<double>(units.size()));
}

OneKeyword one_keyword(const at::Tensor& weight, const at::Tensor& alone, const at::Tensor& z, const at::Tensor& whole,
                       const Topics& topics, std::int64_t count) {
  OneKeyword result;
  double pairs = 0, places = 0, units = 0;
  const auto w = weight.accessor<float, 2>();
  const auto single = alone.accessor<float, 2>();
  const auto together = whole.accessor<float, 2>();
  const at::Tensor strongest = std::get<0>(z.topk(std::min(count, z.size(0)), 0)).mean(0);
  const auto usual = strongest.accessor<float, 1>();
  for (const std::int64_t unit : alive(z)) {
    for (std::int64_t keyword = 0; keyword < w.size(0); ++keyword) {
      if (!(w[keyword][unit] > 0)) continue;
      ++pairs;
      result.triggered += single[keyword][unit] > 0;
    }
    const auto& topic = topics[static_cast<std::size_t>(unit)];
    double sum = 0;
    for (const std::int64_t keyword : topic) {
      ++places;
      result.fired += single[keyword][unit] >= usual[unit] / 2;
      sum += single[keyword][unit];
    }
    if (!(together[unit][unit] > 0)) continue;
    ++units;
    result.output += sum / static_cast<double>(topic.size()) / together[unit][unit];
  }
  return {share(result.triggered, pairs), share(result.fired, places), share(result.output, units)};
}

double dead_units(const at::Tensor& z) {
  return 1 - share(static_cast<double>(alive(z).size()), static_cast<double>(z.size(1)));
}

double keyword_precision(const at::Tensor& scores, const SparseRows& seen, const SparseRows& hidden,
                         std::int64_t count) {
  const at::Tensor open = scores.detach().clone();
  for (std::int64_t film = 0; film < seen.rows(); ++film)
    for (const std::int64_t keyword : row_of(seen, film))
      open.data_ptr<float>()[film * open.size(1) + keyword] = -std::numeric_limits<float>::infinity();
  const at::Tensor top = largest(open, count, 1);
  double sum = 0, films = 0;
  for (std::int64_t film = 0; film < hidden.rows(); ++film) {
    const auto wanted = row_of(hidden, film);
    if (wanted.empty()) continue;
    ++films;
    sum += static_cast<double>(shared(wanted, numbers(top[film]))) /
           static_cast<double>(std::min(count, static_cast<std::int64_t>(wanted.size())));
  }
  return share(sum, films);
}

double genre_precision(const at::Tensor& queries, const SparseRows& query_genres, const at::Tensor& films,
                       const SparseRows& film_genres, std::int64_t count) {
  const auto unit_length = [](const at::Tensor& t) { return t / t.norm(2, 1, true).clamp_min(1e-12); };
  const at::Tensor top = largest(unit_length(queries).matmul(unit_length(films).t()), count, 1);
  const at::Tensor any = (queries > 0).any(1);
  double hits = 0;
  for (std::int64_t query = 0; query < queries.size(0); ++query) {
    if (!any[query].item<bool>()) continue;
    const auto genres = row_of(query_genres, query);
    for (const std::int64_t film : numbers(top[query])) {
      const auto others = row_of(film_genres, film);
      const std::int64_t both = shared(genres, others);
      hits += 2 * both >= static_cast<std::int64_t>(genres.size() + others.size()) - both;
    }
  }
  return share(hits, static_cast<double>(top.numel()));
}

}  // namespace ogee::claims
