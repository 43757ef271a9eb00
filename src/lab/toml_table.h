// Reading TOML files so that every mistake is named by its line: unknown keys, wrong types, numbers out of range.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ogee::lab {

// One table of a file: its keys are taken one by one, and none may be left over (`finish`). What is not there leaves
// the value as it was. All throw Error: "FILE:LINE:COLUMN: what is wrong, and what was expected".
class Table {
 public:
  // Refers to `table`. `where`: its name in messages, "" for the file as a whole, which then is "an experiment" or what
  // `whole` says.
  Table(const toml::table& table, std::string file, std::string where, std::string whole = "an experiment");

  void take(const char* key, std::string& value);
  void take(const char* key, bool& value);
  void take(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high);
  // Above `low`, or equal to it where `closed`; at most `high`.
  void take(const char* key, double& value, double low, bool closed, double high);
  void take(const char* key, std::vector<double>& values, double low, bool closed, double high);
  void take(const char* key, std::vector<std::int64_t>& values, std::int64_t low, std::int64_t high);
  void take(const char* key, std::vector<std::string>& values);
  // One of `words`.
  void take(const char* key, std::string& value, const std::vector<std::string>& words);
  // A table within this one.
  void take(const char* key, const std::function<void(Table&)>& read);
  // [[key]]
  void take_each(const char* key, const std::function<void(Table&)>& read);

  // All of the keys, whatever they are called.
  std::vector<std::string> keys() const;
  bool has(const char* key) const { return table_.contains(key); }
  bool is_text(const char* key) const { return table_.contains(key) && table_.get(key)->is_string(); }
  bool is_list(const char* key) const { return table_.contains(key) && table_.get(key)->is_array(); }

  // Throws if there are keys that nobody took.
  void finish() const;
  // An error at this key, or at the table.
  [[noreturn]] void fail(const char* key, const std::string& message) const;

 private:
  const toml::node* get(const char* key);
  std::string text(const toml::node& node, const char* key) const;
  double number(const toml::node& node, const char* key, double low, bool closed, double high) const;
  std::int64_t whole_number(const toml::node& node, const char* key, std::int64_t low, std::int64_t high) const;
  [[noreturn]] void fail(const toml::node& node, const char* key, const std::string& expected) const;

  const toml::table& table_;
  const std::string file_, where_, whole_;
  std::vector<std::string> known_;
};

// The file's text as TOML. Throws Error.
toml::table parse_toml(const std::string& text, const std::string& name);
// The whole of a file. Throws Error, naming it.
std::string read_text(const std::string& path);

}  // namespace ogee::lab
