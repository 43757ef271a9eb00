// Checksums, which stored results are told apart by.
#include "data/bytes.h"

#include <gtest/gtest.h>

namespace ogee::data::bytes_test {
namespace {

TEST(Checksum, IsTheOneOfZip) {
  EXPECT_EQ(checksum("123456789"), "cbf43926");
  EXPECT_EQ(checksum(""), "00000000");
}

TEST(Checksum, OfPartsIsThatOfTheWhole) {
  Checksum sum;
  sum.add("1234", 4);
  sum.add(nullptr, 0);
  sum.add("56789", 5);
  EXPECT_EQ(sum.text(), checksum("123456789"));
}

}  // namespace
}  // namespace ogee::data::bytes_test
