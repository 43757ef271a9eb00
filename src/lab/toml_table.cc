#include "lab/toml_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "ogee/ogee.h"
#include "registry/suggestion.h"

namespace ogee::lab {

Table::Table(const toml::table& table, std::string file, std::string where, std::string whole)
    : table_(table), file_(std::move(file)), where_(std::move(where)), whole_(std::move(whole)) {}

void Table::take(const char* key, std::string& value) {
  if (const toml::node* node = get(key)) value = text(*node, key);
}

void Table::take(const char* key, bool& value) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_boolean()) fail(*node, key, "true or false");
  value = node->as_boolean()->get();
}

void Table::take(const char* key, std::int64_t& value, std::int64_t low, std::int64_t high) {
  if (const toml::node* node = get(key)) value = whole_number(*node, key, low, high);
}

void Table::take(const char* key, double& value, double low, bool closed, double high) {
  if (const toml::node* node = get(key)) value = number(*node, key, low, closed, high);
}

void Table::take(const char* key, std::vector<double>& values, double low, bool closed, double high) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_array() || node->as_array()->empty()) fail(*node, key, "a list of numbers");
  values.clear();
  for (const toml::node& item : *node->as_array()) values.push_back(number(item, key, low, closed, high));
}

void Table::take(const char* key, std::vector<std::int64_t>& values, std::int64_t low, std::int64_t high) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_array() || node->as_array()->empty()) fail(*node, key, "a list of whole numbers");
  values.clear();
  for (const toml::node& item : *node->as_array()) values.push_back(whole_number(item, key, low, high));
}

void Table::take(const char* key, std::vector<std::string>& values) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_array() || node->as_array()->empty()) fail(*node, key, "a list of texts");
  values.clear();
  for (const toml::node& item : *node->as_array()) values.push_back(text(item, key));
}

void Table::take(const char* key, std::string& value, const std::vector<std::string>& words) {
  const toml::node* node = get(key);
  if (!node) return;
  const std::string word = text(*node, key);
  if (std::find(words.begin(), words.end(), word) == words.end())
    fail(*node, key, fmt::format("one of {}", fmt::join(words, ", ")));
  value = word;
}

void Table::take(const char* key, const std::function<void(Table&)>& read) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_table()) fail(*node, key, "a table");
  Table inner(*node->as_table(), file_, where_.empty() ? key : where_ + "." + key);
  read(inner);
  inner.finish();
}

void Table::take_each(const char* key, const std::function<void(Table&)>& read) {
  const toml::node* node = get(key);
  if (!node) return;
  if (!node->is_array_of_tables()) fail(*node, key, fmt::format("tables, each headed [[{}]]", key));
  for (const toml::node& item : *node->as_array()) {
    Table inner(*item.as_table(), file_, key);
    read(inner);
    inner.finish();
  }
}

std::vector<std::string> Table::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, value] : table_) names.emplace_back(key.str());
  return names;
}

void Table::finish() const {
  for (const auto& [key, value] : table_) {
    if (std::find(known_.begin(), known_.end(), key.str()) != known_.end()) continue;
    const auto at = key.source().begin;
    throw Error(fmt::format("{}:{}:{}: unknown key '{}' in {}{}", file_, at.line, at.column, key.str(),
                            where_.empty() ? whole_ : "[" + where_ + "]",
                            suggestion(key.str(), {known_.begin(), known_.end()})));
  }
}

void Table::fail(const char* key, const std::string& message) const {
  const toml::node* node = table_.get(key);
  const auto at = (node ? node->source() : table_.source()).begin;
  throw Error(fmt::format("{}:{}:{}: {}", file_, at.line, at.column, message));
}

const toml::node* Table::get(const char* key) {
  known_.push_back(key);
  return table_.get(key);
}

std::string Table::text(const toml::node& node, const char* key) const {
  if (!node.is_string()) fail(node, key, "a text in quotes");
  return node.as_string()->get();
}

double Table::number(const toml::node& node, const char* key, double low, bool closed, double high) const {
  const auto value = node.is_number() ? node.value<double>() : std::nullopt;
  if (!value || !(closed ? *value >= low : *value > low) || !(*value <= high))
    fail(node, key,
         std::isinf(low) ? "a number"
                         : fmt::format("a number {} {:g}, at most {:g}", closed ? "from" : "above", low, high));
  return *value;
}

std::int64_t Table::whole_number(const toml::node& node, const char* key, std::int64_t low, std::int64_t high) const {
  if (!node.is_integer() || node.as_integer()->get() < low || node.as_integer()->get() > high)
    fail(node, key, fmt::format("a whole number from {} to {}", low, high));
  return node.as_integer()->get();
}

void Table::fail(const toml::node& node, const char* key, const std::string& expected) const {
  std::ostringstream shown;
  node.visit([&](const auto& it) {
    if constexpr (toml::is_value<decltype(it)>) {
      shown << toml::toml_formatter{toml::array{it.get()}};
    } else {
      shown << (node.is_table() ? "a table" : "a list");
    }
  });
  std::string value = shown.str();
  if (value.starts_with("[ ") && value.ends_with(" ]")) value = value.substr(2, value.size() - 4);
  throw Error(fmt::format("{}:{}:{}: {} is {}; expected {}", file_, node.source().begin.line,
                          node.source().begin.column, key, value, expected));
}

toml::table parse_toml(const std::string& text, const std::string& name) {
  try {
    return toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    throw Error(fmt::format("{}:{}:{}: {}", name, at.line, at.column, error.description()));
  }
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) throw Error(fmt::format("{}: cannot be read", path));
  return text;
}

}  // namespace ogee::lab
