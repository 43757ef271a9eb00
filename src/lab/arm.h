// What all runs of one activation come to, and how it stands against the best.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "lab/statistics.h"
#include "lab/store.h"
#include "lab/summary.h"

namespace ogee::lab {

enum class Verdict {
  best,           // the lowest mean
  no_difference,  // seen, to the best
  likely_worse,   // an indication: by the t test as if the best had been named beforehand, all seeds agreeing
  worse,          // corrected for all pairs of arms, so that at most 5 % of comparisons say so wrongly of any arm
  one_seed,       // fewer than two seeds
  stopped,        // early: it could not win any more (race.h)
  not_learned,    // hardly better than always giving the same answer
  diverged,       // in some or all of its runs
  failed,         // could not run
  missing,        // not run yet
};
const char* words_of(Verdict verdict);

struct Against {
  std::size_t pairs = 0;
  double difference = unknown;
  // 95 % for all pairs of arms together, and so also for the one that turned out lowest; and for this pair alone.
  Interval interval{unknown, unknown}, alone{unknown, unknown};
  Effect effect{unknown, {unknown, unknown}};
  // t_holm: over the arms, as if the best had been named beforehand; t_lowest, flip_holm: over all pairs.
  double t_p = unknown, t_holm = unknown, t_lowest = unknown, flip_p = unknown, flip_holm = unknown;

  // The largest difference either way that the interval leaves possible.
  double bound() const { return std::max(std::abs(interval.low), std::abs(interval.high)); }
};

struct Arm {
  std::string name, activation, attributes;       // attributes: what tuning chose
  std::vector<const StoredRun*> tuning, results;  // by seed
  double rate = unknown;
  bool rate_at_edge = false;  // of the grid: a better one may lie beyond
  std::size_t finished = 0, diverged = 0, failed = 0;
  std::string message;         // of the first run that did not finish
  std::vector<double> errors;  // of the runs that finished
  double error = unknown;      // their mean
  Interval interval{unknown, unknown}, bca{unknown, unknown};
  double best_probability = unknown;  // of its true mean being the lowest, among the arms with all seeds
  std::size_t stopped_after = 0;      // seeds, as it could not win any more; 0: not stopped
  std::int64_t parameters = 0;
  double train_loss = unknown, validation_loss = unknown;  // at the end
  double memory = unknown;                                 // MiB
  double loss = unknown, ms_per_step = unknown, dead = unknown, saturated = unknown;
  std::vector<double> gradients_start, gradients_end;  // by layer, geometric means over seeds
  double ratio_start = unknown, ratio_end = unknown;   // first layer to last
  Verdict verdict = Verdict::missing;
  Against against;
  int simplicity = 0;     // 0 relu, 1 rectified, 2 other fixed, 3 learned, 4 gated, 5 noisy
  bool troubled = false;  // many of its units are dead, or the monitor saw them die

  // In how many of its runs the monitor raised this rule.
  std::size_t runs_with(const char* rule) const;
  bool usable() const { return verdict <= Verdict::one_seed; }
};

struct Judged {
  std::vector<Arm> arms;       // in the order asked for
  int best = -1, chosen = -1;  // -1: no arm is usable
};
// The smallest difference that errors counted among so many examples can show; 0 for other metrics.
double resolution_of(const DataFacts& data, std::int64_t examples);
Judged judge(const Experiment& experiment, const DataFacts& data, const std::vector<StoredRun>& runs);

// Two arms named beforehand; `interval` is the same as `alone`.
Against compare_pair(const Arm& arm, const Arm& other, const DataFacts& data);

// Two sentences: what to use, and how sure that is.
std::string recommend(const Judged& judged, const Experiment& experiment, const DataFacts& data);
// What the documents on choosing an activation say, one rule after another, beside what these runs show of it.
struct Rule {
  std::string rule, text;
};
std::vector<Rule> rules(const Judged& judged, const DataFacts& data);
// The difference to the lowest arm, in words: "no difference seen (smaller than 0.42 points with 95 % confidence)".
std::string words_of(const Arm& arm, const DataFacts& data);
// What else deserves attention, a line each.
std::vector<std::string> remarks(const Judged& judged, const Experiment& experiment, const DataFacts& data);

// "2.5 %", or "0.482" where the metric is no share.
std::string show_error(double value, const DataFacts& data);
// "[2.1, 2.9]", in the same unit.
std::string show_interval(const Interval& interval, const DataFacts& data);

}  // namespace ogee::lab
