// How often the laboratory's statistics are right: comparisons of known truth are drawn and judged, and a table of the
// measured coverage and false positives is printed.
//
//   ogee_trials                       2,000 experiments for each of 32 settings: some minutes
//   ogee_trials --experiments 200     sooner, and rougher
//
// Exit status 1 if a 95 % interval covers less than 93 % or more than 97 %, or more than 5 % of the experiments call an
// arm worse that is not (each with three standard errors of leeway).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>

#include "lab/simulation.h"

namespace ogee::lab {
namespace {

double leeway(const Share& share, double expected) { return 3 * std::sqrt(expected * (1 - expected) / share.of); }

bool covers(const Share& share) {
  return share.value() > 0.93 - leeway(share, 0.95) && share.value() < 0.97 + leeway(share, 0.95);
}

bool rare(const Share& share) { return share.value() < 0.05 + leeway(share, 0.05); }

bool right(const Simulated& row) {
  return covers(row.mean_t) && covers(row.pair_t) && rare(row.false_worse) && rare(row.false_worse_equal);
}

int main(int argc, char** argv) {
  CLI::App app{"Judge comparisons of known truth, and count how often what is said of them is right"};
  Simulation simulation;
  app.add_option("--experiments", simulation.experiments, "for each number of seeds and arms")
      ->check(CLI::Range(30, 1000000))
      ->capture_default_str();
  app.add_option("--skewness", simulation.skewness, "of the noise")
      ->check(CLI::Range(0.01, 10.0))
      ->capture_default_str();
  app.add_option("--seed", simulation.seed)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::vector<Simulated> rows;
  bool fine = true;
  for (const bool race : {false, true})
    for (const std::size_t seeds : {3, 5, 10, 20})
      for (const std::size_t arms : {2, 5, 10, 20}) {
        if (race && seeds <= 3) continue;  // decided after the third seed at the earliest
        simulation.race = race;
        simulation.seeds = seeds;
        simulation.arms = arms;
        rows.push_back(simulate(simulation));
        fine &= right(rows.back());
        fmt::print(stderr, "{} seeds, {} arms{}\n", seeds, arms, race ? ", race" : "");
      }
  fmt::print("{}", markdown(rows));
  return fine ? 0 : 1;
}

}  // namespace
}  // namespace ogee::lab

int main(int argc, char** argv) { return ogee::lab::main(argc, argv); }
