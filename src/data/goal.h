// What a data set asks of a network.
#pragma once

namespace ogee::data {

enum class Goal {
  classification,  // one of several classes for each example
  regression,      // one number
  language,        // the next token, at every place of a text
  forecasting,     // the next steps of a series
  recall,          // bits, at some steps of a sequence
  translation,     // a sentence for a sentence
  captions         // a sentence for a picture
};

}  // namespace ogee::data
