// Topics of films: does a unit that looks at how much of its topic a film has make better use of keywords than a
// rectified one?
//
// A network with one hidden layer sees half of a film's keywords and tells the other half. Its arms differ in the
// hidden layer alone (topic_model.h). Each seed splits the films anew, for all arms alike; each arm takes the learning
// rate and the epoch that are best on the validation films.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "claims/studies/overlap_measures.h"
#include "claims/studies/studies.h"
#include "claims/studies/topic_measures.h"
#include "data/bytes.h"
#include "lab/toml_table.h"
#include "ogee/ogee.h"

namespace ogee::claims {
namespace {

class OverlapStudy : public CellStudy {
 public:
  explicit OverlapStudy(lab::Table& table) {
    table.take("arms", arms_);
    for (const std::string& arm : arms_)
      if (std::find(topic_units().begin(), topic_units().end(), arm) == topic_units().end())
        table.fail("arms", "no hidden layer is called '" + arm +
                               "'; expected relu, relu_no_bias, relu_positive, cosine, ruzicka, tanimoto, l1_tanimoto");
    table.take("films", films_, {"tmdb", "movielens"});
    table.take("least_films", least_films_, 1, 100000);
    table.take("least_keywords", least_keywords_, 2, 1000);
    table.take("units", topics_.model.units, 1, 100000);
    table.take("epochs", topics_.model.epochs, 1, 100000);
    table.take("batch", topics_.model.batch, 1, 100000);
    table.take("rates", topics_.model.rates, 0, false, 10);
    table.take("validation_share", topics_.validation_share, 0, false, 0.5);
    table.take("test_share", topics_.test_share, 0, false, 0.5);
    table.take("topic", topics_.topic, 2, 1000);
    table.take("strongest", topics_.strongest, 1, 100000);
    table.take("predicted", topics_.predicted, 1, 1000);
    table.take("neighbours", topics_.neighbours, 1, 1000);
    table.take("seeds", seeds_, 1, 100000);
  }

  nlohmann::ordered_json settings() const override {
    return {{"study", "overlap"},
            {"arms", arms_},
            {"films", films_},
            {"least_films", least_films_},
            {"least_keywords", least_keywords_},
            {"units", topics_.model.units},
            {"epochs", topics_.model.epochs},
            {"batch", topics_.model.batch},
            {"rates", topics_.model.rates},
            {"validation_share", topics_.validation_share},
            {"test_share", topics_.test_share},
            {"topic", topics_.topic},
            {"strongest", topics_.strongest},
            {"predicted", topics_.predicted},
            {"neighbours", topics_.neighbours},
            {"seeds", seeds_},
            {"data", films()}};
  }
  std::map<std::string, std::string> measures() const override { return topic_measure_names(); }

  std::string missing() const override {
    const char* root = std::getenv("OGEE_DATA");
    if (!root) return "needs movies under $OGEE_DATA, which is not set";
    const std::string needed = path();
    return std::filesystem::exists(needed) ? "" : "needs " + needed + " ($OGEE_DATA has no movies)";
  }

  std::vector<std::string> notes() const override { return notes_; }

 protected:
  std::vector<Cell> cells() const override { return grid(arms_, {no_condition}, seeds_); }

  std::map<std::string, double> measure(const Cell& cell, const std::atomic<bool>* stop) const override {
    films();
    auto measured = measure_topics(rows_, topics_, cell.arm, cell.seed, stop);
    if (measured.empty()) throw Stopped{};
    return measured;
  }

 private:
  std::string path() const {
    const char* root = std::getenv("OGEE_DATA");
    return std::string(root ? root : ".") +
           (films_ == "tmdb" ? "/movies/tmdb_5000_movies.csv.gz" : "/movies/ml-latest-small");
  }
  // Reads them when they are first needed; what is known of them afterwards is their checksum.
  std::string films() const {
    const std::lock_guard lock(mutex_);
    if (!missing().empty()) return "";
    if (rows_.titles.empty()) load();
    return checksum_;
  }
  void load() const {
    const auto films = films_ == "tmdb" ? data::read_tmdb(path()) : data::read_movielens(path());
    rows_ = data::keyword_rows(films, least_films_, least_keywords_, path());
    const std::int64_t parameters =
        (2 * topics_.model.units + 1) * static_cast<std::int64_t>(rows_.keywords.size()) + topics_.model.units;
    data::Checksum sum;
    for (const auto* words : {&rows_.titles, &rows_.keywords, &rows_.genres})
      for (const std::string& word : *words) sum.add(word.c_str(), word.size() + 1);
    for (const auto* rows : {&rows_.of_keywords, &rows_.of_genres})
      for (const auto* numbers : {&rows->begin, &rows->columns})
        sum.add(numbers->data(), numbers->size() * sizeof(std::int64_t));
    checksum_ = sum.text();
    notes_ = {std::to_string(rows_.titles.size()) + " films, " + std::to_string(rows_.keywords.size()) +
              " keywords; networks of " + std::to_string(parameters) +
              " parameters (relu_no_bias: " + std::to_string(topics_.model.units) + " fewer)"};
  }

  std::vector<std::string> arms_ = {"relu", "ruzicka"};
  std::string films_ = "tmdb";
  std::int64_t least_films_ = 10, least_keywords_ = 3, seeds_ = 5;
  TopicStudySettings topics_;
  mutable std::mutex mutex_;
  mutable data::KeywordRows rows_;
  mutable std::string checksum_;
  mutable std::vector<std::string> notes_;
};

}  // namespace

std::unique_ptr<Study> make_overlap(lab::Table& table) { return std::make_unique<OverlapStudy>(table); }

}  // namespace ogee::claims
