#include "lab/sqlite.h"

#include <fmt/format.h>

#include <limits>

#include "lab/run.h"
#include "ogee/ogee.h"

namespace ogee::lab {

void check_sqlite(sqlite3* database, const std::string& path, int status) {
  if (status == SQLITE_OK || status == SQLITE_ROW || status == SQLITE_DONE) return;
  const std::string message = database ? sqlite3_errmsg(database) : sqlite3_errstr(status);
  switch (status & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(
          fmt::format("{}: damaged, or no file of results ({}); choose another --out, or rescue what is in it "
                      "with sqlite3's .recover",
                      path, message));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM: throw Error(fmt::format("{}: cannot be written ({})", path, message));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw StoreFailure(
          fmt::format("{}: another program has it locked; what is finished is kept, and the same command "
                      "goes on from there",
                      path));
    case SQLITE_FULL:
      throw StoreFailure(
          fmt::format("{}: the disk is full; what is finished is kept, and the same command goes on from "
                      "there",
                      path));
    default: throw StoreFailure(fmt::format("{}: {}", path, message));
  }
}

void execute(sqlite3* database, const std::string& path, const char* sql) {
  check_sqlite(database, path, sqlite3_exec(database, sql, nullptr, nullptr, nullptr));
}

Statement::Statement(sqlite3* database, const std::string& path, const char* sql) : database_(database), path_(path) {
  check_sqlite(database, path, sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr));
}

Statement& Statement::add(const std::string& value) {
  check_sqlite(database_, path_, sqlite3_bind_text(statement_, ++bound_, value.c_str(), -1, SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::add(std::int64_t value) {
  check_sqlite(database_, path_, sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}
Statement& Statement::add(double value) {
  check_sqlite(database_, path_, sqlite3_bind_double(statement_, ++bound_, value));
  return *this;
}

bool Statement::step() {
  const int status = sqlite3_step(statement_);
  check_sqlite(database_, path_, status);
  return status == SQLITE_ROW;
}

std::string Statement::text(int column) const {
  const auto* value = sqlite3_column_text(statement_, column);
  return value ? reinterpret_cast<const char*>(value) : "";
}

double Statement::real(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL ? std::numeric_limits<double>::quiet_NaN()
                                                                : sqlite3_column_double(statement_, column);
}

Transaction::Transaction(sqlite3* database, const std::string& path) : database_(database), path_(path) {
  execute(database, path, "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (open_) sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  execute(database_, path_, "COMMIT");
  open_ = false;
}

}  // namespace ogee::lab
