#include "data/sentences.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "data/bytes.h"
#include "data/tokens.h"
#include "ogee/ogee.h"

namespace ogee::data {
namespace {

namespace files = std::filesystem;

std::vector<files::path> places_of(const std::string& path) {
  std::vector<files::path> places{path};
  const char* root = std::getenv("OGEE_DATA");
  if (root && *root && !path.starts_with('/')) places.push_back(files::path(root) / path);
  return places;
}

}  // namespace

std::string found_file(const std::string& path) {
  std::error_code ignored;
  for (const files::path& place : places_of(path))
    for (const char* ending : {"", ".gz"})
      if (const std::string name = place.string() + ending; files::is_regular_file(name, ignored)) return name;
  return "";
}

std::string found_path(const std::string& path) {
  std::error_code ignored;
  for (const files::path& place : places_of(path))
    if (files::exists(place, ignored)) return place.string();
  return "";
}

std::string not_found(const std::string& path) {
  return fmt::format("no such file: {}, nor {}.gz{}", path, path,
                     std::getenv("OGEE_DATA") ? ", there or under OGEE_DATA" : " (OGEE_DATA is unset)");
}

std::vector<std::string> lines_of(const std::string& path) {
  const std::string text = read_bytes(path);
  split_characters(text, path);  // or there is an error
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

bool blank(const std::string& line) { return line.find_first_not_of(" \t") == std::string::npos; }

void refuse_parts(const Request& request) {
  if (!request.kind.empty() || !request.validation.empty() || !request.test.empty() || request.validation_share > 0 ||
      request.test_share > 0)
    throw Error(
        fmt::format("--data {}: it takes neither kind nor parts nor shares, but attributes train, validation and test",
                    request.data));
}

}  // namespace ogee::data
