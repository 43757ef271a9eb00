// What has been run, on disk: a SQLite file that any program can read, complete at every moment.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lab/run.h"

struct sqlite3;

namespace ogee::lab {

struct StoredRun {
  RunKey key;
  RunResult result;
};

// Safe to call from several threads. Throws Error, naming the file.
class Store {
 public:
  // Opens or makes `path`. `identity` is the experiment as JSON: a file that holds another one is an error that says
  // in what they differ. Runs that were cut short are dropped.
  Store(const std::string& path, const std::string& identity);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The result of a run that came to its end (also by diverging), without its points.
  std::optional<RunResult> find(const RunKey& key);
  // A run in three steps; what `point` writes stays if the program dies.
  std::int64_t begin(const RunKey& key);
  void point(std::int64_t run, const Point& point);
  void end(std::int64_t run, const RunResult& result);
  // Takes back a run that was stopped.
  void drop(std::int64_t run);
  // All that ended, with their points, in a fixed order.
  std::vector<StoredRun> all();

 private:
  std::mutex mutex_;
  std::string path_;
  sqlite3* database_ = nullptr;
};

}  // namespace ogee::lab
