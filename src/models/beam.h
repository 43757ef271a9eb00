// Beam search: the likeliest sequences that a network can be found to give, token by token.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>

namespace ogee::models {

struct Beam {
  std::int64_t width = 5;    // sequences that are followed at a time, for each source; 1: greedy
  std::int64_t longest = 0;  // tokens of a sequence, its end among them
  std::int64_t begin = 0, end = 0, padding = 0;
};

// tokens, from: [sources*width], int64. Row i goes on with tokens[i] from where row from[i] was a step before; the
// result is the logarithms of the next token's probabilities, [sources*width, vocabulary].
using NextToken = std::function<at::Tensor(const at::Tensor& tokens, const at::Tensor& from)>;

// [sources, longest found], padding behind the end. A sequence that has come to its end leaves the beam, which gets
// narrower; of all that did, the one whose logarithm of probability, divided by its tokens, is the largest is the
// answer. What has no end after `longest` tokens ends there.
at::Tensor beam_search(std::int64_t sources, const Beam& beam, const NextToken& next);

}  // namespace ogee::models
