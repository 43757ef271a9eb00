// One function for each kind of data, one file each: from the request, its paths resolved, to the data set. All throw
// Error.
#pragma once

#include "data/dataset.h"
#include "data/picture.h"

namespace ogee::data {

Dataset load_optdigits(const Request& request);
Dataset load_csv(const Request& request);
Dataset load_idx(const Request& request);
Dataset load_arrays(const Request& request);
Dataset load_images(const Request& request);
Dataset load_text(const Request& request);
Dataset load_series(const Request& request);

// Windows of a text or a series that a data set needs at least.
inline constexpr std::int64_t fewest_windows = 10;

// uint8 [channels, height, width], resized to size x size, unless that is 0.
at::Tensor to_tensor(Picture& picture, std::int64_t size);

// Whether a folder holds IDX files.
bool is_idx_folder(const std::string& folder);

}  // namespace ogee::data
