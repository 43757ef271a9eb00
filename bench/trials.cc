// How often the laboratory's statistics are right: comparisons of known truth are drawn and judged, and a table of the
// measured coverage and false positives is printed.
//
//   ogee_trials                       2,000 experiments for each of 28 settings: ten minutes
//   ogee_trials --experiments 200     sooner, and rougher
//   ogee_trials --document FILE       and puts the tables into this document, between its marks
//
// Exit status 1 if a 95 % interval covers less than 93 % or more than 97 %, or more than 5 % of the experiments call an
// arm worse that is not (each with three standard errors of leeway).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

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

// Between the marks of the document; false, with a line about it, if that cannot be done.
bool put(const std::string& path, const std::string& text) {
  const std::string begin = "<!-- measured by ./dev trials -->\n", end = "<!-- end -->";
  std::stringstream whole;
  whole << std::ifstream(path).rdbuf();
  std::string page = whole.str();
  const std::size_t from = page.find(begin), to = page.find(end);
  if (from == std::string::npos || to == std::string::npos || to < from) {
    fmt::print(stderr, "ogee_trials: {}: no marks to put tables between\n", path);
    return false;
  }
  page.replace(from + begin.size(), to - from - begin.size(), "\n" + text + "\n");
  std::ofstream file(path);
  file << page;
  file.close();
  if (!file) fmt::print(stderr, "ogee_trials: {}: cannot be written\n", path);
  return static_cast<bool>(file);
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
  std::string document;
  app.add_option("--document", document, "the Markdown file to put the tables into")->check(CLI::ExistingFile);
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
  const std::string tables = markdown(rows);
  fmt::print("{}", tables);
  if (!document.empty() &&
      !put(document, fmt::format("{} comparisons for each row.\n\n{}", simulation.experiments, tables)))
    return 1;
  return fine ? 0 : 1;
}

}  // namespace
}  // namespace ogee::lab

int main(int argc, char** argv) { return ogee::lab::main(argc, argv); }
