// A data set ready to train on: standardised, split, in tensors.
#pragma once

#include <torch/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "data/goal.h"

namespace ogee::data {

class Subwords;

// Stands for the bits of steps without an answer.
inline constexpr float not_asked = -1;
// And for tokens that are not asked for: LibTorch's own mark.
inline constexpr std::int64_t not_asked_token = -100;

struct Part {
  // [n, features], [n, channels, height, width] or, of a series, [n, steps, columns], float32; of a text [n, tokens],
  // int64; of translation first source_tokens of the source, its end behind it, then the target, its begin before it,
  // each padded; of captions the number of a picture, then the caption, its begin before it, padded. Windows of a
  // series overlap in memory: copy before writing.
  at::Tensor x;
  // [n] class numbers (int64) or standardised values (float32); of a text [n, tokens]: the token after each (int64);
  // of a series [n, horizon, columns]: the steps that follow, standardised (float32); of recall [n, steps, bits]: 0, 1
  // or, at a step that is not asked for, not_asked (float32); of translation and captions [n, 1 + tokens]: the number
  // of its references, then the target's tokens and its end, and not_asked_token behind it. A picture's captions are
  // neighbours, and all but the first have not_asked_token for the number: what is said of it is judged once.
  at::Tensor y;
  std::int64_t size() const { return x.defined() ? x.size(0) : 0; }
};

// What captions are about.
struct Pictures {
  at::Tensor all;  // [pictures, channels, height, width], or features [pictures, places, channels]; any type of number
  double mean = 0, deviation = 1;  // over all numbers of the training part's
  // Those of these numbers (int64), standardised, float32.
  at::Tensor of(const at::Tensor& numbers) const;
};

// A task's easier levels, for a curriculum by levels (lab/curriculum.h). The easiest comes first; the last is the task
// itself, whose parts Dataset has.
struct Levels {
  std::vector<std::string> names;   // of each level; empty: there are none
  Part train;                       // of all levels, in their order: Dataset::train is its end
  std::vector<std::int64_t> sizes;  // how many examples of `train` each level has
  std::vector<Part> validation;     // of each level but the last: whether it has been learned
  Part last() const;                // the last level's end of `train`
};

struct Dataset {
  std::string name;
  Goal goal = Goal::classification;
  std::vector<std::int64_t> shape;  // of one example: {features}, {channels, height, width}, {tokens}, {steps, columns}
  std::vector<std::string> classes;  // classification; of a text: the vocabulary
  std::int64_t answers = 1;          // regression, forecasting, recall: numbers in one answer
  double target_deviation = 1;       // regression: undoes the standardisation of the target
  bool masked = false;               // a text of which only some tokens are asked for: y is below 0 at the others
  double baseline = 0;               // the error of a constant answer on the test part
  Part train, validation, test;
  std::int64_t source_tokens = 0;  // translation; captions: 1, the picture's number
  // translation, captions: the targets as they were written, each or all those of a picture.
  std::vector<std::vector<std::string>> references;
  std::array<std::shared_ptr<const Subwords>, 2>
      subwords;           // translation: of the source, of the target; captions: the latter
  Pictures pictures;      // captions
  at::Tensor lengths;     // [n], int64, of training examples that differ in length: batches are of similar ones
  at::Tensor difficulty;  // [n], int64: how hard each training example is, where that is known; a curriculum's order
  Levels levels;
  std::vector<std::string> notes;
  std::string fingerprint;  // of everything above, to tell changed data from the same

  // What a network gives for one example, or for one step of a text or of recall.
  std::int64_t outputs() const { return classes.empty() ? answers : static_cast<std::int64_t>(classes.size()); }
  bool images() const { return shape.size() == 3; }
  bool series() const { return shape.size() == 2; }
  bool text() const { return goal == Goal::language; }
  bool recall() const { return goal == Goal::recall; }
  bool translation() const { return goal == Goal::translation; }
  bool captions() const { return goal == Goal::captions; }
  // Whether sentences are asked for.
  bool sentences() const { return translation() || captions(); }
  // Whether every step has an answer of its own.
  bool stepwise() const { return text() || recall(); }
};

struct Request {
  // optdigits (built in), a generated set (generated.h), translation(...) (translation.h), captions(...) (captions.h),
  // mnist, fashion-mnist, or a path. What is not found there is looked for under $OGEE_DATA.
  std::string data = "optdigits";
  // The column to predict: of a CSV file by name or number from 1 (default: the last), of a series likewise (default:
  // all columns); of .npz the array with the answers (default: y), of .npy their file.
  std::string target = "";
  std::int64_t train_limit = 0;  // 0: all
  // csv, idx, npy, images, text or series; empty: as the path says (.csv, .csv.gz; a folder of IDX files; .npy, .npz; a
  // folder with a folder of PNG or JPEG files for each class; .txt, .txt.gz).
  std::string kind = "";
  // Paths of the parts, of the same kind as the data; empty: split off the data.
  std::string validation = "", test = "";
  // What to split off: each above 0, together below 1. 0: a fifth each; idx and text: a tenth each.
  double validation_share = 0, test_share = 0;
  std::int64_t context = 0;  // text: tokens of a window (64 characters or 32 words); series: steps to see (96)
  std::int64_t horizon = 0;  // series: steps to forecast (24)
  std::string tokens = "";   // text: "characters" (default) or "words"
  std::int64_t size = 0;     // images: resized to size x size; 0: all must agree
};
// Throws Error.
Dataset load(const Request& request);

}  // namespace ogee::data
