#include "data/embedded.h"

extern "C" const char ogee_asset_optdigits[], ogee_asset_optdigits_end[];

namespace ogee::data {

std::string_view embedded_optdigits() {
  return {ogee_asset_optdigits, static_cast<std::size_t>(ogee_asset_optdigits_end - ogee_asset_optdigits)};
}

}  // namespace ogee::data
