// One cell of the study "overlap": films split, topics learned, all that is measured of them.
#pragma once

#include <map>
#include <string>

#include "claims/studies/topic_model.h"

namespace ogee::claims {

struct TopicStudySettings {
  TopicSettings model;
  double validation_share = 0.1, test_share = 0.25;  // of the films
  std::int64_t topic = 10;                           // keywords that stand for a unit: those of its largest weights
  std::int64_t strongest = 20;                       // films that stand for what a unit answers to
  std::int64_t predicted = 5, neighbours = 10;       // how many are looked at for a precision
};

// What measure_topics gives, in words.
std::map<std::string, std::string> topic_measure_names();
// A function of its arguments; empty if stopped.
std::map<std::string, double> measure_topics(const data::KeywordRows& films, const TopicStudySettings& settings,
                                             const std::string& unit, std::uint64_t seed,
                                             const std::atomic<bool>* stop);

}  // namespace ogee::claims
