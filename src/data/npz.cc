#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>

#include "data/bytes.h"
#include "data/npy.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

std::string words_of(zip_error_t& error) {
  std::string words = zip_error_strerror(&error);
  zip_error_fini(&error);
  return words;
}

std::unique_ptr<zip_t, Closer> open(std::string_view bytes, const std::string& path) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source) throw Error(fmt::format("{}: {}", path, words_of(error)));
  zip_t* archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (!archive) {
    zip_source_free(source);
    throw Error(fmt::format("{}: no NPZ file, or a damaged one: {}", path, words_of(error)));
  }
  zip_error_fini(&error);
  return std::unique_ptr<zip_t, Closer>(archive);
}

std::string read_entry(zip_t* archive, zip_uint64_t index, const std::string& name) {
  const std::unique_ptr<zip_file_t, Closer> file(zip_fopen_index(archive, index, 0));
  if (!file) throw Error(fmt::format("{}: cannot unpack: {}", name, zip_strerror(archive)));
  // What it takes is learned by unpacking: the size that the archive claims may be anything.
  std::string content, chunk(1 << 18, '\0');
  for (zip_int64_t read; (read = zip_fread(file.get(), chunk.data(), chunk.size())) != 0;) {
    if (read < 0) throw Error(fmt::format("{}: cannot unpack: {}", name, zip_file_strerror(file.get())));
    content.append(chunk, 0, static_cast<std::size_t>(read));
  }
  return content;
}

}  // namespace

std::map<std::string, at::Tensor> parse_npz(std::string_view bytes, const std::string& path) {
  const auto archive = open(bytes, path);
  std::map<std::string, at::Tensor> arrays;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* entry = zip_get_name(archive.get(), index, ZIP_FL_ENC_GUESS);
    if (!entry) throw Error(fmt::format("{}: damaged: entry {} has no name", path, i + 1));
    std::string name = entry;
    if (!name.ends_with(".npy")) continue;
    const std::string where = path + ":" + name;
    at::Tensor array = parse_npy(read_entry(archive.get(), index, where), where);
    arrays[name.substr(0, name.size() - 4)] = std::move(array);
  }
  if (arrays.empty()) throw Error(fmt::format("{}: no arrays (*.npy) in it", path));
  return arrays;
}

std::map<std::string, at::Tensor> read_npz(const std::string& path) { return parse_npz(read_bytes(path), path); }

}  // namespace ogee::data
