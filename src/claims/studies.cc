#include <algorithm>
#include <cstddef>
#include <iterator>

#include "claims/studies/studies.h"
#include "claims/study.h"
#include "lab/toml_table.h"

namespace ogee::claims {
namespace {

struct Entry {
  const char* name;
  std::unique_ptr<Study> (*make)(lab::Table& table);
};
constexpr Entry entries[] = {
    {"depth", make_depth},       {"comparison", make_comparison}, {"noise", make_noise},
    {"overlap", make_overlap},   {"saturation", make_saturation}, {"slopes", make_slopes},
    {"training", make_training},
};

}  // namespace

std::vector<std::string> studies() {
  std::vector<std::string> names;
  for (const Entry& entry : entries) names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Study> make_study(const std::string& name, lab::Table& table) {
  const auto* entry =
      std::find_if(std::begin(entries), std::end(entries), [&](const Entry& each) { return each.name == name; });
  // claim.cc has checked the name.
  return entry == std::end(entries) ? nullptr : entry->make(table);
}

}  // namespace ogee::claims
