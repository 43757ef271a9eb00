#include "cli/kept.h"

#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "ogee/ogee.h"

namespace ogee::cli {

Kept::Kept(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  std::ifstream in(path_);
  int number = 0;
  std::uintmax_t whole = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const bool cut = in.eof();
    if (!cut) whole += line.size() + 1;
    auto entry = nlohmann::ordered_json::parse(line, nullptr, false);
    if (entry.is_object() && entry.contains("key") && entry["key"].is_string() && entry.contains("value")) {
      entries_.emplace_back(entry["key"].get<std::string>(), std::move(entry["value"]));
    } else if (cut) {
      // Goes, so that the next line does not run on from it.
      in.close();
      std::filesystem::resize_file(path_, whole);
    } else {
      throw std::runtime_error(
          fmt::format("{}:{}: expected a line that this program kept, found '{}'", path_, number, line.substr(0, 40)));
    }
  }
}

const nlohmann::ordered_json* Kept::find(const std::string& key) const {
  for (const auto& [known, value] : entries_) {
    if (known == key) return &value;
  }
  return nullptr;
}

void Kept::add(const std::string& key, nlohmann::ordered_json value) {
  if (path_.empty()) return;
  std::ofstream out(path_, std::ios::app);
  out << nlohmann::ordered_json{{"key", key}, {"value", value}}.dump() << '\n';
  out.flush();
  if (!out) throw std::runtime_error(path_ + ": cannot be written");
  entries_.emplace_back(key, std::move(value));
}

}  // namespace ogee::cli
