#include "data/npy.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "ogee/libtorch.h"
#include "data/bytes.h"
#include "ogee/ogee.h"

static_assert(std::endian::native == std::endian::little);

namespace ogee::data {
namespace {

struct Header {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
};

// The header is the text of a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !header.descr) {
        if (peek() == '[') throw Error(fmt::format("{}: an array of records; plain numbers are needed", name_));
        header.descr = quoted();
      } else if (key == "fortran_order" && !header.fortran_order) {
        header.fortran_order = boolean();
      } else if (key == "shape" && !header.shape) {
        header.shape = tuple();
      } else {
        fail(fmt::format("an unexpected key '{}'", key));
      }
      if (!accept(',') && peek() != '}') fail("neither ',' nor '}' after a value");
    }
    if (peek() != '\0') fail("more text after the dictionary");
    if (!header.descr || !header.fortran_order || !header.shape) fail("descr, fortran_order or shape is missing");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("{}: bad NPY header: {}, at its character {}", name_, what, at_ + 1));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("'{}' is missing", c));
  }
  std::string quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') fail("a quoted text is missing");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) fail("a quoted text is never closed");
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  bool boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    }
    fail("neither True nor False");
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      peek();
      std::int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) fail("a dimension is no number");
      at_ = static_cast<std::size_t>(end - text_.data());
      if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // as Python 2 wrote them
      sizes.push_back(size);
      if (!accept(',') && peek() != ')') fail("neither ',' nor ')' after a dimension");
    }
    return sizes;
  }

  const std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0;
};

struct Type {
  char kind;
  std::size_t size;
  bool big_endian;
};

Type type_of(const std::string& descr, const std::string& name) {
  Type type{0, 0, false};
  if (descr.size() >= 3 && std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
    type.kind = descr[1];
    type.big_endian = descr[0] == '>';
    const auto [end, error] = std::from_chars(descr.data() + 2, descr.data() + descr.size(), type.size);
    if (error != std::errc() || end != descr.data() + descr.size()) type.kind = 0;
  }
  const auto one_of = [&](std::initializer_list<std::size_t> sizes) {
    return std::find(sizes.begin(), sizes.end(), type.size) != sizes.end();
  };
  const bool known = type.kind == 'b'                       ? one_of({1})
                     : type.kind == 'i' || type.kind == 'u' ? one_of({1, 2, 4, 8})
                     : type.kind == 'f'                     ? one_of({2, 4, 8})
                                                            : false;
  if (!known)
    throw Error(fmt::format("{}: numbers of type '{}', expected bool, integers of 1 to 8 bytes or floats of 2 to 8",
                            name, descr));
  return type;
}

void swap_bytes(std::string& data, std::size_t size) {
  for (std::size_t i = 0; i < data.size(); i += size)
    std::reverse(data.begin() + static_cast<std::ptrdiff_t>(i), data.begin() + static_cast<std::ptrdiff_t>(i + size));
}

template <class From, class To>
at::Tensor widen(const std::string& data, std::int64_t count, at::ScalarType to, const std::string& name) {
  at::Tensor result = torch::empty({count}, to);
  To* out = result.data_ptr<To>();
  for (std::int64_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, data.data() + static_cast<std::size_t>(i) * sizeof(From), sizeof(From));
    if (value > static_cast<From>(std::numeric_limits<To>::max()))
      throw Error(fmt::format("{}: element {} is {}, beyond the range of int64", name, i, value));
    out[i] = static_cast<To>(value);
  }
  return result;
}

at::Tensor to_tensor(const std::string& data, const Type& type, std::int64_t count, const std::string& name) {
  if (type.kind == 'u' && type.size == 2) return widen<std::uint16_t, std::int32_t>(data, count, torch::kInt, name);
  if (type.kind == 'u' && type.size == 4) return widen<std::uint32_t, std::int64_t>(data, count, torch::kLong, name);
  if (type.kind == 'u' && type.size == 8) return widen<std::uint64_t, std::int64_t>(data, count, torch::kLong, name);
  const at::ScalarType tensor_type = type.kind == 'b'   ? torch::kBool
                                     : type.kind == 'u' ? torch::kByte
                                     : type.kind == 'f' ? (type.size == 2   ? torch::kHalf
                                                           : type.size == 4 ? torch::kFloat
                                                                            : torch::kDouble)
                                     : type.size == 1   ? torch::kChar
                                     : type.size == 2   ? torch::kShort
                                     : type.size == 4   ? torch::kInt
                                                        : torch::kLong;
  at::Tensor result = torch::empty({count}, tensor_type);
  if (count == 0) return result;
  if (type.kind == 'b') {  // any byte but 0 is true, and a bool in memory must be 0 or 1
    for (std::int64_t i = 0; i < count; ++i) result.data_ptr<bool>()[i] = data[static_cast<std::size_t>(i)] != 0;
  } else {
    std::memcpy(result.data_ptr(), data.data(), data.size());
  }
  return result;
}

}  // namespace

at::Tensor parse_npy(std::string_view bytes, const std::string& name) {
  constexpr std::string_view magic = "\x93NUMPY";
  if (!bytes.starts_with(magic)) throw Error(fmt::format("{}: no NPY file: it does not begin with \\x93NUMPY", name));
  if (bytes.size() < 10) throw Error(fmt::format("{}: truncated: {} bytes", name, bytes.size()));
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[i])); };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3)
    throw Error(fmt::format("{}: NPY format {}.{}, expected 1 to 3", name, version, byte(7)));
  const std::size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) throw Error(fmt::format("{}: truncated: {} bytes", name, bytes.size()));
  std::size_t length = byte(8) | byte(9) << 8;
  if (version > 1) length |= byte(10) << 16 | byte(11) << 24;
  if (bytes.size() - start < length)
    throw Error(fmt::format("{}: truncated: a header of {} bytes, {} are there", name, length, bytes.size() - start));
  const Header header = HeaderParser(bytes.substr(start, length), name).parse();
  const Type type = type_of(*header.descr, name);

  std::uint64_t total = type.size;
  // Caps the product below what could overflow; no file of this size is ever valid.
  constexpr std::uint64_t cap = std::uint64_t{1} << 46;
  for (const std::int64_t size : *header.shape) {
    const auto unsigned_size = static_cast<std::uint64_t>(size);
    total = unsigned_size == 0 ? 0 : total > cap / unsigned_size ? cap : total * unsigned_size;
  }
  std::string data(bytes.substr(start + length));
  if (data.size() != total)
    throw Error(fmt::format("{}: {}: shape ({}) of '{}' takes {} bytes, {} are there", name,
                            data.size() < total ? "truncated" : "too long", fmt::join(*header.shape, ", "),
                            *header.descr, total >= cap ? "too many" : std::to_string(total), data.size()));
  if (type.big_endian) swap_bytes(data, type.size);
  const at::Tensor flat = to_tensor(data, type, static_cast<std::int64_t>(total / type.size), name);
  std::vector<std::int64_t> shape = *header.shape;
  if (!*header.fortran_order) return flat.reshape(shape);
  std::reverse(shape.begin(), shape.end());
  std::vector<std::int64_t> backwards(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) backwards[i] = static_cast<std::int64_t>(shape.size() - 1 - i);
  return flat.reshape(shape).permute(backwards).contiguous();
}

at::Tensor read_npy(const std::string& path) { return parse_npy(read_bytes(path), path); }

}  // namespace ogee::data
