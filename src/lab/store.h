// What has been run, on disk: a SQLite file that any program can read, complete at every moment.
//
// Several processes may share it: a run is claimed by the one that works on it. The claims of a process that has ended
// (presence.h), or has given no sign for `Store::lease_seconds` (stopped, say), return.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lab/presence.h"
#include "lab/run.h"

struct sqlite3;

namespace ogee::lab {

struct StoredRun {
  RunKey key;
  RunResult result;
};

struct Claim {
  enum class State { mine, elsewhere, done } state;
  std::int64_t run = 0;             // mine
  bool begun = false;               // mine: somebody worked on it before, and may have left a checkpoint
  std::optional<RunResult> result;  // done; without its points
};

// Safe to call from several threads. Throws Error on what the user can mend (another experiment, another version's
// file, a damaged one, a folder that cannot be written), StoreFailure on what befalls the work (a full disk, a lock
// that does not go), both naming the file.
class Store {
 public:
  static constexpr double lease_seconds = 120;

  // Opens or makes `path`. `identity` is the experiment as JSON: a file that holds another one is an error that says
  // in what they differ. Failed runs are dropped if no other process has the file open, and tried again.
  Store(const std::string& path, const std::string& identity);
  // Opens what is there, to read: for reports.
  static std::unique_ptr<Store> existing(const std::string& path);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // The result of a run that came to its end (also by diverging), without its points.
  std::optional<RunResult> find(const RunKey& key);
  Claim claim(const RunKey& key);
  // Both throw Lost if the claim is another's by now.
  void point(std::int64_t run, const Point& point);
  void end(std::int64_t run, const RunResult& result);
  // Gives a claim back; what the run has so far stays.
  void release(std::int64_t run);
  // A sign of life, to be given well within `lease_seconds`.
  void beat();
  // Whether no other process has the file open.
  bool alone();
  // Runs that have begun and not ended.
  std::vector<std::int64_t> begun();
  // All that ended, with their points, in a fixed order.
  std::vector<StoredRun> all();

  // Notes beside the runs, by name: the facts of the data, the experiment as a file.
  void note(const std::string& name, const std::string& text);
  std::string noted(const std::string& name);
  std::string identity();
  const std::string& path() const { return path_; }

 private:
  enum class Opening { make, existing };
  Store(const std::string& path, Opening how);
  void prepare(const std::string& identity);
  bool taken(std::int64_t owner);
  void checked(std::int64_t run);

  std::mutex mutex_;
  std::string path_;
  sqlite3* database_ = nullptr;
  std::unique_ptr<Presence> presence_;
  std::int64_t owner_ = 0;
};

// A run's claim went to another process, as this one gave no sign for too long.
class Lost : public StoreFailure {
 public:
  using StoreFailure::StoreFailure;
};

}  // namespace ogee::lab
