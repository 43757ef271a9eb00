// The study of overlaps on films whose topics were planted, and its measures where the answer is known.
#include <gtest/gtest.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "claims/studies/overlap_measures.h"
#include "claims/studies/topic_measures.h"
#include "claims/study.h"
#include "lab/toml_table.h"
#include "refusal.h"

namespace ogee::claims::overlap_test {
namespace {

using data::KeywordRows;

// Films of three topics of six keywords each: five of its topic's a film, or four and one of any other's.
KeywordRows planted(std::int64_t films, bool odd = true) {
  constexpr std::int64_t topics = 3, size = 6;
  std::vector<data::Film> all;
  std::mt19937_64 random(7);
  for (std::int64_t film = 0; film < films; ++film) {
    const std::int64_t topic = film % topics;
    std::vector<std::int64_t> own(size);
    for (std::int64_t i = 0; i < size; ++i) own[static_cast<std::size_t>(i)] = topic * size + i;
    std::shuffle(own.begin(), own.end(), random);
    own.resize(odd ? 4 : 5);
    if (odd)
      own.push_back((topic * size + size + static_cast<std::int64_t>(random() % ((topics - 1) * size))) %
                    (topics * size));
    data::Film made{"film", {}, {std::to_string(topic)}};
    for (const std::int64_t keyword : own) made.keywords.push_back(std::to_string(100 + keyword));
    all.push_back(std::move(made));
  }
  return data::keyword_rows(all, 1, 1, "planted");
}
TopicStudySettings small() {
  TopicStudySettings settings;
  settings.model.units = 8;
  settings.model.epochs = 60;
  settings.model.batch = 16;
  settings.model.rates = {0.01, 0.03};
  settings.topic = 6;
  return settings;
}

SparseRows rows_of(const std::vector<std::vector<std::int64_t>>& lists) {
  SparseRows rows;
  for (const auto& list : lists) {
    rows.columns.insert(rows.columns.end(), list.begin(), list.end());
    rows.begin.push_back(static_cast<std::int64_t>(rows.columns.size()));
  }
  return rows;
}

TEST(OverlapStudy, FindsPlantedTopics) {
  const KeywordRows films = planted(120, false);
  ASSERT_EQ(films.keywords.size(), 18u);
  TopicStudySettings settings = small();
  settings.model.units = 6;
  settings.model.epochs = 100;
  settings.model.batch = 30;
  for (const std::string& unit : topic_units()) {
    const auto found = measure_topics(films, settings, unit, 1, nullptr);
    // Chance is log(18) = 2.89 nats; who knows a film's topic comes to log(6) = 1.79.
    EXPECT_LT(found.at("loss"), 2.1) << unit;
    // The genres are the topics: a third by chance, all where the hidden layer tells them apart. tests/torch/topics.sh
    // has the topics of the units themselves.
    EXPECT_GT(found.at("genre_precision"), 0.9) << unit;
    EXPECT_GT(found.at("keyword_precision"), 0.9) << unit;
  }
}

TEST(OverlapStudy, MeasuresDependOnTheSeedAlone) {
  const KeywordRows films = planted(120);
  TopicStudySettings settings = small();
  settings.model.epochs = 3;
  for (const std::string& unit : topic_units()) {
    const auto first = measure_topics(films, settings, unit, 3, nullptr);
    torch::manual_seed(99);  // LibTorch's own generator has no say
    torch::rand({5});
    EXPECT_EQ(first, measure_topics(films, settings, unit, 3, nullptr)) << unit;
    EXPECT_NE(first, measure_topics(films, settings, unit, 4, nullptr)) << unit;
    for (const auto& [name, value] : first) {
      EXPECT_TRUE(std::isfinite(value)) << unit << " " << name;
      EXPECT_TRUE(topic_measure_names().contains(name)) << name;
    }
    EXPECT_EQ(first.size(), topic_measure_names().size());
  }
  std::atomic<bool> stop = true;
  EXPECT_TRUE(measure_topics(films, settings, "relu", 1, &stop).empty());
  refused([&] { measure_topics(planted(4), settings, "relu", 1, nullptr); }, "4 films are too few to split");
}

TEST(OverlapStudy, HidesHalfOfEveryFilm) {
  std::mt19937_64 random(1);
  const SparseRows films = rows_of({{1, 4, 6, 9, 11}, {2}, {}, {0, 3}});
  const Halves halves = hide_half(films, random);
  EXPECT_EQ(halves.seen.begin, (std::vector<std::int64_t>{0, 3, 4, 4, 5}));
  EXPECT_EQ(halves.hidden.begin, (std::vector<std::int64_t>{0, 2, 2, 2, 3}));
  std::vector<std::int64_t> both = halves.seen.columns;
  both.insert(both.end(), halves.hidden.columns.begin(), halves.hidden.columns.end());
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 6, 9, 11}));
}

TEST(TopicMeasures, OneKeywordOfKnownUnits) {
  // Unit 0 has keywords 0 to 3, unit 1 keywords 4 and 5 (0.5 each); no unit has keyword 6, and -1 is none.
  at::Tensor weight = torch::zeros({7, 2});
  weight.slice(0, 0, 4).select(1, 0).fill_(1);
  weight.slice(0, 4, 6).select(1, 1).fill_(0.5);
  weight[6].fill_(-1);
  const auto topics = topics_of(weight, 2);
  EXPECT_EQ(topics, (std::vector<std::vector<std::int64_t>>{{0, 1}, {4, 5}}));
  // Plain rectified units without bias: films are unit 0's four keywords, unit 1's two, and keyword 6.
  const at::Tensor alone = weight.relu();
  const at::Tensor z = torch::tensor({{4.F, 0.F}, {0.F, 1.F}, {0.F, 0.F}});
  const at::Tensor whole = torch::tensor({{2.F, 0.F}, {0.F, 1.F}});
  const OneKeyword one = one_keyword(weight, alone, z, whole, topics, 1);
  EXPECT_DOUBLE_EQ(one.triggered, 1);  // every weight above 0 fires
  EXPECT_DOUBLE_EQ(one.fired, 0.5);    // 1 < 4/2 for unit 0; 0.5 = 1/2 for unit 1
  EXPECT_DOUBLE_EQ(one.output, 0.5);   // 1/2 and 0.5/1
  EXPECT_DOUBLE_EQ(dead_units(z), 0);
  EXPECT_DOUBLE_EQ(dead_units(z * torch::tensor({1.F, 0.F})), 0.5);
  EXPECT_DOUBLE_EQ(one_keyword(weight, alone, torch::zeros({3, 2}), whole, topics, 1).fired, 0);
}

TEST(TopicMeasures, SingleMatches) {
  const std::vector<std::vector<std::int64_t>> topics = {{0, 1, 2}, {3, 4}};
  const SparseRows films = rows_of({{0, 1, 5}, {0, 5}, {3}, {1, 2, 3, 4}});
  // Unit 0 answers most to film 1 (one shared keyword), then 0 (two); unit 1 to film 3 (two) alone.
  const at::Tensor z = torch::tensor({{2.F, 0.F}, {3.F, 0.F}, {1.F, 0.F}, {0.F, 1.F}});
  EXPECT_DOUBLE_EQ(single_matches(z, films, topics, 2), 0.25);
  EXPECT_DOUBLE_EQ(single_matches(z, films, topics, 1), 0.5);
  EXPECT_DOUBLE_EQ(single_matches(z, films, topics, 10), (2.0 / 3) / 2);
  EXPECT_DOUBLE_EQ(single_matches(z * 0, films, topics, 2), 0);
}

TEST(TopicMeasures, CoherenceAndDiversity) {
  const SparseRows films = rows_of({{0, 1}, {0, 1}, {2}, {3, 2}});
  EXPECT_DOUBLE_EQ(coherence({{0, 1}}, films, 5), 1);              // only together
  EXPECT_DOUBLE_EQ(coherence({{0, 2}}, films, 5), -1);             // never
  EXPECT_DOUBLE_EQ(coherence({{0, 4}}, films, 5), 0);              // one that no film has
  EXPECT_NEAR(coherence({{2, 3}}, films, 5), 0.5, 1e-12);          // log(1/4 / (2/4 1/4)) / -log(1/4)
  EXPECT_DOUBLE_EQ(coherence({{0, 1}, {0, 2}}, films, 5), 0);      // the mean
  EXPECT_DOUBLE_EQ(coherence({{0, 1}}, rows_of({{0, 1}}), 2), 1);  // in every film
  EXPECT_DOUBLE_EQ(diversity({{0, 1}, {0, 2}}), 0.75);
}

TEST(TopicMeasures, Precisions) {
  const at::Tensor scores = torch::tensor({{9.F, 5.F, 4.F, 1.F}, {0.F, 1.F, 2.F, 3.F}});
  // Film 0 has seen 0, so that 1 and 2 come first; both of two found, but of film 1's {0} none, and 2 has none hidden.
  EXPECT_DOUBLE_EQ(keyword_precision(scores, rows_of({{0}, {}}), rows_of({{1, 2}, {0}}), 2), 0.5);
  EXPECT_DOUBLE_EQ(keyword_precision(scores, rows_of({{0}, {}}), rows_of({{1, 3}, {}}), 2), 0.5);
  const at::Tensor films = torch::tensor({{1.F, 0.F}, {2.F, 0.1F}, {0.F, 1.F}});
  const SparseRows genres = rows_of({{0, 1}, {0, 1, 2}, {3}});
  // The first query's two nearest are films 0 (2 of 2 genres) and 1 (2 of 3); the second has no output.
  const at::Tensor queries = torch::tensor({{1.F, 0.F}, {0.F, 0.F}});
  EXPECT_DOUBLE_EQ(genre_precision(queries, rows_of({{0, 1}, {0, 1}}), films, genres, 2), 0.5);
  EXPECT_DOUBLE_EQ(genre_precision(queries, rows_of({{0}, {0}}), films, genres, 2), 0.25);  // 1 of 2; 1 of 3 is less
}

std::unique_ptr<Study> study_of(const std::string& text) {
  const toml::table settings = lab::parse_toml(text, "t.toml");
  lab::Table table(settings, "t.toml", "small");
  auto study = make_study("overlap", table);
  table.finish();
  return study;
}

TEST(OverlapStudy, RefusesWhatItDoesNotKnow) {
  refused([] { study_of("arms = [\"dice\"]"); }, "t.toml:1:8: no hidden layer is called 'dice'; expected relu, ");
  refused([] { study_of("films = \"imdb\""); }, "expected ");
  refused([] { study_of("least_keywords = 1"); }, "t.toml:1:");
  refused([] { study_of("rates = [0]"); }, "t.toml:1:");
  refused([] { study_of("layers = 2"); }, "layers");
}

TEST(OverlapStudy, SaysThatMoviesAreMissing) {
  const char* root = std::getenv("OGEE_DATA");
  const std::string before = root ? root : "";
  setenv("OGEE_DATA", "/no/such/folder", 1);
  EXPECT_NE(study_of("")->missing().find("/no/such/folder/movies/tmdb_5000_movies.csv.gz"), std::string::npos);
  EXPECT_NE(study_of("films = \"movielens\"")->missing().find("ml-latest-small"), std::string::npos);
  unsetenv("OGEE_DATA");
  EXPECT_NE(study_of("")->missing().find("not set"), std::string::npos);
  if (root) setenv("OGEE_DATA", before.c_str(), 1);
}

TEST(OverlapStudy, RunsOnRealFilms) {
  const auto study = study_of("arms = [\"relu\", \"ruzicka\"]\nunits = 5\nepochs = 1\nrates = [0.01]\nseeds = 1");
  if (!study->missing().empty()) GTEST_SKIP() << study->missing();
  Work work;
  work.folder = std::filesystem::temp_directory_path() / "ogee_overlap_test";
  std::filesystem::remove_all(work.folder);
  std::filesystem::create_directories(work.folder);
  const auto observations = study->run(work);
  EXPECT_EQ(observations.size(), 2 * topic_measure_names().size());
  EXPECT_FALSE(study->notes().empty());
  std::filesystem::remove_all(work.folder);
}

}  // namespace
}  // namespace ogee::claims::overlap_test
