// Networks with planted faults, and healthy ones, trained under the monitor: how many faults it finds, at three
// severities, and how often it raises a false alarm; beside SageMaker Debugger's published rules on the same networks.
//
//   ogee_faults                        all of them: some five minutes on two cores
//   ogee_faults --half test            only the half on which no threshold was chosen
//   ogee_faults --keep DIR             and keep every record; --judge DIR judges kept ones anew, in seconds
//
// Exit status 1 if recall at middle severity is below 0.95, or false findings are above 5 %.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <fmt/format.h>

#include "bench/faults/score.h"

namespace ogee::faults {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

struct Options {
  std::string half = "all", only, keep, judge, json;
  int workers = 2;
  std::uint64_t seed = 1;
  std::int64_t every = 5;  // twenty windows in a training of a hundred steps
  bool words = false, quiet = false, healthy = false, faulty = false, middle_only = false;
};

struct Job {
  const Plan* plan;
  Level level;
  std::size_t number;
};

bool wanted(const Options& o, const std::string& name, const std::string& fault, const std::string& half, Level level) {
  if (o.half != "all" && half != o.half) return false;
  if (!o.only.empty() && name.find(o.only) == std::string::npos) return false;
  if ((o.healthy && !fault.empty()) || (o.faulty && fault.empty())) return false;
  return !o.middle_only || fault.empty() || level == middle;
}

fs::path file_of(const fs::path& folder, std::size_t number) { return folder / fmt::format("{:04}.json", number); }

// The work of one process: every `workers`-th job. Writes a file for each run.
void work(const std::vector<Job>& jobs, const Options& o, int worker, const fs::path& folder) {
  torch::set_num_threads(1);
  for (std::size_t i = static_cast<std::size_t>(worker); i < jobs.size(); i += static_cast<std::size_t>(o.workers)) {
    const Job& job = jobs[i];
    // The halves differ in their seeds, too.
    const std::uint64_t seed = 1000 * o.seed + (job.plan->tune ? 0 : 500) + job.number;
    const Outcome outcome = train(*job.plan, job.level, seed, o.every);
    const Row row = score(*job.plan, job.level, outcome);
    const fs::path path = file_of(folder, i), part = path.string() + ".part";
    std::ofstream(part) << to_json(row, &outcome.record);
    fs::rename(part, path);
    if (!o.quiet)
      fmt::print(stderr, "{:4}/{} {:<7} {:.1f} s  {}\n", i + 1, jobs.size(),
                 row.fault.empty() ? "" : level_names[row.level], row.seconds, row.name);
  }
}

std::vector<Row> judge_folder(const fs::path& folder, const Options& o) {
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<Row> rows;
  for (const fs::path& path : paths) {
    std::ifstream in(path);
    std::vector<std::string> words;
    const Row row = judged(Json::parse(in), &words);
    if (!wanted(o, row.name, row.fault, row.half, row.level)) continue;
    rows.push_back(row);
    if (!o.words) continue;
    fmt::print("{} {} {}: loss {:.2f} to {:.2f}, {:.1f} %, {}\n", path.filename().string(),
               row.fault.empty() ? "" : level_names[row.level], row.name, row.first_loss, row.last_loss,
               100 * row.accuracy,
               row.fault.empty() ? ""
               : row.found       ? "found"
                                 : "MISSED");
    for (const std::string& text : words) fmt::print("    {}\n", text);
  }
  return rows;
}

std::vector<Row> run(const Options& o) {
  const bool fashion = std::getenv("OGEE_DATA") != nullptr;
  if (!fashion) fmt::print(stderr, "ogee_faults: OGEE_DATA is unset: healthy networks on Fashion-MNIST are left out\n");
  const auto faulty = faulty_plans(), healthy = healthy_plans(fashion);
  std::vector<Job> jobs;
  std::size_t number = 0;
  for (const auto* plans : {&faulty, &healthy}) {
    for (const Plan& plan : *plans) {
      ++number;
      for (const Level level : {mild, middle, severe}) {
        if (plan.fault.empty() && level != middle) continue;
        if (wanted(o, plan.name, plan.fault, plan.tune ? "tune" : "test", level))
          jobs.push_back({&plan, level, number});
      }
    }
  }
  const fs::path folder =
      o.keep.empty() ? fs::temp_directory_path() / fmt::format("ogee-faults-{}", getpid()) : fs::path(o.keep);
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") fs::remove(entry.path());
  std::vector<pid_t> children;
  for (int worker = 0; worker < o.workers; ++worker) {
    const pid_t child = fork();
    if (child == 0) {
      int status = 0;
      try {
        work(jobs, o, worker, folder);
      } catch (const std::exception& error) {
        fmt::print(stderr, "ogee_faults: {}\n", error.what());
        status = 1;
      }
      std::fflush(nullptr);
      _exit(status);
    }
    children.push_back(child);
  }
  bool failed = false;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    failed = failed || status != 0;
  }
  if (failed) throw std::runtime_error("a worker failed");
  const auto rows = judge_folder(folder, o);
  if (o.keep.empty()) fs::remove_all(folder);
  return rows;
}

int measure(const Options& o) {
  const auto rows = o.judge.empty() ? run(o) : judge_folder(o.judge, o);
  fmt::print("{}", report(rows, true));
  for (const char* half : {"tune", "test"}) {
    std::vector<Row> part;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(part), [&](const Row& row) { return row.half == half; });
    if (part.size() == rows.size() || part.empty()) continue;
    fmt::print("\n--- the half {}: {} runs\n{}",
               half == std::string("tune") ? "on which thresholds were chosen" : "held out", part.size(),
               report(part, false));
  }
  if (!o.json.empty()) {
    Json all = {{"summary", summary(rows)}};
    for (const char* half : {"tune", "test"}) {
      std::vector<Row> part;
      std::copy_if(rows.begin(), rows.end(), std::back_inserter(part),
                   [&](const Row& row) { return row.half == half; });
      all[half] = summary(part);
    }
    all["runs"] = Json::array();
    for (const Row& row : rows) all["runs"].push_back(to_json(row, nullptr));
    std::ofstream(o.json) << all.dump(1) << "\n";
  }
  return good_enough(rows) ? 0 : 1;
}

}  // namespace
}  // namespace ogee::faults

int main(int argc, char** argv) {
  ogee::faults::Options o;
  CLI::App app{"Plants faults in small networks, and counts which of them the monitor finds."};
  app.add_option("--half", o.half, "tune: where thresholds were chosen; test: the other one")
      ->check(CLI::IsMember({"all", "tune", "test"}));
  app.add_option("--only", o.only, "Networks whose name contains this");
  app.add_flag("--healthy", o.healthy, "Healthy networks only");
  app.add_flag("--faulty", o.faulty, "Faulty networks only");
  app.add_flag("--middle", o.middle_only, "Faults of middle severity only");
  app.add_option("--keep", o.keep, "A folder for every run's record");
  app.add_option("--judge", o.judge, "Judges the records in this folder instead of training");
  app.add_option("--json", o.json, "A file for everything counted");
  app.add_option("--workers", o.workers, "Runs at a time")->check(CLI::Range(1, 256));
  app.add_option("--every", o.every, "A window every so many steps")->check(CLI::Range(1, 1000));
  app.add_option("--seed", o.seed, "Other weights and other batches");
  app.add_flag("--words", o.words, "With every finding in full");
  app.add_flag("--quiet", o.quiet, "No progress");
  try {
    app.parse(argc, argv);
    return ogee::faults::measure(o);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  } catch (const std::exception& e) {
    fmt::print(stderr, "ogee_faults: {}\n", e.what());
    return 1;
  }
}
