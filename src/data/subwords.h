// Texts as pieces of words, learned from a text by SentencePiece (Kudo, Richardson 2018, 1808.06226): byte-pair
// encoding (Sennrich, Haddow, Birch 2016, 1508.07909) of text with its white space, so that it can be put together
// again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ogee::data {

class Subwords {
 public:
  // Numbers of what is no piece of a text.
  static constexpr std::int64_t padding = 0, unknown = 1, begin = 2, end = 3;

  // At most `pieces` in all, these four among them; fewer where the sentences have no more. `name` is for messages.
  // Equal sentences, equal pieces. Throws Error.
  static std::shared_ptr<const Subwords> learned(const std::vector<std::string>& sentences, std::int64_t pieces,
                                                 const std::string& name);
  // From what `model` gave: a file that SentencePiece's own tools read, too. Throws Error.
  explicit Subwords(std::string model, const std::string& name);

  std::int64_t size() const { return static_cast<std::int64_t>(pieces_.size()); }
  // What SentencePiece calls the pieces: U+2581 stands for the space before a word.
  const std::vector<std::string>& names() const { return pieces_; }
  std::vector<std::vector<std::int64_t>> encode(const std::vector<std::string>& sentences) const;
  // Up to the first `end`; padding and begin are nothing.
  std::string decode(const std::int64_t* numbers, std::int64_t count) const;
  const std::string& model() const { return model_; }

 private:
  std::string model_, name_;
  std::vector<std::string> pieces_;
};

}  // namespace ogee::data
