// What the tests of refusals share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "ogee/ogee.h"

namespace ogee {

// The action throws Error with one line that holds the words.
template <class Action>
void refused(const Action& action, const std::string& words) {
  try {
    action();
    ADD_FAILURE() << "expected: " << words;
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find(words), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
}

}  // namespace ogee
