#include "lab/store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "monitor/json.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

constexpr const char* schema = R"(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS experiment(only INTEGER PRIMARY KEY CHECK(only = 1), settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS runs(
  id INTEGER PRIMARY KEY, arm TEXT NOT NULL, stage TEXT NOT NULL, seed INTEGER NOT NULL, learning_rate REAL NOT NULL,
  steps INTEGER NOT NULL, status TEXT NOT NULL, message TEXT, parameters INTEGER, validation_error REAL,
  validation_loss REAL, test_error REAL, test_loss REAL, ms_per_step REAL, seconds REAL, dead REAL, saturated REAL,
  findings TEXT, memory REAL, UNIQUE(arm, stage, seed, learning_rate, steps));
CREATE TABLE IF NOT EXISTS points(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, epoch INTEGER NOT NULL, train_loss REAL,
  validation_error REAL, validation_loss REAL, gradients TEXT, histograms TEXT, PRIMARY KEY(run, epoch));
DELETE FROM runs WHERE status IN ('running', 'failed');
)";

// A prepared statement, finalised with its scope.
class Statement {
 public:
  Statement(sqlite3* database, const std::string& path, const char* sql) : database_(database), path_(path) {
    check(sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& add(const std::string& value) {
    check(sqlite3_bind_text(statement_, ++bound_, value.c_str(), -1, SQLITE_TRANSIENT));
    return *this;
  }
  Statement& add(std::int64_t value) {
    check(sqlite3_bind_int64(statement_, ++bound_, value));
    return *this;
  }
  Statement& add(double value) {  // SQLite turns NaN into NULL
    check(sqlite3_bind_double(statement_, ++bound_, value));
    return *this;
  }
  // True while there are rows.
  bool step() {
    const int status = sqlite3_step(statement_);
    if (status != SQLITE_ROW && status != SQLITE_DONE) check(status);
    return status == SQLITE_ROW;
  }
  std::string text(int column) const {
    const auto* value = sqlite3_column_text(statement_, column);
    return value ? reinterpret_cast<const char*>(value) : "";
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL ? unknown : sqlite3_column_double(statement_, column);
  }

 private:
  void check(int status) const {
    if (status != SQLITE_OK) throw Error(fmt::format("{}: {}", path_, sqlite3_errmsg(database_)));
  }
  sqlite3* database_;
  const std::string& path_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

RunResult read_result(const Statement& row, int from) {
  RunResult result;
  result.status = status_named(row.text(from));
  result.message = row.text(from + 1);
  result.parameters = row.integer(from + 2);
  double* const fields[] = {&result.validation_error, &result.validation_loss, &result.test_error, &result.test_loss,
                            &result.ms_per_step,      &result.seconds,         &result.dead,       &result.saturated};
  for (std::size_t i = 0; i < std::size(fields); ++i) *fields[i] = row.real(from + 3 + static_cast<int>(i));
  const auto findings =
      nlohmann::ordered_json::parse(row.text(from + 3 + static_cast<int>(std::size(fields))), nullptr, false);
  if (findings.is_array()) result.findings = findings.get<std::vector<monitor::Finding>>();
  result.memory = row.real(from + 4 + static_cast<int>(std::size(fields)));
  return result;
}

std::string difference(const std::string& stored, const std::string& wanted) {
  const auto there = nlohmann::ordered_json::parse(stored), here = nlohmann::ordered_json::parse(wanted);
  for (const auto* side : {&here, &there})
    for (const auto& [key, value] : side->items()) {
      const auto theirs = there.contains(key) ? there[key].dump() : "unset";
      const auto ours = here.contains(key) ? here[key].dump() : "unset";
      if (theirs != ours) return fmt::format("{} is {} there, {} here", key, theirs, ours);
    }
  return "written differently";
}

}  // namespace

Store::Store(const std::string& path, const std::string& identity) : path_(path) {
  const auto fail = [&](const std::string& message) {
    sqlite3_close(database_);
    throw Error(message);
  };
  if (sqlite3_open(path.c_str(), &database_) != SQLITE_OK)
    fail(fmt::format("{}: {}", path, database_ ? sqlite3_errmsg(database_) : "out of memory"));
  sqlite3_busy_timeout(database_, 10000);
  if (sqlite3_exec(database_, schema, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(fmt::format("{}: {}", path, sqlite3_errmsg(database_)));
  // A store from before these were measured gets the columns; where they are, this fails and changes nothing.
  for (const char* column :
       {"runs ADD COLUMN findings TEXT", "runs ADD COLUMN memory REAL", "points ADD COLUMN histograms TEXT"})
    sqlite3_exec(database_, fmt::format("ALTER TABLE {}", column).c_str(), nullptr, nullptr, nullptr);
  std::string problem;
  {
    Statement query(database_, path_, "SELECT settings FROM experiment");
    if (!query.step()) {
      Statement(database_, path_, "INSERT INTO experiment VALUES(1, ?)").add(identity).step();
    } else if (const std::string stored = query.text(0); stored != identity) {
      problem =
          fmt::format("{}: holds another experiment ({}); choose another --out", path, difference(stored, identity));
    }
  }
  if (!problem.empty()) fail(problem);
}

Store::~Store() { sqlite3_close(database_); }

std::optional<RunResult> Store::find(const RunKey& key) {
  const std::lock_guard lock(mutex_);
  Statement query(
      database_, path_,
      "SELECT status, message, parameters, validation_error, validation_loss, test_error, test_loss, "
      "ms_per_step, seconds, dead, saturated, findings, memory FROM runs WHERE arm = ? AND stage = ? AND seed = ? AND "
      "learning_rate = ? AND steps = ? AND status != 'running'");
  query.add(key.arm).add(name_of(key.stage)).add(std::int64_t(key.seed)).add(key.rate).add(key.steps);
  if (!query.step()) return std::nullopt;
  return read_result(query, 0);
}

std::int64_t Store::begin(const RunKey& key) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_,
            "INSERT INTO runs(arm, stage, seed, learning_rate, steps, status) VALUES(?, ?, ?, ?, ?, 'running')")
      .add(key.arm)
      .add(name_of(key.stage))
      .add(std::int64_t(key.seed))
      .add(key.rate)
      .add(key.steps)
      .step();
  return sqlite3_last_insert_rowid(database_);
}

void Store::point(std::int64_t run, const Point& point) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_,
            "INSERT OR REPLACE INTO points(run, epoch, train_loss, validation_error, validation_loss, gradients, "
            "histograms) VALUES(?, ?, ?, ?, ?, ?, ?)")
      .add(run)
      .add(point.epoch)
      .add(point.train_loss)
      .add(point.validation_error)
      .add(point.validation_loss)
      .add(nlohmann::json(point.gradients).dump())
      .add(nlohmann::json(point.histograms).dump())
      .step();
}

void Store::end(std::int64_t run, const RunResult& result) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_,
            "UPDATE runs SET status = ?, message = ?, parameters = ?, validation_error = ?, validation_loss = ?, "
            "test_error = ?, test_loss = ?, ms_per_step = ?, seconds = ?, dead = ?, saturated = ?, findings = ?, "
            "memory = ? WHERE id = ?")
      .add(name_of(result.status))
      .add(result.message)
      .add(result.parameters)
      .add(result.validation_error)
      .add(result.validation_loss)
      .add(result.test_error)
      .add(result.test_loss)
      .add(result.ms_per_step)
      .add(result.seconds)
      .add(result.dead)
      .add(result.saturated)
      .add(nlohmann::ordered_json(result.findings).dump())
      .add(result.memory)
      .add(run)
      .step();
}

void Store::drop(std::int64_t run) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_, "DELETE FROM runs WHERE id = ?").add(run).step();
}

std::vector<StoredRun> Store::all() {
  const std::lock_guard lock(mutex_);
  std::vector<StoredRun> runs;
  Statement query(
      database_, path_,
      "SELECT id, arm, stage, seed, learning_rate, steps, status, message, parameters, validation_error, "
      "validation_loss, test_error, test_loss, ms_per_step, seconds, dead, saturated, findings, memory FROM runs "
      "WHERE status != 'running' ORDER BY arm, stage, seed, learning_rate, steps");
  while (query.step()) {
    StoredRun run;
    run.key = {query.text(1), stage_named(query.text(2)), static_cast<std::uint64_t>(query.integer(3)), query.real(4),
               query.integer(5)};
    run.result = read_result(query, 6);
    Statement points(database_, path_,
                     "SELECT epoch, train_loss, validation_error, validation_loss, gradients, histograms FROM points "
                     "WHERE run = ? ORDER BY epoch");
    points.add(query.integer(0));
    while (points.step()) {
      Point point{points.integer(0), points.real(1), points.real(2), points.real(3), {}, {}};
      for (const auto& value : nlohmann::json::parse(points.text(4)))
        point.gradients.push_back(value.is_number() ? value.get<double>() : unknown);
      const auto histograms = nlohmann::json::parse(points.text(5), nullptr, false);
      if (histograms.is_array()) point.histograms = histograms.get<std::vector<std::vector<double>>>();
      run.result.points.push_back(std::move(point));
    }
    runs.push_back(std::move(run));
  }
  return runs;
}

}  // namespace ogee::lab
