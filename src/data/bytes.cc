#include "data/bytes.h"

#include <fmt/format.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "ogee/ogee.h"

namespace ogee::data {

std::string unpack(std::string_view packed, const std::string& name) {
  z_stream stream{};
  constexpr int gzip_only = 16 + MAX_WBITS;
  if (inflateInit2(&stream, gzip_only) != Z_OK) throw Error(fmt::format("{}: cannot start unpacking", name));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string result;
  std::string chunk(1 << 18, '\0');
  int status = Z_OK;
  do {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    status = inflate(&stream, Z_NO_FLUSH);
    result.append(chunk, 0, chunk.size() - stream.avail_out);
    // gzip files may be several streams one after another.
    if (status == Z_STREAM_END && stream.avail_in > 0 && inflateReset(&stream) == Z_OK) status = Z_OK;
  } while (status == Z_OK);
  inflateEnd(&stream);
  if (status == Z_BUF_ERROR) throw Error(fmt::format("{}: truncated: the gzip data end before their end mark", name));
  if (status != Z_STREAM_END) throw Error(fmt::format("{}: damaged gzip data", name));
  return result;
}

std::string read_bytes(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) throw Error(fmt::format("{}: no such file", path));
  if (std::filesystem::is_directory(status)) throw Error(fmt::format("{}: a directory, not a file", path));
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) throw Error(fmt::format("{}: cannot read: {}", path, std::strerror(errno)));
  const bool gzip = bytes.size() >= 2 && bytes[0] == '\x1f' && bytes[1] == '\x8b';
  return gzip ? unpack(bytes, path) : bytes;
}

void Checksum::add(const void* bytes, std::size_t size) {
  // zlib takes no bytes at no place for the wish to begin anew.
  if (size > 0) sum_ = crc32_z(sum_, static_cast<const Bytef*>(bytes), size);
}

std::string Checksum::text() const { return fmt::format("{:08x}", sum_); }

std::string checksum(std::string_view bytes) {
  Checksum sum;
  sum.add(bytes.data(), bytes.size());
  return sum.text();
}

}  // namespace ogee::data
