// What a long run has found, kept in a file line by line, so that the same command goes on where it was stopped.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ogee::cli {

// A file of JSON lines {"key": ..., "value": ...}. A line cut short by a kill is left out.
class Kept {
 public:
  // "" keeps nothing. Throws std::runtime_error, naming file and line, on a file of another kind.
  explicit Kept(std::string path);
  const nlohmann::ordered_json* find(const std::string& key) const;
  void add(const std::string& key, nlohmann::ordered_json value);

 private:
  std::string path_;
  std::vector<std::pair<std::string, nlohmann::ordered_json>> entries_;
};

}  // namespace ogee::cli
