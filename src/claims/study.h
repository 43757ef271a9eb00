// What a claim is tested by: something that is run and measured.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace ogee::lab {
class Table;
}

namespace ogee::claims {

inline constexpr double no_condition = std::numeric_limits<double>::quiet_NaN();

// One measured number.
struct Observation {
  std::string arm;           // what is compared: mostly an activation, as it is written
  double at = no_condition;  // the condition that the study varies (a depth, a learning rate...), if it varies one
  std::uint64_t seed = 0;    // observations with equal seeds are paired; 0: no chance in it, exact
  std::string measure;       // what of it: "error", "gradient_decay"...
  double value = 0;          // NaN: could not be measured
};

// What a study is given.
struct Work {
  std::string folder;  // its own, to keep in what a killed program must not lose; exists
  int workers = 0;     // threads; 0: one for each core
  const std::atomic<bool>* stop = nullptr;
  std::function<void(std::size_t done, std::size_t of, const std::string& latest)> progress = nullptr;
};

class Study {
 public:
  virtual ~Study() = default;
  // All that the numbers depend on: equal settings, equal observations (times aside).
  virtual nlohmann::ordered_json settings() const = 0;
  // The measures that it makes, by name, with what they are in words: what expectations may speak of.
  virtual std::map<std::string, std::string> measures() const = 0;
  // Why it cannot be run here ("needs movies under $OGEE_DATA"), or "".
  virtual std::string missing() const { return ""; }
  // Runs what `work.folder` does not hold yet. Fewer observations than the whole if stopped. Throws Error on what the
  // user can mend.
  virtual std::vector<Observation> run(const Work& work) = 0;
  // What a reader of the numbers should know beside them; after `run`.
  virtual std::vector<std::string> notes() const { return {}; }
};

// A study of cells that know nothing of each other: what most studies are.
class CellStudy : public Study {
 public:
  struct Cell {
    std::string arm;
    double at = no_condition;
    std::uint64_t seed = 1;
  };
  // Cells in threads, each kept in work.folder as soon as it is measured.
  std::vector<Observation> run(const Work& work) final;

 protected:
  virtual std::vector<Cell> cells() const = 0;
  // Every arm under every condition, with seeds from 1.
  static std::vector<Cell> grid(const std::vector<std::string>& arms, const std::vector<double>& conditions,
                                std::int64_t seeds);
  // By measure. A function of the settings and the cell alone (times aside); called from several threads at a time,
  // each with LibTorch set to one thread. May throw Stopped once `stop` is true.
  virtual std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const = 0;
  struct Stopped {};
};

// `table` holds the study's own settings, those of one preset of a claim; the study takes its keys, the caller finishes
// it. Throws Error.
std::unique_ptr<Study> make_study(const std::string& name, lab::Table& table);
// What make_study knows.
std::vector<std::string> studies();

}  // namespace ogee::claims
