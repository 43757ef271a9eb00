#include "data/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr std::string_view unknown = "<unk>";

// The bytes of the character that begins at `at`; 0 if what is there is no UTF-8 (overlong forms, surrogates and
// numbers beyond Unicode's are none).
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<std::uint8_t>(text[at + i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) >= 0xa0) || (first == 0xf0 && byte(1) < 0x90) ||
      (first == 0xf4 && byte(1) >= 0x90))
    return 0;
  return size;
}

}  // namespace

std::vector<std::string_view> split_characters(std::string_view text, const std::string& path) {
  std::vector<std::string_view> tokens;
  std::size_t line = 1, column = 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    if (size == 0)
      throw Error(fmt::format("{}:{}: column {}: byte 0x{:02x} is no UTF-8 text", path, line, column,
                              static_cast<std::uint8_t>(text[at])));
    tokens.push_back(text.substr(at, size));
    column = text[at] == '\n' ? 1 : column + 1;
    line += text[at] == '\n';
    at += size;
  }
  return tokens;
}

std::vector<std::string_view> split_words(std::string_view text, const std::string& path) {
  split_characters(text, path);  // or there is an error
  std::vector<std::string_view> tokens;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\n') tokens.push_back("<eos>");
    if (std::string_view(" \t\r\n\f\v").find(text[at]) != std::string_view::npos) {
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find_first_of(" \t\r\n\f\v", at), text.size());
    tokens.push_back(text.substr(at, end - at));
    at = end;
  }
  return tokens;
}

Vocabulary::Vocabulary(const std::vector<std::string_view>& tokens, std::size_t fewest, std::size_t most) {
  std::unordered_map<std::string_view, std::size_t> counts;
  for (const std::string_view token : tokens) ++counts[token];
  counts.erase(unknown);  // where a text marks unknown words itself, they are what ours are
  std::vector<std::pair<std::string_view, std::size_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  names_.emplace_back(unknown);
  for (const auto& [token, count] : sorted)
    if (count >= fewest && names_.size() < most) names_.emplace_back(token);
  for (std::size_t i = 0; i < names_.size(); ++i) numbers_.emplace(names_[i], static_cast<std::int64_t>(i));
}

std::int64_t Vocabulary::number_of(std::string_view token) const {
  const auto found = numbers_.find(token);
  return found == numbers_.end() ? 0 : found->second;
}

}  // namespace ogee::data
