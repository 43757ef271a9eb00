// A claim of the literature, as a file states it (claims/*.toml; docs/claims.md shows every key).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "claims/study.h"

namespace ogee::claims {

// A figure that the source prints, checked against it.
struct Published {
  std::string figure, value, source;
};

// An inequality that the observations decide. Of each seed's values one number is made, whose true mean (of ratios: the
// geometric one) is claimed to lie below an end, above it, or (close) between two:
//
//   of an arm (or the mean of several) against a number:   value            number + by   close: number +- by
//   of an arm against another one:                         value - other    by            close: +- by
//   the same by a factor:                                  value / other    factor        close: 1/factor to factor
struct Expectation {
  enum class Relation { below, above, close };
  std::string text;  // in words
  std::string measure;
  std::vector<std::string> arms;  // several: their mean
  double at = no_condition;
  Relation relation = Relation::below;
  std::vector<std::string> than;  // arms; empty: `number`
  double than_at = no_condition;  // NaN: the same as `at`
  double number = 0;
  double by = 0;
  double factor = 0;  // 0: a difference, not a ratio
};

struct Chart {
  std::string measure, x = "arm";  // or "at"
  bool log_x = false, log_y = false;
  std::string title;
};

struct Claim {
  std::string name;  // of the file, without .toml
  std::string claim, document, source;
  std::string study, preset;
  std::string scale;  // of the preset: what was made smaller than in the source, or "the published settings"
  std::vector<Published> published;
  std::vector<Expectation> expectations;  // of the preset
  std::vector<Chart> charts;
  std::shared_ptr<Study> work;
};

// `text` is the file's, `name` stands for the file in messages. Throws Error, naming the line.
Claim parse_claim(const std::string& text, const std::string& name, const std::string& preset);

// A claim's file: one that the program carries, or the user's own.
struct ClaimFile {
  std::string name, path, text;
};
// Those that the program carries, in the order of the list they are told in.
std::vector<ClaimFile> claim_files();
// By name, or a path that ends in .toml. Throws Error with a suggestion.
ClaimFile find_claim(const std::string& name);

}  // namespace ogee::claims
