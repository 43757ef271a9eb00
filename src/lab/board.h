// Where the ranks of one comparison meet: LibTorch's TCPStore, which rank 0 serves, by texts.
#pragma once

#include <nlohmann/json.hpp>
#include <memory>
#include <optional>
#include <string>

#include "lab/ranks.h"

namespace ogee::lab {

class Board {
 public:
  // Throws Error if the store cannot be served or reached.
  Board(const Rank& rank, bool serving);
  ~Board();
  Board(const Board&) = delete;
  Board& operator=(const Board&) = delete;

  // All of these throw where the store is gone.
  void set(const std::string& key, const std::string& value);
  bool has(const std::string& key);
  std::optional<std::string> get(const std::string& key);
  // What it holds as a value (CBOR: numbers stay what they are).
  void put(const std::string& key, const nlohmann::ordered_json& value);
  std::optional<nlohmann::ordered_json> take(const std::string& key);
  void erase(const std::string& key);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ogee::lab
