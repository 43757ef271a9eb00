// Files with a line for each sentence or name.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace ogee::data {

// A file as it is or compressed (.gz), there or under $OGEE_DATA; "": nowhere.
std::string found_file(const std::string& path);
// A file or a folder, there or under $OGEE_DATA; "": nowhere.
std::string found_path(const std::string& path);
// "no such file: ..., nor ...", of what found_file did not find.
std::string not_found(const std::string& path);

// Throws Error on what is no UTF-8, with line and column.
std::vector<std::string> lines_of(const std::string& path);
bool blank(const std::string& line);

// Throws Error where a request names parts, or shares of them, of data whose own attributes do.
void refuse_parts(const Request& request);

}  // namespace ogee::data
