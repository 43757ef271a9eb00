#include "data/keywords.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/bytes.h"
#include "data/csv_rows.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

using Json = nlohmann::json;

[[noreturn]] void fail(const Sheet& sheet, const Row& row, std::size_t column, const std::string& what) {
  throw Error(fmt::format("{}:{}: column {} ('{}'): {}", sheet.path, row.line, column + 1, sheet.names[column], what));
}

// Enough of a cell to know it again.
std::string shown(std::string_view cell) {
  constexpr std::size_t most = 40;
  std::string text(cell.substr(0, most));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < ' '; }, ' ');
  return fmt::format("'{}{}'", text, cell.size() > most ? "..." : "");
}

Sheet with_header(std::string_view text, const std::string& path) {
  Sheet sheet = parse_sheet(text, path);
  if (!sheet.header) throw Error(fmt::format("{}:1: expected a line with the columns' names", path));
  if (sheet.rows.empty()) throw Error(fmt::format("{}:1: no films follow the line with the columns' names", path));
  return sheet;
}

void make_set(std::vector<std::string>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
}

std::vector<std::string> names_in(const Sheet& sheet, const Row& row, std::size_t column) {
  const std::string& cell = row.cells[column];
  const Json list = Json::parse(cell, nullptr, false);
  if (!list.is_array()) fail(sheet, row, column, shown(cell) + " is no JSON list of objects with a name");
  std::vector<std::string> names;
  for (const Json& each : list) {
    if (!each.is_object() || !each.contains("name") || !each["name"].is_string())
      fail(sheet, row, column,
           shown(each.dump(-1, ' ', false, Json::error_handler_t::replace)) + " is no object with a name");
    const std::string name(trim(each["name"].get_ref<const std::string&>()));
    if (name.empty()) fail(sheet, row, column, "an empty name");
    names.push_back(name);
  }
  make_set(names);
  return names;
}

// The words that at least so many films have, the most frequent first, and the columns that they are.
std::map<std::string, std::int64_t> columns_of(const std::vector<Film>& films, std::vector<std::string> Film::*words,
                                               std::int64_t least, std::vector<std::string>& kept) {
  std::map<std::string, std::int64_t> counts;
  for (const Film& film : films)
    for (const std::string& word : film.*words) ++counts[word];
  for (const auto& [word, count] : counts)
    if (count >= least) kept.push_back(word);
  std::stable_sort(kept.begin(), kept.end(), [&](const auto& a, const auto& b) { return counts.at(a) > counts.at(b); });
  std::map<std::string, std::int64_t> columns;
  for (const std::string& word : kept) columns.emplace(word, static_cast<std::int64_t>(columns.size()));
  return columns;
}

std::vector<std::int64_t> found(const std::vector<std::string>& words,
                                const std::map<std::string, std::int64_t>& columns) {
  std::vector<std::int64_t> row;
  for (const std::string& word : words)
    if (const auto column = columns.find(word); column != columns.end()) row.push_back(column->second);
  std::sort(row.begin(), row.end());
  return row;
}

void append(SparseRows& rows, const std::vector<std::int64_t>& row) {
  rows.columns.insert(rows.columns.end(), row.begin(), row.end());
  rows.begin.push_back(static_cast<std::int64_t>(rows.columns.size()));
}

}  // namespace

std::vector<Film> parse_tmdb(std::string_view text, const std::string& path) {
  const Sheet sheet = with_header(text, path);
  const std::size_t title = find_column(sheet, "title"), keywords = find_column(sheet, "keywords"),
                    genres = find_column(sheet, "genres");
  std::vector<Film> films;
  for (const Row& row : sheet.rows)
    films.push_back({row.cells[title], names_in(sheet, row, keywords), names_in(sheet, row, genres)});
  return films;
}

std::vector<Film> read_tmdb(const std::string& path) { return parse_tmdb(read_bytes(path), path); }

std::vector<Film> parse_movielens(std::string_view movies, const std::string& movies_path, std::string_view tags,
                                  const std::string& tags_path) {
  std::vector<Film> films;
  std::map<std::string, std::size_t> places;
  {
    const Sheet sheet = with_header(movies, movies_path);
    const std::size_t id = find_column(sheet, "movieId"), title = find_column(sheet, "title"),
                      genres = find_column(sheet, "genres");
    for (const Row& row : sheet.rows) {
      if (!places.emplace(row.cells[id], films.size()).second)
        fail(sheet, row, id, fmt::format("a second film {}", shown(row.cells[id])));
      Film film{row.cells[title], {}, {}};
      std::string_view rest = trim(row.cells[genres]);
      if (rest.empty()) fail(sheet, row, genres, "empty cell; genres, separated by |, are needed");
      while (rest != "(no genres listed)") {
        const std::string_view genre = trim(rest.substr(0, rest.find('|')));
        if (genre.empty()) fail(sheet, row, genres, fmt::format("an empty genre in {}", shown(row.cells[genres])));
        film.genres.emplace_back(genre);
        if (rest.find('|') == std::string_view::npos) break;
        rest.remove_prefix(rest.find('|') + 1);
      }
      make_set(film.genres);
      films.push_back(std::move(film));
    }
  }
  const Sheet sheet = with_header(tags, tags_path);
  const std::size_t id = find_column(sheet, "movieId"), tag = find_column(sheet, "tag");
  for (const Row& row : sheet.rows) {
    const auto place = places.find(row.cells[id]);
    if (place == places.end())
      fail(sheet, row, id, fmt::format("{} is no film of {}", shown(row.cells[id]), movies_path));
    std::string word(trim(row.cells[tag]));
    if (word.empty()) fail(sheet, row, tag, "empty cell; a tag is needed");
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    films[place->second].keywords.push_back(std::move(word));
  }
  for (Film& film : films) make_set(film.keywords);
  return films;
}

std::vector<Film> read_movielens(const std::string& folder) {
  const std::string movies = folder + "/movies.csv", tags = folder + "/tags.csv";
  return parse_movielens(read_bytes(movies), movies, read_bytes(tags), tags);
}

KeywordRows keyword_rows(const std::vector<Film>& films, std::int64_t least_films, std::int64_t least_keywords,
                         const std::string& name) {
  KeywordRows rows;
  const auto keywords = columns_of(films, &Film::keywords, least_films, rows.keywords);
  const auto genres = columns_of(films, &Film::genres, 1, rows.genres);
  for (const Film& film : films) {
    const auto row = found(film.keywords, keywords);
    if (film.genres.empty() || static_cast<std::int64_t>(row.size()) < least_keywords) continue;
    rows.titles.push_back(film.title);
    append(rows.of_keywords, row);
    append(rows.of_genres, found(film.genres, genres));
  }
  if (rows.titles.empty())
    throw Error(fmt::format("{}: none of {} films has a genre and {} or more of the {} keywords that {} films share",
                            name, films.size(), least_keywords, rows.keywords.size(), least_films));
  return rows;
}

}  // namespace ogee::data
