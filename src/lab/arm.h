// What all runs of one activation come to, and how it stands against the best.
#pragma once

#include <string>
#include <vector>

#include "lab/statistics.h"
#include "lab/store.h"
#include "lab/summary.h"

namespace ogee::lab {

enum class Verdict {
  best,           // the lowest mean
  no_difference,  // seen, to the best
  likely_worse,   // by the t test, all seeds agreeing; too few seeds for the sign-flip test to confirm it
  worse,          // by both tests, corrected for the number of arms; or by the t test beyond doubt, all seeds agreeing
  one_seed,       // fewer than two seeds
  not_learned,    // hardly better than always giving the same answer
  diverged,       // in some or all of its runs
  failed,         // could not run
  missing,        // not run yet
};
const char* words_of(Verdict verdict);

struct Against {
  std::size_t pairs = 0;
  double difference = unknown;
  Interval interval{unknown, unknown};
  double t_p = unknown, t_holm = unknown, flip_p = unknown, flip_holm = unknown;
};

struct Arm {
  std::string name, activation, attributes;       // attributes: what tuning chose
  std::int64_t stopped_after = 0;                 // seeds, where it left the race early; 0: it did not
  std::vector<const StoredRun*> tuning, results;  // by seed
  double rate = unknown;
  bool rate_at_edge = false;  // of the grid: a better one may lie beyond
  std::size_t finished = 0, diverged = 0, failed = 0;
  std::string message;         // of the first run that did not finish
  std::vector<double> errors;  // of the runs that finished
  double error = unknown;      // their mean
  Interval interval{unknown, unknown};
  std::int64_t parameters = 0;
  double loss = unknown, ms_per_step = unknown, dead = unknown, saturated = unknown;
  std::vector<double> gradients_start, gradients_end;  // by layer, geometric means over seeds
  double ratio_start = unknown, ratio_end = unknown;   // first layer to last
  Verdict verdict = Verdict::missing;
  Against against;
  int simplicity = 0;  // 0 relu, 1 rectified, 2 other fixed, 3 learned, 4 gated, 5 noisy

  bool usable() const { return verdict <= Verdict::one_seed; }
};

struct Judged {
  std::vector<Arm> arms;       // in the order asked for
  int best = -1, chosen = -1;  // -1: no arm is usable
};
Judged judge(const Experiment& experiment, const DataFacts& data, const std::vector<StoredRun>& runs);

// Two sentences: what to use, and how sure that is.
std::string recommend(const Judged& judged, const Experiment& experiment, const DataFacts& data);
// What else deserves attention, a line each.
std::vector<std::string> remarks(const Judged& judged, const Experiment& experiment, const DataFacts& data);

// "2.5 %", or "0.482" for a regression.
std::string show_error(double value, const DataFacts& data);
// "[2.1, 2.9]", in the same unit.
std::string show_interval(const Interval& interval, const DataFacts& data);

}  // namespace ogee::lab
