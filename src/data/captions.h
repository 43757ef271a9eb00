// Pictures, or features of them, and captions: several for each picture.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace ogee::data {

// "captions(images=FOLDER, captions=FILE, train=FILE, validation=FILE, test=FILE, size=64, pieces=5000, longest=60)",
// or with features=FILE.npy, names=FILE in the place of images. The layout is Flickr8k's (Hodosh, Young, Hockenmaier
// 2013): a line of `captions` is "picture.jpg#0", a tab and the caption; a line of train, validation and test a
// picture's name. What is not found there is looked for under $OGEE_DATA, text files also with .gz.
bool is_captions(const std::string& data);
// The first of its files that is not there, or "". Throws Error on attributes that are wrong.
std::string missing_of_captions(const std::string& data);
// Throws Error, naming file and line.
Dataset load_captions(const Request& request);

// Pictures with what is said of each, by part: training, validation, test.
struct Captioned {
  at::Tensor pictures;  // as Pictures::all, the parts one behind the other
  std::array<std::vector<std::vector<std::string>>, 3> captions;
};
// The data set made of them, sealed. At most `limit` captions of training (0: all), none of more than `longest` of the
// `pieces` that are learned from them. `path` names the captions in errors.
Dataset captioned(const std::string& name, Captioned given, std::int64_t pieces, std::int64_t longest,
                  std::int64_t limit, const std::string& path, std::vector<std::string> notes = {});

}  // namespace ogee::data
