// Films as sets of keywords: what is read, and that whatever cannot be used is an error naming the place.
#include "data/keywords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "refusal.h"

namespace ogee::data::keywords_test {
namespace {

using testing::ElementsAre;

constexpr const char* good =
    "genres,id,keywords,title\r\n"
    "\"[{\"\"id\"\": 1, \"\"name\"\": \"\"Drama\"\"}]\",7,"
    "\"[{\"\"id\"\": 3, \"\"name\"\": \"\"love\"\"}, {\"\"id\"\": 4, \"\"name\"\": \"\"\\u00e9poque\"\"}, "
    "{\"\"id\"\": 3, \"\"name\"\": \"\"love\"\"}]\",\"One, two\"\r\n"
    "[],8,[],Nothing\r\n"
    "\"[{\"\"name\"\": \"\"War\"\"}, {\"\"name\"\": \"\"Drama\"\"}]\",9,\"[{\"\"name\"\": \"\"love\"\"}, "
    "{\"\"name\"\": "
    "\"\"army\"\"}]\",\"Two\nlines\"\r\n";

TEST(Keywords, ReadsTmdb) {
  const auto films = parse_tmdb(good, "t.csv");
  ASSERT_EQ(films.size(), 3u);
  EXPECT_EQ(films[0].title, "One, two");
  EXPECT_THAT(films[0].keywords, ElementsAre("love", "\u00e9poque"));
  EXPECT_THAT(films[0].genres, ElementsAre("Drama"));
  EXPECT_TRUE(films[1].keywords.empty());
  EXPECT_THAT(films[2].keywords, ElementsAre("army", "love"));
  EXPECT_THAT(films[2].genres, ElementsAre("Drama", "War"));
}

TEST(Keywords, MalformedRowsAreNamedByFileAndLine) {
  const auto refused_row = [](const std::string& row, const std::string& words) {
    refused([&] { parse_tmdb("title,keywords,genres\nA,[],[]\n" + row + "\n", "t.csv"); }, words);
  };
  refused_row("B,,[]", "t.csv:3: column 2 ('keywords'): '' is no JSON list of objects with a name");
  refused_row("B,[],[", "t.csv:3: column 3 ('genres'): '[' is no JSON list");
  refused_row("B,\"{\"\"name\"\": \"\"x\"\"}\",[]", "t.csv:3: column 2 ('keywords')");
  refused_row("B,[],[3]", "t.csv:3: column 3 ('genres'): '3' is no object with a name");
  refused_row("B,\"[{\"\"id\"\": 4}]\",[]", "t.csv:3: column 2 ('keywords'): '{\"id\":4}' is no object with a name");
  refused_row("B,\"[{\"\"name\"\": \"\" \"\"}]\",[]", "t.csv:3: column 2 ('keywords'): an empty name");
  refused_row("B,[]", "t.csv:3: 2 cells, expected 3");
  refused_row("B,\"[],[]", "t.csv:3: a quoted cell is never closed");
  refused_row("B,\"[\xff]\",[]", "t.csv:3: column 2 ('keywords')");
}

TEST(Keywords, EmptyFilesAndMissingColumns) {
  refused([] { parse_tmdb("", "t.csv"); }, "t.csv: empty file");
  refused([] { parse_tmdb("title,keywords,genres\n", "t.csv"); }, "t.csv:1: no films follow");
  refused([] { parse_tmdb("title,words,genres\nA,[],[]\n", "t.csv"); }, "t.csv:1: no column 'keywords'");
  refused([] { parse_tmdb("1,[],[]\n2,[],[]\n", "t.csv"); }, "t.csv:1: expected a line with the columns' names");
  refused([] { read_tmdb("no-such-file.csv"); }, "no-such-file.csv: no such file");
}

TEST(Keywords, ReadsMovieLens) {
  const std::string movies = "movieId,title,genres\n4,Toys,Comedy|Animation\n9,None,(no genres listed)\n";
  const auto films =
      parse_movielens(movies, "m.csv", "userId,movieId,tag,timestamp\n1,4,Pixar,0\n2,4,pixar,0\n2,9,dull,0\n", "t.csv");
  ASSERT_EQ(films.size(), 2u);
  EXPECT_THAT(films[0].keywords, ElementsAre("pixar"));
  EXPECT_THAT(films[0].genres, ElementsAre("Animation", "Comedy"));
  EXPECT_TRUE(films[1].genres.empty());
  const auto with_tags = [&](const std::string& row) {
    parse_movielens(movies, "m.csv", "userId,movieId,tag\n" + row + "\n", "t.csv");
  };
  refused([&] { with_tags("1,5,x"); }, "t.csv:2: column 2 ('movieId'): '5' is no film of m.csv");
  refused([&] { with_tags("1,4, "); }, "t.csv:2: column 3 ('tag'): empty cell");
  const auto with_movie = [&](const std::string& row) {
    parse_movielens(movies + row + "\n", "m.csv", "userId,movieId,tag\n1,4,x\n", "t.csv");
  };
  refused([&] { with_movie("4,Again,War"); }, "m.csv:4: column 1 ('movieId'): a second film '4'");
  refused([&] { with_movie("5,Other,War||Drama"); }, "m.csv:4: column 3 ('genres'): an empty genre");
  refused([&] { with_movie("5,Other,"); }, "m.csv:4: column 3 ('genres'): empty cell");
}

TEST(Keywords, KeepsFrequentKeywordsAndFilmsThatHaveThem) {
  const std::vector<Film> films = {{"A", {"a", "b"}, {"g"}},
                                   {"B", {"b", "c"}, {"g", "h"}},
                                   {"C", {"a", "b", "d"}, {"h"}},
                                   {"no genre", {"a", "b"}, {}},
                                   {"rare", {"d2", "e"}, {"g"}}};
  const KeywordRows rows = keyword_rows(films, 2, 2, "films");
  EXPECT_THAT(rows.keywords, ElementsAre("b", "a"));  // of 4 and of 3 films
  EXPECT_THAT(rows.titles, ElementsAre("A", "C"));
  EXPECT_THAT(rows.of_keywords.begin, ElementsAre(0, 2, 4));
  EXPECT_THAT(rows.of_keywords.columns, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(rows.genres, ElementsAre("g", "h"));
  EXPECT_THAT(rows.of_genres.columns, ElementsAre(0, 1));
  refused([&] { keyword_rows(films, 5, 1, "films"); },
          "films: none of 5 films has a genre and 1 or more of the 0 keywords that 5 films share");
}

TEST(Keywords, RealFilms) {
  const char* root = std::getenv("OGEE_DATA");
  const std::string folder = std::string(root ? root : "") + "/movies";
  if (!root || !std::filesystem::exists(folder)) GTEST_SKIP() << "no movies under $OGEE_DATA";
  const auto films = read_tmdb(folder + "/tmdb_5000_movies.csv.gz");
  EXPECT_EQ(films.size(), 4803u);
  const KeywordRows rows = keyword_rows(films, 20, 0, "films");
  EXPECT_EQ(rows.keywords.size(), 258u);
  EXPECT_EQ(rows.keywords[0], "woman director");
  EXPECT_EQ(rows.genres.size(), 20u);
  EXPECT_EQ(read_movielens(folder + "/ml-latest-small").size(), 9742u);
}

}  // namespace
}  // namespace ogee::data::keywords_test
