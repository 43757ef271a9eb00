// The claims that the program carries: claims/*.toml, built in one after another (lab/assets.cmake).
#include <algorithm>
#include <string_view>
#include <utility>

#include "claims/claim.h"
#include "lab/page.h"

extern "C" const char ogee_asset_claims[], ogee_asset_claims_end[];

namespace ogee::claims {

std::vector<ClaimFile> claim_files() {
  // Each file follows a line of its own: "#@ NAME".
  constexpr std::string_view mark = "\n#@ ";
  std::string_view all = lab::asset(ogee_asset_claims, ogee_asset_claims_end);
  std::vector<ClaimFile> files;
  for (std::size_t at = all.find(mark); at != std::string_view::npos;) {
    all.remove_prefix(at + mark.size());
    const std::size_t line = all.find('\n');
    at = all.find(mark);
    const std::string name(all.substr(0, line));
    files.push_back({name, "claims/" + name + ".toml", std::string(all.substr(line + 1, at - line - 1))});
  }
  return files;
}

}  // namespace ogee::claims
