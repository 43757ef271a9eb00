// Sentences in two languages, one a line, line by line translations of each other.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace ogee::data {

// "translation(train=multi30k/train, validation=multi30k/val, test=multi30k/test_2016_flickr, source=en, target=de,
// pieces=5000, longest=60)": train.en and train.de or train.en.gz and train.de.gz, and so on; what is not found there
// is looked for under $OGEE_DATA.
bool is_translation(const std::string& data);
// The first of its files that is not there, or "". Throws Error on attributes that are wrong.
std::string missing_of_translation(const std::string& data);
// Throws Error, naming file and line.
Dataset load_translation(const Request& request);

}  // namespace ogee::data
