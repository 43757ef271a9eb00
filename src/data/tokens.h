// Text as tokens: characters or words, and the vocabulary that numbers them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

// The characters (UTF-8) of a text, or its words: what white space separates, and "<eos>" for the end of each line.
// `path` names the text in errors. Throws Error on what is no UTF-8, with line and column. The views are of `text`.
std::vector<std::string_view> split_characters(std::string_view text, const std::string& path);
std::vector<std::string_view> split_words(std::string_view text, const std::string& path);

// The tokens that occur at least `fewest` times, the most frequent first, at most `most` with <unk>, which is number 0.
class Vocabulary {
 public:
  Vocabulary(const std::vector<std::string_view>& tokens, std::size_t fewest, std::size_t most);
  std::int64_t number_of(std::string_view token) const;  // 0: unknown
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int64_t, std::less<>> numbers_;
};

}  // namespace ogee::data
