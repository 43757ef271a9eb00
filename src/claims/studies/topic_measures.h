// What topics are worth, and what makes their units fire.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "data/keywords.h"

namespace ogee::claims {

// For each unit the `count` keywords of its largest weights, the largest first. weight: [keywords, units].
std::vector<std::vector<std::int64_t>> topics_of(const at::Tensor& weight, std::int64_t count);

// The mean over units, and over the pairs of keywords of each one's topic, of the normalised pointwise mutual
// information over `films`: 1 for keywords that only come together, 0 for independent ones (and for those that no film
// here has), -1 for those that never do.
double coherence(const std::vector<std::vector<std::int64_t>>& topics, const data::SparseRows& films,
                 std::int64_t keywords);
// Of all places in the topics the share that is left if every keyword is counted once.
double diversity(const std::vector<std::vector<std::int64_t>>& topics);

// Of the `count` films with the largest outputs above 0 of a unit, the share that has at most one keyword of its topic;
// the mean over the units that fire on any of the films. z: [films, units].
double single_matches(const at::Tensor& z, const data::SparseRows& films,
                      const std::vector<std::vector<std::int64_t>>& topics, std::int64_t count);

// What films of one keyword do. `alone`: [keywords, units], the outputs for a film of each keyword alone; `z`: those
// for films as they are; `whole`: [units, units], row u those for a film of all keywords of topic u.
struct OneKeyword {
  double triggered = 0;  // of all pairs of a unit and a keyword with a weight above 0, the share with an output above 0
  double fired = 0;   // of units and keywords of their topics, the share with half the output for the strongest films
  double output = 0;  // the mean output for one keyword of the topic, by that for all of them together
};
// Over the units that fire on any film; `count` strongest films. 0 if there is none.
OneKeyword one_keyword(const at::Tensor& weight, const at::Tensor& alone, const at::Tensor& z, const at::Tensor& whole,
                       const std::vector<std::vector<std::int64_t>>& topics, std::int64_t count);
// The share of units that fire on none of the films.
double dead_units(const at::Tensor& z);

// For each film `count` keywords with the largest scores, those seen left out: the share of the hidden ones among them
// of what could be reached, min(count, hidden). The mean over films that have hidden ones.
double keyword_precision(const at::Tensor& scores, const data::SparseRows& seen, const data::SparseRows& hidden,
                         std::int64_t count);

// For each query the `count` films whose hidden outputs are nearest by their cosine: the share whose genres agree in at
// least half (Jaccard coefficient of 1/2). A query without any output finds nothing.
double genre_precision(const at::Tensor& queries, const data::SparseRows& query_genres, const at::Tensor& films,
                       const data::SparseRows& film_genres, std::int64_t count);

}  // namespace ogee::claims
