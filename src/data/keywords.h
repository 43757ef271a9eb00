// Films as sets of keywords: sparse binary rows, never made dense.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

struct Film {
  std::string title;
  std::vector<std::string> keywords, genres;  // each once, sorted
};

// The TMDB 5000 films: a CSV file (gzip or not) with the columns title, keywords and genres, the last two JSON lists of
// objects with a name. Throws Error, naming file, line and column, on whatever it cannot use.
std::vector<Film> read_tmdb(const std::string& path);
// The same from text; `path` names it in errors.
std::vector<Film> parse_tmdb(std::string_view text, const std::string& path);
// MovieLens: movies.csv (movieId, title, genres separated by |) and tags.csv (userId, movieId, tag...) of a folder. A
// film's keywords are the tags that anyone gave it, in lower case. Throws Error likewise.
std::vector<Film> read_movielens(const std::string& folder);
std::vector<Film> parse_movielens(std::string_view movies, const std::string& movies_path, std::string_view tags,
                                  const std::string& tags_path);

// Row r holds the columns at places begin[r] to begin[r + 1] - 1, in ascending order.
struct SparseRows {
  std::vector<std::int64_t> begin{0}, columns;
  std::int64_t rows() const { return static_cast<std::int64_t>(begin.size()) - 1; }
};

struct KeywordRows {
  std::vector<std::string> titles, keywords, genres;  // what rows and columns are; the most frequent columns first
  SparseRows of_keywords, of_genres;
};

// Keywords that at least `least_films` films have, and films that have at least `least_keywords` of those and a genre.
// Throws Error if nothing is left; `name` stands for the films in it.
KeywordRows keyword_rows(const std::vector<Film>& films, std::int64_t least_films, std::int64_t least_keywords,
                         const std::string& name);

}  // namespace ogee::data
