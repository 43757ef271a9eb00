// Whole files in memory, compressed with gzip or not; and checksums of bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace ogee::data {

// The content of `path`, unpacked if it is gzip. Throws Error ("path: ...") if it cannot be read to its end.
std::string read_bytes(const std::string& path);
// Unpacks gzip from memory; `name` names it in errors.
std::string unpack(std::string_view packed, const std::string& name);

// A checksum (CRC-32) of all that was added, the same on every machine. Stored results are told apart by it.
class Checksum {
 public:
  void add(const void* bytes, std::size_t size);
  std::string text() const;  // eight hexadecimal digits

 private:
  unsigned long sum_ = 0;
};
std::string checksum(std::string_view bytes);

}  // namespace ogee::data
