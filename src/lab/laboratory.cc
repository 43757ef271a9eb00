#include "lab/laboratory.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/version.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lab/clock.h"
#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "data/subwords.h"
#include "lab/experiment_file.h"
#include "lab/facts.h"
#include "lab/report.h"
#include "lab/run.h"
#include "lab/store.h"
#include "lab/summary.h"
#include "lab/tensorboard.h"
#include "lab/together.h"
#include "lab/workshop.h"
#include "models/design.h"
#include "ogee/ogee.h"
#include "tasks/task.h"

namespace ogee::lab {
namespace {

constexpr const char* goal_names[] = {"classification", "regression",  "language model", "forecasting",
                                      "recall",         "translation", "captions"};

DataFacts facts_of(const data::Dataset& data, const std::string& metric) {
  DataFacts facts;
  facts.name = data.name;
  facts.goal = goal_names[static_cast<std::size_t>(data.goal)];
  const auto task = tasks::make_task(data, metric);
  facts.metric = task->metric().title;
  facts.shape = data.shape;
  facts.classes = static_cast<std::int64_t>(data.classes.size());
  facts.train = data.train.size();
  facts.validation = data.validation.size();
  facts.test = data.test.size();
  facts.baseline = tasks::baseline(*task, data);
  facts.notes = data.notes;
  return facts;
}

void to_device(data::Dataset& data, const std::string& device) {
  if (device != "cuda") return;
  std::vector<data::Part*> parts{&data.train, &data.validation, &data.test};
  if (!data.levels.names.empty()) parts[0] = &data.levels.train;
  for (data::Part& part : data.levels.validation) parts.push_back(&part);
  for (data::Part* part : parts) {
    part->x = part->x.to(torch::kCUDA);
    part->y = part->y.to(torch::kCUDA);
  }
  if (!data.levels.names.empty()) data.train = data.levels.last();
  if (data.captions()) data.pictures.all = data.pictures.all.to(torch::kCUDA);
}

std::vector<std::string> notes_on_design(const Experiment& experiment) {
  if (!experiment.design) return {};
  std::vector<std::string> activations;
  for (const ArmSettings& arm : experiment.arms) activations.push_back(activation_of(arm));
  return experiment.design->notes(activations);
}

void check_data_parallel(const Experiment& experiment, const Options& options) {
  if (!options.rank)
    throw Error(
        "--data-parallel: this process is alone; expected several, started by torchrun --no_python, mpirun or srun");
  if (options.workers > 1)
    throw Error(fmt::format("--workers {}: with --data-parallel all ranks train one run at a time, on a thread each",
                            options.workers));
  check_batches(experiment, options.rank->world);
}

}  // namespace

void write_atomically(const std::string& path, const std::string& content) {
  // Several processes may write the same file.
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  const auto fail = [&](int code) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    const std::string message = fmt::format("{}: cannot be written: {}", path, std::strerror(code));
    if (code == EACCES || code == EROFS || code == EPERM || code == ENOENT) throw Error(message);
    throw StoreFailure(message);
  };
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  if (!file) fail(errno);
  file << content;
  file.close();
  if (!file) fail(errno);
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) fail(error.value());
}

Outcome compare(const Experiment& experiment, const Options& options) {
  return compare(experiment, data::load(request_of(experiment)), options);
}

Outcome compare(const Experiment& wanted, data::Dataset data, const Options& options) {
  const Experiment experiment = resolve(wanted, data);
  if (experiment.data_parallel) check_data_parallel(experiment, options);
  const std::filesystem::path folder = options.out;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!std::filesystem::is_directory(folder))
    throw Error(
        fmt::format("--out {}: cannot make this folder: {}", options.out, error ? error.message() : "in the way"));
  Store store((folder / "results.db").string(), to_json(experiment).dump());
  DataFacts facts = facts_of(data, experiment.metric);
  for (const std::string& note : notes_on_design(experiment)) facts.notes.push_back(note);
  store.note("experiment", to_toml(experiment));
  store.note("facts", to_json(facts).dump());
  write_atomically((folder / "experiment.toml").string(), to_toml(experiment));
  for (const auto& [name, subwords] : {std::pair("source.model", data.subwords[0]), {"target.model", data.subwords[1]}})
    if (subwords) write_atomically((folder / name).string(), subwords->model());
  to_device(data, experiment.device);

  const auto start = Clock::now();
  std::optional<Ranks> ranks;
  std::optional<Together> together;
  if (experiment.data_parallel)
    together.emplace(*options.rank, to_json(experiment).dump(), options.stop);
  else if (options.rank)
    ranks.emplace(*options.rank, to_json(experiment).dump());
  std::vector<std::string> remarks =
      work_off(experiment, data, store, options, ranks ? &*ranks : nullptr, together ? &*together : nullptr);
  ranks.reset();
  if (together) remarks.push_back(fmt::format("every run was trained by {} ranks together", together->world()));
  together.reset();
  Environment environment;
  environment.command = options.command;
  environment.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  environment.target = target();
  environment.libtorch = TORCH_VERSION;
  environment.workers = experiment.data_parallel ? 1 : workers_of(options);
  if (const std::string why = why_one_worker(); !why.empty() && !experiment.data_parallel) remarks.push_back(why);
  environment.note = fmt::format("{}", fmt::join(remarks, "; "));
  store.note("environment", to_json(environment).dump());

  const std::vector<StoredRun> runs = store.all();
  Outcome outcome{Ending::complete, summarise(experiment, facts, environment, runs)};
  if (!options.tensorboard.empty()) write_events(options.tensorboard, runs);
  write_atomically((folder / "results.json").string(), outcome.results.dump(1) + "\n");
  write_atomically((folder / "report.html").string(), html_report(outcome.results));
  if (!outcome.results["complete"].get<bool>())
    outcome.ending = Ending::stopped;
  else if (outcome.results["recommendation"]["arm"].is_null())
    outcome.ending = Ending::nothing_worked;
  return outcome;
}

void serve(const Experiment& wanted, const Options& options) {
  data::Dataset data = data::load(request_of(wanted));
  const Experiment experiment = resolve(wanted, data);
  if (experiment.data_parallel) check_data_parallel(experiment, options);
  to_device(data, experiment.device);
  if (experiment.data_parallel)
    take_part(*options.rank, experiment, to_json(experiment).dump(), data, options);
  else
    serve_runs(*options.rank, experiment, to_json(experiment).dump(), data, options);
}

}  // namespace ogee::lab
