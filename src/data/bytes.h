// Whole files in memory, compressed with gzip or not.
#pragma once

#include <string>
#include <string_view>

namespace ogee::data {

// The content of `path`, unpacked if it is gzip. Throws Error ("path: ...") if it cannot be read to its end.
std::string read_bytes(const std::string& path);
// Unpacks gzip from memory; `name` names it in errors.
std::string unpack(std::string_view packed, const std::string& name);

}  // namespace ogee::data
