#include "claims/studies/overlap_measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "claims/studies/topic_measures.h"
#include "ogee/ogee.h"

namespace ogee::claims {

std::map<std::string, std::string> topic_measure_names() {
  return {{"keyword_precision",
           "test films: the hidden keywords among those predicted first, as a share of what could be reached"},
          {"genre_precision",
           "test films: of the training films nearest in the hidden layer (cosine), the share that agrees in at least "
           "half of the genres; none counts for a film that no unit fires on"},
          {"coherence", "normalised pointwise mutual information of a topic's keywords over validation and test films"},
          {"diversity", "different keywords in all topics, as a share of the places in them"},
          {"single_matches",
           "of the test films that a unit answers to most, the share that has at most one keyword of its topic"},
          {"triggered_by_one_keyword",
           "of all units and keywords with a weight above 0, the share that a film of this keyword alone fires at all"},
          {"fired_by_one_keyword",
           "of all units and keywords of their topics, the share that a film of this keyword alone fires half as much "
           "as the unit's strongest training films"},
          {"one_keyword_output",
           "a unit's output for one keyword of its topic alone, as a share of that for the whole topic"},
          {"dead_units", "the share of units that no training film fires; left out of the four measures of firing"},
          {"loss", "validation films: the cross-entropy of a hidden keyword, in nats"},
          {"rate", "the learning rate taken (0: the untrained network was best)"}};
}

std::map<std::string, double> measure_topics(const data::KeywordRows& films, const TopicStudySettings& settings,
                                             const std::string& unit, std::uint64_t seed,
                                             const std::atomic<bool>* stop) {
  const auto keywords = static_cast<std::int64_t>(films.keywords.size());
  std::vector<std::int64_t> order(films.titles.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  const auto count = [&](double share) {
    return static_cast<std::ptrdiff_t>(std::lround(share * static_cast<double>(order.size())));
  };
  const auto test_end = order.begin() + count(settings.test_share),
             held_end = test_end + count(settings.validation_share);
  const std::vector<std::int64_t> of_test(order.begin(), test_end), of_validation(test_end, held_end),
      of_train(held_end, order.end()), of_held(order.begin(), held_end);
  if (of_test.empty() || of_validation.empty() || of_train.empty())
    throw Error(fmt::format("{} films are too few to split: {} to train on, {} for validation, {} for the test",
                            order.size(), of_train.size(), of_validation.size(), of_test.size()));
  const SparseRows train = take_rows(films.of_keywords, of_train), test = take_rows(films.of_keywords, of_test);
  const Halves halves = hide_half(test, random);

  const Trained trained =
      train_topics(train, take_rows(films.of_keywords, of_validation), keywords, settings.model, unit, seed, stop);
  if (trained.stopped) return {};
  const torch::NoGradGuard no_gradients;
  TopicModel& model = *trained.model;
  const auto topics = topics_of(model.weight, settings.topic);
  SparseRows each_alone, whole;
  for (std::int64_t keyword = 0; keyword < keywords; ++keyword) {
    each_alone.columns.push_back(keyword);
    each_alone.begin.push_back(keyword + 1);
  }
  for (const auto& topic : topics) {
    whole.columns.insert(whole.columns.end(), topic.begin(), topic.end());
    whole.begin.push_back(static_cast<std::int64_t>(whole.columns.size()));
  }
  const at::Tensor of_films = model.hidden(train), of_queries = model.hidden(test);
  const OneKeyword one =
      one_keyword(model.weight, model.hidden(each_alone), of_films, model.hidden(whole), topics, settings.strongest);
  return {{"keyword_precision",
           keyword_precision(model.scores(halves.seen), halves.seen, halves.hidden, settings.predicted)},
          {"genre_precision", genre_precision(of_queries, take_rows(films.of_genres, of_test), of_films,
                                              take_rows(films.of_genres, of_train), settings.neighbours)},
          {"coherence", coherence(topics, take_rows(films.of_keywords, of_held), keywords)},
          {"diversity", diversity(topics)},
          {"single_matches", single_matches(of_queries, test, topics, settings.strongest)},
          {"triggered_by_one_keyword", one.triggered},
          {"fired_by_one_keyword", one.fired},
          {"one_keyword_output", one.output},
          {"dead_units", dead_units(of_films)},
          {"loss", trained.loss},
          {"rate", trained.rate}};
}

}  // namespace ogee::claims
