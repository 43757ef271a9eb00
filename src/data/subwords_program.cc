// The program that data/subwords.cc asks: SentencePiece in a process of its own, as its library brings its own form of
// protobuf, and LibTorch, in Debian, another one, under the same names.
//
//   ogee_subwords learn PIECES   < sentences, a line each             > the model
//   ogee_subwords encode         < the model's size, a line; the model; sentences, a line each
//                                > the number of pieces, a line; the pieces, a line each; numbers of pieces, a line
//                                each
//
// Exit status 1 with what is wrong on stderr, in a line.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

class Sentences : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(const std::vector<std::string>& all) : all_(all) {}
  bool done() const override { return at_ == all_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return all_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& all_;
  std::size_t at_ = 0;
};

std::vector<std::string> lines() {
  std::vector<std::string> all;
  for (std::string line; std::getline(std::cin, line);) all.push_back(line);
  return all;
}

int failed(const sentencepiece::util::Status& status) {
  std::string text = status.message();
  std::cerr << text.substr(0, text.find('\n')) << '\n';
  return 1;
}

int learn(const std::string& pieces) {
  const std::unordered_map<std::string, std::string> how{{"model_type", "bpe"},
                                                         {"vocab_size", pieces},
                                                         {"hard_vocab_limit", "false"},
                                                         {"character_coverage", "1.0"},
                                                         {"pad_id", "0"},
                                                         {"unk_id", "1"},
                                                         {"bos_id", "2"},
                                                         {"eos_id", "3"},
                                                         {"num_threads", "1"},
                                                         {"minloglevel", "2"}};
  const std::vector<std::string> all = lines();
  Sentences iterator(all);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(how, &iterator, &model);
  if (!status.ok()) return failed(status);
  std::cout.write(model.data(), static_cast<std::streamsize>(model.size()));
  return std::cout.flush() ? 0 : 1;
}

int encode() {
  std::string size;
  std::getline(std::cin, size);
  std::string model(std::stoul(size), '\0');
  std::cin.read(model.data(), static_cast<std::streamsize>(model.size()));
  sentencepiece::SentencePieceProcessor processor;
  if (const auto status = processor.LoadFromSerializedProto(model); !status.ok()) return failed(status);
  if (processor.pad_id() != 0 || processor.unk_id() != 1 || processor.bos_id() != 2 || processor.eos_id() != 3) {
    std::cerr << "padding, unknown, begin and end are " << processor.pad_id() << ", " << processor.unk_id() << ", "
              << processor.bos_id() << " and " << processor.eos_id() << ", expected 0, 1, 2 and 3\n";
    return 1;
  }
  std::cout << processor.GetPieceSize() << '\n';
  for (int i = 0; i < processor.GetPieceSize(); ++i) std::cout << processor.IdToPiece(i) << '\n';
  for (const std::string& line : lines()) {
    std::vector<int> numbers;
    if (const auto status = processor.Encode(line, &numbers); !status.ok()) return failed(status);
    for (const int number : numbers) std::cout << number << ' ';
    std::cout << '\n';
  }
  return std::cout.flush() ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  std::ios::sync_with_stdio(false);
  const std::string verb = count > 1 ? arguments[1] : "";
  if (verb == "learn" && count == 3) return learn(arguments[2]);
  if (verb == "encode" && count == 2) return encode();
  std::cerr << "expected: learn PIECES, or encode\n";
  return 2;
}
