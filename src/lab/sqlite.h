// SQLite with C++'s manners: statements that end with their scope, errors that name the file.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>

namespace ogee::lab {

// Throws Error or StoreFailure (store.h says which is which) unless `status` is fine.
void check_sqlite(sqlite3* database, const std::string& path, int status);
// Statements without results.
void execute(sqlite3* database, const std::string& path, const char* sql);

class Statement {
 public:
  Statement(sqlite3* database, const std::string& path, const char* sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& add(const std::string& value);
  Statement& add(std::int64_t value);
  Statement& add(double value);  // SQLite turns NaN into NULL
  // True while there are rows.
  bool step();
  std::string text(int column) const;
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  double real(int column) const;  // NaN for NULL

 private:
  sqlite3* database_;
  const std::string& path_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// Everything up to `commit` or nothing; nobody else writes meanwhile.
class Transaction {
 public:
  Transaction(sqlite3* database, const std::string& path);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  sqlite3* database_;
  const std::string& path_;
  bool open_ = true;
};

}  // namespace ogee::lab
