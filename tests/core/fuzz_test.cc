// Whatever is typed as an activation is read or refused with an Error; nothing else happens (run under the sanitizers,
// too: presets asan and tsan).
#include <gtest/gtest.h>

#include <random>

#include "ogee/ogee.h"

namespace ogee::test {
namespace {

TEST(Fuzz, ActivationTexts) {
  std::mt19937 random(7);
  const auto pick = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  const std::string alphabet = "abcdefgs_()=,.-+/ 0123456789eEinf\t\"'\\\x01\xff";
  const std::string seeds[] = {"leaky_relu(slope=0.2)",
                               "nah(base=tanh, c=0.3)",
                               "rrelu(law=inverse,lower=3)",
                               "gelu",
                               "xielu(p=1e-3,n=-1e300,beta=.5,eps=-0)",
                               "hard_sigmoid(slope=1/6)"};
  std::size_t read = 0, refused = 0;
  for (int trial = 0; trial < 40000; ++trial) {
    std::string text = seeds[pick(std::size(seeds))];
    for (std::size_t edits = pick(4); edits > 0; --edits) {
      const std::size_t at = pick(text.size() + 1);
      switch (pick(4)) {
        case 0: text.insert(at, 1, alphabet[pick(alphabet.size())]); break;
        case 1: text.erase(at, pick(3)); break;
        case 2: text.insert(at, seeds[pick(std::size(seeds))].substr(0, pick(12))); break;
        default:
          if (at < text.size()) text[at] = alphabet[pick(alphabet.size())];
      }
    }
    try {
      const Activation a(text);
      const Activation again(a.text());
      ASSERT_EQ(again.text(), a.text()) << text;
      ++read;
    } catch (const Error& e) {
      ASSERT_NE(std::string(e.what()), "") << text;
      ++refused;
    }
  }
  EXPECT_GT(read, 5000u);
  EXPECT_GT(refused, 5000u);
}

}  // namespace
}  // namespace ogee::test
