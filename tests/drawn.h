// Data sets for tests: what --data names, and a small one of kinds that are not drawn by name.
#pragma once

#include <string>
#include <vector>

#include "ogee/libtorch.h"
#include "data/dataset.h"
#include "folder.h"

namespace ogee {

inline data::Dataset loaded(const std::string& data, std::int64_t train_limit = 0) {
  data::Request request;
  request.data = data;
  request.train_limit = train_limit;
  return data::load(request);
}

inline data::Dataset drawn_series() {
  data::Dataset set;
  set.name = "series";
  set.shape = {7, 3};
  set.classes = {"a", "b", "c"};
  const at::Tensor places = torch::arange(20 * 7 * 3, torch::kFloat);
  for (data::Part* part : {&set.train, &set.validation, &set.test})
    *part = {places.mul(1.7).sin().view({20, 7, 3}), torch::arange(20, torch::kLong).remainder(3)};
  return set;
}

// Numbers' words, which another language writes in the opposite order; sentences differ in length. Returns what --data
// takes.
inline std::string write_translation(const Folder& folder, int train = 60, int test = 12) {
  const char* const left[] = {"one", "two", "three", "four", "five", "six"};
  const char* const right[] = {"eins", "zwei", "drei", "vier", "acht", "zehn"};
  unsigned random = 1;
  for (const auto& [part, count] : {std::pair("train", train), {"valid", 10}, {"test", test}}) {
    std::string en, de;
    for (int i = 0; i < count; ++i) {
      std::string forth, back;
      for (int j = 0; j < 1 + i * i % 7; ++j) {
        random = random * 1664525 + 1013904223;
        const unsigned which = (random >> 16) % 6;
        forth += std::string(j > 0 ? " " : "") + left[which];
        back = right[which] + std::string(j > 0 ? " " : "") + back;
      }
      en += forth + ".\n";
      de += back + ".\n";
    }
    folder.write(std::string(part) + ".en", en);
    folder.write(std::string(part) + ".de", de);
  }
  return "translation(train=" + folder.path("train") + ",validation=" + folder.path("valid") +
         ",test=" + folder.path("test") + ",source=en,target=de,pieces=60)";
}
inline data::Dataset drawn_translation(const Folder& folder, int test = 12) {
  return loaded(write_translation(folder, 60, test));
}

}  // namespace ogee
