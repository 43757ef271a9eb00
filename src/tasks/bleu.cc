#include "tasks/bleu.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

namespace ogee::tasks {
namespace {

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

bool digit(char c) { return c >= '0' && c <= '9'; }
bool stop(char c) { return c == '.' || c == ','; }
// ASCII's punctuation but the apostrophe, comma, hyphen and full stop; and the space.
bool apart(char c) {
  return (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') || c == '/' || (c >= ':' && c <= '@') ||
         (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

// As re.sub does for a pattern of two characters: from left to right, none of them in two matches.
template <class Matches, class Write>
std::string pairs_replaced(const std::string& text, Matches matches, Write write) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (i + 1 < text.size() && matches(text[i], text[i + 1])) {
      write(result, text[i], text[i + 1]);
      i += 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

// The bytes of a white space character that begins at `at`; 0: none. What Python's str.split() takes for one.
std::size_t white(const std::string& text, std::size_t at) {
  const auto c = static_cast<unsigned char>(text[at]);
  if ((c >= 9 && c <= 13) || (c >= 28 && c <= 32)) return 1;
  for (const std::string_view wide : {"\u0085", "\u00a0"})
    if (std::string_view(text).substr(at).starts_with(wide)) return 2;
  for (const std::string_view wide :
       {"\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
        "\u200a", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000"})
    if (std::string_view(text).substr(at).starts_with(wide)) return 3;
  return 0;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> tokens;
  std::string token;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t space = white(text, i);
    if (space == 0) {
      token += text[i++];
      continue;
    }
    if (!token.empty()) tokens.push_back(std::move(token));
    token.clear();
    i += space;
  }
  if (!token.empty()) tokens.push_back(std::move(token));
  return tokens;
}

using Counts = std::map<std::vector<std::string_view>, double>;

Counts n_grams(const std::vector<std::string>& tokens, std::size_t order) {
  Counts counts;
  for (std::size_t i = 0; i + order <= tokens.size(); ++i)
    ++counts[{tokens.begin() + static_cast<std::ptrdiff_t>(i),
              tokens.begin() + static_cast<std::ptrdiff_t>(i + order)}];
  return counts;
}

}  // namespace

std::vector<std::string> tokens_13a(const std::string& given) {
  // White space at the end is no part of a sentence.
  std::string text = given.substr(0, given.find_last_not_of(" \t\r\n") + 1);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  for (const auto& [name, character] :
       {std::pair("&quot;", "\""), std::pair("&amp;", "&"), std::pair("&lt;", "<"), std::pair("&gt;", ">")})
    replace_all(text, name, character);
  std::string spaced;
  for (const char c : " " + text + " ") {
    if (apart(c))
      spaced += {' ', c, ' '};
    else
      spaced += c;
  }
  const auto after = [](std::string& to, char a, char b) { to += {a, ' ', b, ' '}; };
  const auto before = [](std::string& to, char a, char b) { to += {' ', a, ' ', b}; };
  spaced = pairs_replaced(
      spaced, [](char a, char b) { return !digit(a) && stop(b); }, after);
  spaced = pairs_replaced(
      spaced, [](char a, char b) { return stop(a) && !digit(b); }, before);
  spaced = pairs_replaced(
      spaced, [](char a, char b) { return digit(a) && b == '-'; }, after);
  return split(spaced);
}

BleuCounts count_bleu(const std::string& sentence, const std::vector<std::string>& references) {
  const std::vector<std::string> said = tokens_13a(sentence);
  std::vector<std::vector<std::string>> meant;
  for (const std::string& reference : references) meant.push_back(tokens_13a(reference));
  BleuCounts counts;
  counts.tokens = static_cast<double>(said.size());
  double nearest = std::numeric_limits<double>::infinity();
  for (const auto& tokens : meant) {
    const auto length = static_cast<double>(tokens.size());
    const double distance = std::abs(length - counts.tokens);
    if (distance > nearest || (distance == nearest && length > counts.reference_tokens)) continue;
    nearest = distance;
    counts.reference_tokens = length;
  }
  for (std::size_t n = 1; n <= bleu_orders; ++n) {
    Counts expected;
    for (const auto& tokens : meant)
      for (const auto& [gram, count] : n_grams(tokens, n)) expected[gram] = std::max(expected[gram], count);
    for (const auto& [gram, count] : n_grams(said, n)) {
      counts.total[n - 1] += count;
      if (const auto found = expected.find(gram); found != expected.end())
        counts.correct[n - 1] += std::min(count, found->second);
    }
  }
  return counts;
}

double bleu(const BleuCounts& corpus, std::size_t order) {
  double logarithms = 0, smooth = 1;
  if (!std::any_of(corpus.correct.begin(), corpus.correct.begin() + static_cast<std::ptrdiff_t>(order),
                   [](double count) { return count > 0; }))
    return 0;
  for (std::size_t n = 0; n < order; ++n) {
    if (corpus.total[n] == 0) return 0;  // no n-grams of this order at all
    double correct = corpus.correct[n];
    if (correct == 0) correct = 1 / (smooth *= 2);
    logarithms += std::log(correct / corpus.total[n]);
  }
  const double brevity = corpus.tokens < corpus.reference_tokens ? 1 - corpus.reference_tokens / corpus.tokens : 0;
  return std::exp(brevity + logarithms / static_cast<double>(order));
}

}  // namespace ogee::tasks
