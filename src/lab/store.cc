#include "lab/store.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "lab/sqlite.h"
#include "monitor/json.h"
#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

// Counts up when the tables change, or what comes of the same settings.
constexpr std::int64_t format = 4;
constexpr int busy_milliseconds = 20000;

constexpr const char* schema = R"(
CREATE TABLE experiment(only INTEGER PRIMARY KEY CHECK(only = 1), settings TEXT NOT NULL);
CREATE TABLE notes(name TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE processes(id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, beat REAL NOT NULL);
CREATE TABLE runs(
  id INTEGER PRIMARY KEY AUTOINCREMENT, arm TEXT NOT NULL, stage TEXT NOT NULL, seed INTEGER NOT NULL,
  learning_rate REAL NOT NULL, attributes TEXT NOT NULL, steps INTEGER NOT NULL, status TEXT NOT NULL,
  owner INTEGER NOT NULL, message TEXT, parameters INTEGER, validation_error REAL, validation_loss REAL,
  test_error REAL, test_loss REAL, ms_per_step REAL, seconds REAL, dead REAL, saturated REAL, findings TEXT, memory REAL,
  further TEXT,
  UNIQUE(arm, stage, seed, learning_rate, attributes, steps));
CREATE TABLE points(
  run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, epoch INTEGER NOT NULL, train_loss REAL,
  validation_error REAL, validation_loss REAL, gradients TEXT, histograms TEXT, scheduled TEXT, PRIMARY KEY(run, epoch));
)";

// The same for all processes since the machine was started, and unlike the time of day it does not jump.
double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// To a write-ahead log. Where another process is doing so, SQLite does not wait as it does elsewhere.
void switch_to_log(sqlite3* database, const std::string& path) {
  const double began = now();
  int status = SQLITE_OK;
  while ((status = sqlite3_exec(database, "PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr)) == SQLITE_BUSY &&
         now() - began < busy_milliseconds / 1000.0)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  check_sqlite(database, path, status);
}

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
  const auto further = nlohmann::json::parse(row.text(from + 5 + static_cast<int>(std::size(fields))), nullptr, false);
  if (further.is_object()) result.further = further.get<std::map<std::string, double>>();
  return result;
}

Point read_point(const Statement& row) {
  Point point{row.integer(0), row.real(1), row.real(2), row.real(3), {}, {}, {}};
  for (const auto& value : nlohmann::json::parse(row.text(4)))
    point.gradients.push_back(value.is_number() ? value.get<double>() : unknown);
  point.histograms = nlohmann::json::parse(row.text(5)).get<std::vector<std::vector<double>>>();
  point.scheduled = nlohmann::json::parse(row.text(6)).get<std::map<std::string, double>>();
  return point;
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

constexpr const char* where_key =
    " WHERE arm = ? AND stage = ? AND seed = ? AND learning_rate = ? AND attributes = ? AND steps = ?";

void add_key(Statement& statement, const RunKey& key) {
  statement.add(key.arm).add(name_of(key.stage)).add(std::int64_t(key.seed)).add(key.rate);
  statement.add(key.attributes).add(key.steps);
}

constexpr const char* result_columns =
    "status, message, parameters, validation_error, validation_loss, test_error, test_loss, ms_per_step, seconds, "
    "dead, saturated, findings, memory, further";

}  // namespace

Store::Store(const std::string& path, Opening how) : path_(path) {
  const int flags = how == Opening::make ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE;
  try {
    check_sqlite(database_, path_, sqlite3_open_v2(path.c_str(), &database_, flags, nullptr));
    sqlite3_busy_timeout(database_, busy_milliseconds);
    std::int64_t version = 0, tables = 0;
    {
      Statement query(database_, path_, "PRAGMA user_version");
      if (query.step()) version = query.integer(0);
    }
    {
      Statement query(database_, path_, "SELECT count(*) FROM sqlite_master");
      if (query.step()) tables = query.integer(0);
    }
    if (tables > 0 && version != format)
      throw Error(
          fmt::format("{}: made by another version of Ogee (format {}, this one has {}); choose another --out, or "
                      "remove the folder to run it again",
                      path, version, format));
    if (tables > 0) {
      Statement query(database_, path_, "PRAGMA quick_check(1)");
      if (query.step() && query.text(0) != "ok")
        throw Error(
            fmt::format("{}: damaged ({}); choose another --out, or rescue what is in it with sqlite3's .recover", path,
                        query.text(0)));
    } else if (how == Opening::existing) {
      throw Error(fmt::format("{}: holds no results", path));
    }
  } catch (...) {
    sqlite3_close(database_);
    throw;
  }
}

Store::Store(const std::string& path, const std::string& identity) : Store(path, Opening::make) {
  presence_ = std::make_unique<Presence>(path + "-processes");
  prepare(identity);
}

std::unique_ptr<Store> Store::existing(const std::string& path) {
  if (!std::filesystem::exists(path)) throw Error(fmt::format("{}: no such file", path));
  return std::unique_ptr<Store>(new Store(path, Opening::existing));
}

Store::~Store() { sqlite3_close(database_); }

void Store::prepare(const std::string& identity) {
  // Each result is on the disk itself before anything builds on it (`end`); the rest survives the end of a program, if
  // not always of the machine.
  switch_to_log(database_, path_);
  execute(database_, path_, "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON");
  Transaction transaction(database_, path_);
  std::string stored;
  bool fresh = false;
  {
    Statement query(database_, path_, "SELECT count(*) FROM sqlite_master");
    fresh = query.step() && query.integer(0) == 0;
  }
  if (fresh) {
    execute(database_, path_, schema);
    execute(database_, path_, fmt::format("PRAGMA user_version = {}", format).c_str());
    Statement(database_, path_, "INSERT INTO experiment VALUES(1, ?)").add(identity).step();
  }
  {
    Statement query(database_, path_, "SELECT settings FROM experiment");
    if (query.step()) stored = query.text(0);
  }
  if (stored != identity)
    throw Error(
        fmt::format("{}: holds another experiment ({}); choose another --out", path_, difference(stored, identity)));
  // Who has ended is forgotten; where that is everybody, what failed is tried again.
  std::vector<std::int64_t> gone;
  bool others = false;
  {
    Statement query(database_, path_, "SELECT id FROM processes");
    while (query.step()) presence_->held(query.integer(0)) ? (void)(others = true) : gone.push_back(query.integer(0));
  }
  for (const std::int64_t id : gone) Statement(database_, path_, "DELETE FROM processes WHERE id = ?").add(id).step();
  if (!others) execute(database_, path_, "DELETE FROM runs WHERE status = 'failed'");
  Statement(database_, path_, "INSERT INTO processes(pid, beat) VALUES(?, ?)")
      .add(std::int64_t{getpid()})
      .add(now())
      .step();
  owner_ = sqlite3_last_insert_rowid(database_);
  if (!presence_->hold(owner_)) throw StoreFailure(fmt::format("{}-processes: cannot be locked", path_));
  transaction.commit();
}

std::optional<RunResult> Store::find(const RunKey& key) {
  const std::lock_guard lock(mutex_);
  Statement query(database_, path_,
                  fmt::format("SELECT {} FROM runs{} AND status != 'running'", result_columns, where_key).c_str());
  add_key(query, key);
  if (!query.step()) return std::nullopt;
  return read_result(query, 0);
}

// With the mutex held: whether the owner of a claim is another one that still works on it.
bool Store::taken(std::int64_t owner) {
  if (owner == 0 || owner == owner_ || !presence_->held(owner)) return false;
  Statement query(database_, path_, "SELECT beat FROM processes WHERE id = ?");
  query.add(owner);
  return query.step() && now() - query.real(0) < lease_seconds;
}

Claim Store::claim(const RunKey& key) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_, path_);
  std::int64_t run = 0, owner = 0;
  {
    Statement query(database_, path_,
                    fmt::format("SELECT id, owner, {} FROM runs{}", result_columns, where_key).c_str());
    add_key(query, key);
    if (query.step()) {
      if (query.text(2) != "running") return {Claim::State::done, 0, false, read_result(query, 2)};
      run = query.integer(0);
      owner = query.integer(1);
    }
  }
  if (run != 0) {
    if (taken(owner)) return {Claim::State::elsewhere, 0, false, std::nullopt};
    Statement(database_, path_, "UPDATE runs SET owner = ? WHERE id = ?").add(owner_).add(run).step();
    transaction.commit();
    return {Claim::State::mine, run, true, std::nullopt};
  }
  {
    Statement insert(database_, path_,
                     "INSERT INTO runs(arm, stage, seed, learning_rate, attributes, steps, status, owner) "
                     "VALUES(?, ?, ?, ?, ?, ?, 'running', ?)");
    add_key(insert, key);
    insert.add(owner_).step();
  }
  run = sqlite3_last_insert_rowid(database_);
  transaction.commit();
  return {Claim::State::mine, run, false, std::nullopt};
}

// With the mutex held, in a transaction.
void Store::checked(std::int64_t run) {
  Statement query(database_, path_, "SELECT 1 FROM runs WHERE id = ? AND owner = ? AND status = 'running'");
  query.add(run).add(owner_);
  if (!query.step()) throw Lost(fmt::format("{}: another process took a run over", path_));
}

void Store::point(std::int64_t run, const Point& point) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_, path_);
  checked(run);
  Statement(database_, path_, "INSERT OR REPLACE INTO points VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
      .add(run)
      .add(point.epoch)
      .add(point.train_loss)
      .add(point.validation_error)
      .add(point.validation_loss)
      .add(nlohmann::json(point.gradients).dump())
      .add(nlohmann::json(point.histograms).dump())
      .add(nlohmann::json(point.scheduled).dump())
      .step();
  transaction.commit();
}

void Store::end(std::int64_t run, const RunResult& result) {
  const std::lock_guard lock(mutex_);
  execute(database_, path_, "PRAGMA synchronous = FULL");
  Transaction transaction(database_, path_);
  checked(run);
  Statement(database_, path_,
            "UPDATE runs SET status = ?, message = ?, parameters = ?, validation_error = ?, validation_loss = ?, "
            "test_error = ?, test_loss = ?, ms_per_step = ?, seconds = ?, dead = ?, saturated = ?, findings = ?, "
            "memory = ?, further = ?, "
            "owner = 0 WHERE id = ?")
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
      .add(nlohmann::json(result.further).dump())
      .add(run)
      .step();
  transaction.commit();
  execute(database_, path_, "PRAGMA synchronous = NORMAL");
}

void Store::release(std::int64_t run) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_, "UPDATE runs SET owner = 0 WHERE id = ? AND owner = ?").add(run).add(owner_).step();
}

void Store::beat() {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_, "UPDATE processes SET beat = ? WHERE id = ?").add(now()).add(owner_).step();
}

bool Store::alone() {
  const std::lock_guard lock(mutex_);
  Statement query(database_, path_, "SELECT id FROM processes WHERE id != ?");
  query.add(owner_);
  while (query.step())
    if (presence_->held(query.integer(0))) return false;
  return true;
}

std::vector<std::int64_t> Store::begun() {
  const std::lock_guard lock(mutex_);
  std::vector<std::int64_t> runs;
  Statement query(database_, path_, "SELECT id FROM runs WHERE status = 'running'");
  while (query.step()) runs.push_back(query.integer(0));
  return runs;
}

std::vector<StoredRun> Store::all() {
  const std::lock_guard lock(mutex_);
  std::vector<StoredRun> runs;
  Statement query(
      database_, path_,
      fmt::format("SELECT id, arm, stage, seed, learning_rate, steps, attributes, {} FROM runs WHERE status "
                  "!= 'running' ORDER BY arm, stage, seed, learning_rate, attributes, steps",
                  result_columns)
          .c_str());
  while (query.step()) {
    StoredRun run;
    run.key = {query.text(1), stage_named(query.text(2)), static_cast<std::uint64_t>(query.integer(3)),
               query.real(4), query.integer(5),           query.text(6)};
    run.result = read_result(query, 7);
    Statement points(
        database_, path_,
        "SELECT epoch, train_loss, validation_error, validation_loss, gradients, histograms, scheduled FROM points "
        "WHERE run = ? ORDER BY epoch");
    points.add(query.integer(0));
    while (points.step()) run.result.points.push_back(read_point(points));
    runs.push_back(std::move(run));
  }
  return runs;
}

void Store::note(const std::string& name, const std::string& text) {
  const std::lock_guard lock(mutex_);
  Statement(database_, path_, "INSERT OR REPLACE INTO notes VALUES(?, ?)").add(name).add(text).step();
}

std::string Store::noted(const std::string& name) {
  const std::lock_guard lock(mutex_);
  Statement query(database_, path_, "SELECT text FROM notes WHERE name = ?");
  query.add(name);
  return query.step() ? query.text(0) : "";
}

std::string Store::identity() {
  const std::lock_guard lock(mutex_);
  Statement query(database_, path_, "SELECT settings FROM experiment");
  return query.step() ? query.text(0) : "";
}

}  // namespace ogee::lab
