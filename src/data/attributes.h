// What stands in parentheses behind a name: "lstm(gates=all, head=mean)", "unique_integers(length=26)".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ogee::data {

// The attributes of "name(key=number, key=text, ...)", taken one by one. All throw Error, which begins with the option
// that the text was given for, "--data" say.
class Attributes {
 public:
  Attributes(std::string_view option, const std::string& text);
  const std::string& name() const { return name_; }
  // `usual` where it is not given; in either case from `low` to `high`, which other attributes may have set.
  std::int64_t take(const std::string& key, std::int64_t usual, std::int64_t low, std::int64_t high);
  // From `low` to `high` where it is given; else `otherwise`, whatever that is.
  std::int64_t take_given(const std::string& key, std::int64_t otherwise, std::int64_t low, std::int64_t high);
  // From 0 on, below `bound`, where it is given; else `usual`.
  double take_real(const std::string& key, double usual, double bound);
  // Whether the second of two words is given; where neither is, whether it is the usual one.
  bool take_second(const std::string& key, std::string_view first, std::string_view second, bool usual);
  // Must be there.
  std::string take_text(const std::string& key);
  // Else `usual`.
  std::string take_text(const std::string& key, const std::string& usual);
  [[noreturn]] void refuse(const std::string& key, const std::string& got, const std::string& expected) const;
  // Refuses what nobody took.
  void finish() const;

 private:
  const std::string* find(const std::string& key);

  std::string text_, name_;  // the text with its option, for messages
  std::map<std::string, std::string> given_;
  std::vector<std::string> known_;
};

}  // namespace ogee::data
