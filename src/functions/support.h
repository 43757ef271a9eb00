// What the definitions (*.inc) need besides a number type: lists of functions, and names put together at compile time.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "ogee/spec.h"

namespace ogee {

// Which kernels of a definition are within the contract (values 2 ULP, derivatives 4) in plain float32 arithmetic:
// the value, the derivatives by inputs, those by parameters, too, or only those by inputs and learned parameters. The
// others are computed in double precision, as is all of a definition that says nothing. `ogee accuracy` is the judge.
struct Single {
  bool value = false, slope = false, all = false, learned = false;
  constexpr bool operator==(const Single&) const = default;
};
inline constexpr Single single_throughout{true, true, true};

// The functions of one .inc file, in the order of the registry.
template <class... F>
struct Family {
  static constexpr std::size_t size = sizeof...(F);
};

template <class... Families>
struct Join;
template <class... A>
struct Join<Family<A...>> {
  using type = Family<A...>;
};
template <class... A, class... B, class... Rest>
struct Join<Family<A...>, Family<B...>, Rest...> {
  using type = typename Join<Family<A..., B...>, Rest...>::type;
};
template <class... Families>
using Joined = typename Join<Families...>::type;

// Text concatenated at compile time, for the names of families of functions over a base.
struct Text {
  std::array<char, 96> characters{};
  std::size_t size = 0;
  constexpr std::string_view view() const { return {characters.data(), size}; }
};
constexpr Text joined(std::string_view a, std::string_view b) {
  Text text;
  for (char c : a) text.characters[text.size++] = c;
  for (char c : b) text.characters[text.size++] = c;
  return text;
}

}  // namespace ogee
