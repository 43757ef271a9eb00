#include "data/translation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "ogee/libtorch.h"
#include "data/generated.h"
#include "data/parts.h"
#include "data/sentences.h"
#include "data/subwords.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

constexpr const char* part_names[] = {"train", "validation", "test"};

struct Files {
  std::array<std::string, 3> prefixes;   // of training, validation, test
  std::array<std::string, 2> languages;  // source, target
  std::int64_t pieces, longest;
};

Files files_of(const std::string& data) {
  Attributes attributes("--data", data);
  Files all;
  for (std::size_t i = 0; i < 3; ++i) all.prefixes[i] = attributes.take_text(part_names[i]);
  all.languages = {attributes.take_text("source"), attributes.take_text("target")};
  all.pieces = attributes.take("pieces", 5000, 32, 1 << 20);
  all.longest = attributes.take("longest", 60, 2, 1024);
  attributes.finish();
  return all;
}

std::string path_of(const Files& all, std::size_t part, std::size_t language) {
  return all.prefixes[part] + "." + all.languages[language];
}

struct Sentences {
  std::array<std::vector<std::string>, 2> texts;                 // by language
  std::array<std::vector<std::vector<std::int64_t>>, 2> tokens;  // without begin and end
  std::size_t size() const { return texts[0].size(); }
};

// Pairs of training that are blank on one side are left out; elsewhere they are a mistake.
Sentences read_part(const Files& all, std::size_t part, std::int64_t limit, std::size_t& left_out) {
  std::array<std::string, 2> paths;
  std::array<std::vector<std::string>, 2> lines;
  for (std::size_t language = 0; language < 2; ++language) {
    const std::string wanted = path_of(all, part, language);
    paths[language] = found_file(wanted);
    if (paths[language].empty())
      throw Error(
          fmt::format("--data translation: {}={}: {}", part_names[part], all.prefixes[part], not_found(wanted)));
    lines[language] = lines_of(paths[language]);
  }
  if (lines[0].size() != lines[1].size())
    throw Error(fmt::format("{}:{}: the file has {} lines, {} has {}; expected a line for a line", paths[1],
                            std::min(lines[0].size(), lines[1].size()) + 1, lines[1].size(), paths[0],
                            lines[0].size()));
  Sentences sentences;
  for (std::size_t i = 0; i < lines[0].size(); ++i) {
    const bool blanks[] = {blank(lines[0][i]), blank(lines[1][i])};
    if (blanks[0] || blanks[1]) {
      if (part > 0)
        throw Error(fmt::format("{}:{}: the line is blank; expected a sentence", paths[blanks[0] ? 0 : 1], i + 1));
      ++left_out;
      continue;
    }
    if (part == 0 && limit > 0 && sentences.size() == static_cast<std::size_t>(limit)) break;
    for (std::size_t language = 0; language < 2; ++language)
      sentences.texts[language].push_back(std::move(lines[language][i]));
  }
  return sentences;
}

void keep_short(Sentences& sentences, std::size_t longest, std::size_t& left_out) {
  std::size_t to = 0;
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    if (sentences.tokens[0][i].size() > longest || sentences.tokens[1][i].size() > longest) {
      ++left_out;
      continue;
    }
    for (std::size_t language = 0; language < 2 && to < i; ++language) {
      sentences.texts[language][to] = std::move(sentences.texts[language][i]);
      sentences.tokens[language][to] = std::move(sentences.tokens[language][i]);
    }
    ++to;
  }
  for (std::size_t language = 0; language < 2; ++language) {
    sentences.texts[language].resize(to);
    sentences.tokens[language].resize(to);
  }
}

// `sizes`: tokens of the longest source and target, with what is put before and behind them.
Part part_from(const Sentences& sentences, const std::array<std::int64_t, 2>& sizes, std::int64_t first_reference) {
  const auto count = static_cast<std::int64_t>(sentences.size());
  Part part{torch::full({count, sizes[0] + sizes[1]}, Subwords::padding, torch::kLong),
            torch::full({count, 1 + sizes[1]}, not_asked_token, torch::kLong)};
  for (std::int64_t i = 0; i < count; ++i) {
    const auto& source = sentences.tokens[0][static_cast<std::size_t>(i)];
    const auto& target = sentences.tokens[1][static_cast<std::size_t>(i)];
    auto* x = part.x.data_ptr<std::int64_t>() + i * part.x.size(1);
    auto* y = part.y.data_ptr<std::int64_t>() + i * part.y.size(1);
    *std::copy(source.begin(), source.end(), x) = Subwords::end;
    x[sizes[0]] = Subwords::begin;
    std::copy(target.begin(), target.end(), x + sizes[0] + 1);
    y[0] = first_reference + i;
    *std::copy(target.begin(), target.end(), y + 1) = Subwords::end;
  }
  return part;
}

}  // namespace

bool is_translation(const std::string& data) { return data.substr(0, data.find('(')) == "translation"; }

std::string missing_of_translation(const std::string& data) {
  const Files all = files_of(data);
  for (std::size_t part = 0; part < 3; ++part)
    for (std::size_t language = 0; language < 2; ++language)
      if (const std::string path = path_of(all, part, language); found_file(path).empty()) return path;
  return "";
}

Dataset load_translation(const Request& request) {
  refuse_parts(request);
  const Files all = files_of(request.data);
  std::array<Sentences, 3> parts;
  std::size_t blanks = 0, too_long = 0;
  for (std::size_t part = 0; part < 3; ++part) parts[part] = read_part(all, part, request.train_limit, blanks);
  Dataset set;
  set.name = request.data;
  set.goal = Goal::translation;
  std::array<std::int64_t, 2> sizes{};
  for (std::size_t language = 0; language < 2; ++language) {
    const std::string path = path_of(all, 0, language);
    if (parts[0].size() == 0) throw Error(fmt::format("{}: no sentences", path));
    set.subwords[language] = Subwords::learned(parts[0].texts[language], all.pieces, path);
    for (Sentences& part : parts) part.tokens[language] = set.subwords[language]->encode(part.texts[language]);
  }
  keep_short(parts[0], static_cast<std::size_t>(all.longest), too_long);
  for (std::size_t language = 0; language < 2; ++language)
    for (const Sentences& part : parts)
      for (const auto& tokens : part.tokens[language])
        sizes[language] = std::max(sizes[language], static_cast<std::int64_t>(tokens.size()) + 1);
  set.source_tokens = sizes[0];
  set.shape = {sizes[0] + sizes[1]};
  set.classes = set.subwords[1]->names();
  Part* const made[] = {&set.train, &set.validation, &set.test};
  for (std::size_t part = 0; part < 3; ++part) {
    *made[part] = part_from(parts[part], sizes, static_cast<std::int64_t>(set.references.size()));
    for (std::string& text : parts[part].texts[1]) set.references.push_back({std::move(text)});
  }
  // What a batch is padded to, it costs.
  set.lengths = set.train.x.ne(Subwords::padding).sum(1);
  set.notes.push_back(fmt::format("vocabulary: {} subwords of the training part's {} and {} of its {}",
                                  set.subwords[0]->size(), all.languages[0], set.subwords[1]->size(),
                                  all.languages[1]));
  if (blanks > 0) set.notes.push_back(fmt::format("{} pairs with a blank line are left out of training", blanks));
  if (too_long > 0)
    set.notes.push_back(
        fmt::format("{} pairs of more than {} subwords are left out of training", too_long, all.longest));
  set.baseline = 1;  // 1 - BLEU
  seal(set);
  return set;
}

}  // namespace ogee::data
