// Which SIMD target runs.
#include <algorithm>

#include "hwy/highway.h"
#include "ogee/ogee.h"

namespace ogee {
namespace {

std::vector<std::int64_t> available() {
  std::vector<std::int64_t> result;
  const std::int64_t compiled = HWY_TARGETS;
  // A lower bit is a better target.
  for (int bit = 0; bit < 63; ++bit) {
    const std::int64_t target = std::int64_t{1} << bit;
    if ((compiled & target) != 0) result.push_back(target);
  }
  return result;
}

std::int64_t supported() {
  // What the processor has, without a mask set by use_target.
  static const std::int64_t targets = hwy::SupportedTargets();
  return targets;
}

std::int64_t& forced() {
  static std::int64_t target = 0;
  return target;
}

}  // namespace

std::vector<std::string> targets() {
  std::vector<std::string> names;
  for (std::int64_t target : available()) {
    if (target >= HWY_STATIC_TARGET || (supported() & target) != 0) names.emplace_back(hwy::TargetName(target));
  }
  return names;
}

std::string target() { return forced() != 0 ? hwy::TargetName(forced()) : targets().front(); }

void use_target(std::string_view name) {
  std::int64_t wanted = 0;
  if (!name.empty()) {
    std::string known;
    for (std::int64_t target : available()) {
      if (target < HWY_STATIC_TARGET && (supported() & target) == 0) continue;
      known += (known.empty() ? "" : ", ") + std::string(hwy::TargetName(target));
      if (name == hwy::TargetName(target)) wanted = target;
    }
    if (wanted == 0) throw Error("target '" + std::string(name) + "' is none of those supported here: " + known);
  } else {
    supported();
  }
  hwy::SetSupportedTargetsForTest(wanted);
  hwy::GetChosenTarget().Update(wanted != 0 ? wanted : supported());
  forced() = wanted;
}

}  // namespace ogee
