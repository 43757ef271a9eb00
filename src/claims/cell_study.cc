#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "claims/study.h"
#include "lab/blas.h"
#include "lab/laboratory.h"
#include "lab/workshop.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

using Json = nlohmann::ordered_json;
using Measures = std::map<std::string, double>;

std::string key_of(const CellStudy::Cell& cell) { return fmt::format("{}|{}|{}", cell.arm, cell.at, cell.seed); }

// Numbers that JSON does not have, as words.
Json to_json(double value) {
  return std::isfinite(value) ? Json(value) : Json(std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
}
double from_json(const Json& json) {
  if (json.is_number()) return json.get<double>();
  const auto word = json.get<std::string>();
  const double infinity = std::numeric_limits<double>::infinity();
  return word == "nan" ? no_condition : word == "inf" ? infinity : -infinity;
}

// Measured cells, a line each: what a killed program had written whole is read back, the rest measured again.
class Kept {
 public:
  Kept(const std::string& folder, const std::string& settings) : path_(folder + "/cells.jsonl") {
    std::ifstream file(path_);
    std::string line;
    bool whole = std::getline(file, line) && line == settings;
    while (whole && std::getline(file, line)) {
      const Json json = Json::parse(line, nullptr, false);
      if (json.is_discarded() || file.eof()) break;  // cut short
      Measures measures;
      for (const auto& [name, value] : json.at("measures").items()) measures[name] = from_json(value);
      cells_[json.at("cell").get<std::string>()] = std::move(measures);
    }
    file.close();
    // Written anew, so that no line follows one that was cut.
    const std::string beside = path_ + ".new";
    out_.open(beside, std::ios::trunc);
    out_ << settings << '\n';
    for (const auto& [key, measures] : cells_) write(key, measures);
    if (!out_.flush() || std::rename(beside.c_str(), path_.c_str()) != 0)
      throw Error(fmt::format("{}: cannot be written", path_));
  }

  const Measures* find(const std::string& key) const {
    const auto found = cells_.find(key);
    return found == cells_.end() ? nullptr : &found->second;
  }
  void add(const std::string& key, const Measures& measures) {
    write(key, measures);
    if (!out_.flush()) throw Error(fmt::format("{}: cannot be written", path_));
  }

 private:
  void write(const std::string& key, const Measures& measures) {
    Json json{{"cell", key}, {"measures", Json::object()}};
    for (const auto& [name, value] : measures) json["measures"][name] = to_json(value);
    out_ << json.dump() << '\n';
  }
  const std::string path_;
  std::map<std::string, Measures> cells_;
  std::ofstream out_;
};

}  // namespace

std::vector<CellStudy::Cell> CellStudy::grid(const std::vector<std::string>& arms,
                                             const std::vector<double>& conditions, std::int64_t seeds) {
  std::vector<Cell> all;
  for (const std::string& arm : arms)
    for (const double at : conditions)
      for (std::int64_t seed = 1; seed <= seeds; ++seed) all.push_back({arm, at, static_cast<std::uint64_t>(seed)});
  return all;
}

std::vector<Observation> CellStudy::run(const Work& work) {
  const std::vector<Cell> all = cells();
  Kept kept(work.folder, settings().dump());
  std::vector<std::optional<Measures>> done(all.size());
  std::size_t finished = 0, next = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (const Measures* measures = kept.find(key_of(all[i]))) {
      done[i] = *measures;
      ++finished;
    }
  lab::Options options;
  options.workers = work.workers;
  const int count = lab::workers_of(options);
  std::mutex mutex;
  std::exception_ptr failure;
  const auto stopped = [&] { return work.stop && work.stop->load(std::memory_order_relaxed); };
  const auto serve = [&] {
    at::set_num_threads(1);  // of this thread
    std::unique_lock lock(mutex);
    while (!failure && !stopped()) {
      while (next < all.size() && done[next]) ++next;
      if (next == all.size()) return;
      const std::size_t i = next++;
      lock.unlock();
      std::optional<Measures> measures;
      std::exception_ptr error;
      try {
        measures = measure(all[i], work.stop);
      } catch (const Stopped&) {
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !failure) failure = error;
      if (!measures) continue;
      try {
        kept.add(key_of(all[i]), *measures);
      } catch (...) {
        failure = std::current_exception();
      }
      done[i] = std::move(measures);
      ++finished;
      if (work.progress) work.progress(finished, all.size(), all[i].arm);
    }
  };
  const lab::OneBlasThread one;
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  std::vector<Observation> observations;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (done[i])
      for (const auto& [name, value] : *done[i])
        observations.push_back({all[i].arm, all[i].at, all[i].seed, name, value});
  return observations;
}

}  // namespace ogee::claims
