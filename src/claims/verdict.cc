#include "claims/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>

namespace ogee::claims {
namespace {

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// By seed, of the mean over the arms; a seed that one of them lacks is left out.
std::map<std::uint64_t, double> values_of(const std::vector<Observation>& observations, const std::string& measure,
                                          const std::vector<std::string>& arms, double at, std::size_t& unusable) {
  std::map<std::uint64_t, double> sums;
  std::map<std::uint64_t, std::size_t> counts;
  for (const std::string& arm : arms)
    for (const Observation& each : observations) {
      if (each.measure != measure || each.arm != arm || !same(each.at, at)) continue;
      if (!std::isfinite(each.value)) {
        ++unusable;
        continue;
      }
      sums[each.seed] += each.value;
      ++counts[each.seed];
    }
  std::map<std::uint64_t, double> means;
  for (const auto& [seed, sum] : sums)
    if (counts[seed] == arms.size()) means[seed] = sum / static_cast<double>(arms.size());
  return means;
}

std::string number(double value) { return fmt::format("{:.4g}", value); }

std::string name_of(const std::vector<std::string>& arms, double at) {
  std::string name = arms.size() == 1 ? arms[0] : fmt::format("mean of {}", fmt::join(arms, ", "));
  return std::isnan(at) ? name : fmt::format("{} at {:g}", name, at);
}

Verdict decide(Expectation::Relation relation, const lab::Interval& interval, double margin) {
  switch (relation) {
    case Expectation::Relation::below:
      return interval.high < 0 ? Verdict::holds : interval.low >= 0 ? Verdict::does_not_hold : Verdict::cannot_tell;
    case Expectation::Relation::above:
      return interval.low > 0 ? Verdict::holds : interval.high <= 0 ? Verdict::does_not_hold : Verdict::cannot_tell;
    case Expectation::Relation::close: break;
  }
  if (interval.low > -margin && interval.high < margin) return Verdict::holds;
  return interval.low >= margin || interval.high <= -margin ? Verdict::does_not_hold : Verdict::cannot_tell;
}

// The paired numbers, and what each side comes to.
struct Pairs {
  std::vector<double> d;
  double value = 0, other = 0;
};
Pairs pairs_of(const Expectation& expectation, const std::map<std::uint64_t, double>& values,
               const std::map<std::uint64_t, double>& others, std::size_t& unusable) {
  const bool ratio = expectation.factor > 0;
  const auto scale = [&](double x) { return ratio ? std::log(x) : x; };
  // What is close may differ by the margin either way; else the margin is part of what is claimed.
  const bool close = expectation.relation == Expectation::Relation::close;
  const double offset = close ? 0 : ratio ? std::log(expectation.factor) : expectation.by;
  Pairs pairs;
  for (const auto& [seed, value] : values) {
    double other = expectation.number;
    if (!expectation.than.empty()) {
      const auto found = others.find(seed);
      if (found == others.end()) continue;
      other = found->second;
    }
    if (ratio && !(value > 0 && other > 0)) {
      ++unusable;
      continue;
    }
    pairs.d.push_back(scale(value) - scale(other) - offset);
    pairs.value += scale(value);
    pairs.other += scale(other);
  }
  const auto count = static_cast<double>(pairs.d.size());
  pairs.value /= count;
  pairs.other /= count;
  if (ratio) {
    pairs.value = std::exp(pairs.value);
    pairs.other = std::exp(pairs.other);
  }
  return pairs;
}

}  // namespace

const char* words_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::holds: return "holds";
    case Verdict::holds_in_part: return "holds in part";
    case Verdict::does_not_hold: return "does not hold";
    case Verdict::cannot_tell: break;
  }
  return "cannot tell at this scale";
}

Judgement judge(const Expectation& expectation, const std::vector<Observation>& observations, std::size_t count) {
  Judgement judgement;
  const bool ratio = expectation.factor > 0, alone = expectation.than.empty();
  std::size_t unusable = 0;
  const auto values = values_of(observations, expectation.measure, expectation.arms, expectation.at, unusable);
  const auto others =
      alone ? std::map<std::uint64_t, double>()
            : values_of(observations, expectation.measure, expectation.than, expectation.than_at, unusable);
  const Pairs pairs = pairs_of(expectation, values, others, unusable);
  const bool exact = values.size() == 1 && values.begin()->first == 0;
  if (pairs.d.empty() || (pairs.d.size() < 2 && !exact)) {
    judgement.problem = pairs.d.empty() ? "nothing was measured that could decide it" : "one seed only";
    if (unusable > 0) judgement.problem += fmt::format("; {} numbers were not finite, or not above 0", unusable);
    judgement.figure = judgement.problem;
    return judgement;
  }
  judgement.seeds = exact ? 0 : pairs.d.size();
  judgement.value = pairs.value;
  judgement.other = pairs.other;
  // Where all seeds agree to the last bit there is no chance in it.
  judgement.interval = {pairs.d[0], pairs.d[0]};
  if (!exact && lab::deviation(pairs.d) > 0)
    judgement.interval = lab::t_interval(pairs.d, 1 - 0.05 / static_cast<double>(count));
  const double margin = ratio ? std::log(expectation.factor) : expectation.by;
  judgement.verdict = decide(expectation.relation, judgement.interval, margin);
  // Shown without the margin: the plain difference or ratio.
  const bool close = expectation.relation == Expectation::Relation::close;
  const double back = close ? 0 : margin;
  const auto shown = [&](double d) { return ratio ? std::exp(d + back) : alone ? d + expectation.number : d + back; };
  judgement.contrast = shown(lab::mean(pairs.d));
  judgement.interval = {shown(judgement.interval.low), shown(judgement.interval.high)};
  const std::string left = name_of(expectation.arms, expectation.at);
  const std::string interval = exact ? ""
                                     : fmt::format(" [{}, {}] over {} seeds", number(judgement.interval.low),
                                                   number(judgement.interval.high), judgement.seeds);
  if (alone)
    judgement.figure = fmt::format("{}: {}{}", left, number(judgement.contrast), interval);
  else
    judgement.figure = fmt::format("{} {}, {} {}: {} {}{}", left, number(judgement.value),
                                   name_of(expectation.than, expectation.than_at), number(judgement.other),
                                   ratio ? "ratio" : "difference", number(judgement.contrast), interval);
  if (unusable > 0) judgement.figure += fmt::format("; {} numbers left out: not finite, or not above 0", unusable);
  return judgement;
}

Verdict judge(const std::vector<Judgement>& judgements) {
  const auto count = [&](Verdict verdict) {
    return std::count_if(judgements.begin(), judgements.end(),
                         [&](const Judgement& each) { return each.verdict == verdict; });
  };
  const auto held = count(Verdict::holds);
  if (count(Verdict::does_not_hold) > 0) return held > 0 ? Verdict::holds_in_part : Verdict::does_not_hold;
  return held == static_cast<std::ptrdiff_t>(judgements.size()) ? Verdict::holds : Verdict::cannot_tell;
}

}  // namespace ogee::claims
