#include "claims/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
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

constexpr double infinity = std::numeric_limits<double>::infinity();

// Where the claim says that the number, the difference or the ratio lies; the ends are not part of it.
lab::Interval claimed(const Expectation& expectation) {
  const bool ratio = expectation.factor > 0;
  const double middle = expectation.than.empty() ? expectation.number : 0;
  const double end = ratio ? expectation.factor : middle + expectation.by;
  switch (expectation.relation) {
    case Expectation::Relation::below: return {-infinity, end};
    case Expectation::Relation::above: return {end, infinity};
    case Expectation::Relation::close: break;
  }
  return {ratio ? 1 / end : middle - expectation.by, end};
}

Verdict decide(const lab::Interval& claimed, const lab::Interval& seen) {
  if (seen.low > claimed.low && seen.high < claimed.high) return Verdict::holds;
  return seen.low >= claimed.high || seen.high <= claimed.low ? Verdict::does_not_hold : Verdict::cannot_tell;
}

// By seed, what the expectation is about, and what each side comes to; logarithms where it is about a ratio.
struct Pairs {
  std::vector<double> contrasts, values, others;
};
Pairs pairs_of(const Expectation& expectation, const std::map<std::uint64_t, double>& values,
               const std::map<std::uint64_t, double>& others, std::size_t& unusable) {
  const bool ratio = expectation.factor > 0, alone = expectation.than.empty();
  Pairs pairs;
  for (auto [seed, value] : values) {
    double other = expectation.number;
    if (!alone) {
      const auto found = others.find(seed);
      if (found == others.end()) continue;
      other = found->second;
    }
    if (ratio) {
      if (!(value > 0 && other > 0)) {
        ++unusable;
        continue;
      }
      value = std::log(value);
      other = std::log(other);
    }
    pairs.contrasts.push_back(alone ? value : value - other);
    pairs.values.push_back(value);
    pairs.others.push_back(other);
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
  const std::vector<double>& contrasts = pairs.contrasts;
  const bool exact = values.size() == 1 && values.begin()->first == 0;
  if (contrasts.empty() || (contrasts.size() < 2 && !exact)) {
    judgement.problem = contrasts.empty() ? "nothing was measured that could decide it" : "one seed only";
    if (unusable > 0) judgement.problem += fmt::format("; {} numbers were not finite, or not above 0", unusable);
    judgement.figure = judgement.problem;
    return judgement;
  }
  const auto plain = [&](double number) { return ratio ? std::exp(number) : number; };
  judgement.seeds = exact ? 0 : contrasts.size();
  judgement.value = plain(lab::mean(pairs.values));
  judgement.other = plain(lab::mean(pairs.others));
  judgement.contrast = plain(lab::mean(contrasts));
  // Where all seeds agree to the last bit there is no chance in it.
  lab::Interval interval{contrasts[0], contrasts[0]};
  if (!exact && lab::deviation(contrasts) > 0)
    interval = lab::t_interval(contrasts, 1 - 0.05 / static_cast<double>(count));
  judgement.interval = {plain(interval.low), plain(interval.high)};
  judgement.verdict = decide(claimed(expectation), judgement.interval);
  const std::string left = name_of(expectation.arms, expectation.at);
  const std::string range = exact ? ""
                                  : fmt::format(" [{}, {}] over {} seeds", number(judgement.interval.low),
                                                number(judgement.interval.high), judgement.seeds);
  if (alone)
    judgement.figure = fmt::format("{}: {}{}", left, number(judgement.contrast), range);
  else
    judgement.figure = fmt::format("{} {}, {} {}: {} {}{}", left, number(judgement.value),
                                   name_of(expectation.than, expectation.than_at), number(judgement.other),
                                   ratio ? "ratio" : "difference", number(judgement.contrast), range);
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
