#include "data/subwords.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "ogee/ogee.h"

extern char** environ;  // NOLINT: POSIX has it in no header

namespace ogee::data {
namespace {

namespace files = std::filesystem;

constexpr std::string_view space = "\u2581";  // SentencePiece's

// Beside this library; or, installed, in a folder beside it.
std::string program() {
  static const std::string found = [] {
    Dl_info here{};
    if (dladdr(reinterpret_cast<const void*>(&program), &here) == 0) return std::string();
    const files::path folder = files::absolute(here.dli_fname).parent_path();
    std::error_code ignored;
    for (const files::path& place : {folder / "ogee_subwords", folder / "ogee" / "ogee_subwords"})
      if (files::exists(place, ignored)) return place.string();
    return std::string();
  }();
  if (found.empty()) throw Error("subwords: the program ogee_subwords is not where Ogee's libraries are");
  return found;
}

// A file without a name, which goes away when it is closed.
class Scratch {
 public:
  Scratch() : file_(std::tmpfile()) {
    if (!file_) throw Error(fmt::format("subwords: no temporary file can be made: {}", std::strerror(errno)));
  }
  ~Scratch() { std::fclose(file_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  int number() const { return fileno(file_); }
  void write(const std::string& bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size() || std::fflush(file_) != 0)
      throw Error(fmt::format("subwords: a temporary file cannot be written: {}", std::strerror(errno)));
    std::rewind(file_);
  }
  std::string read() {
    std::rewind(file_);
    std::string all;
    char some[1 << 16];
    for (std::size_t count = 0; (count = std::fread(some, 1, sizeof some, file_)) > 0;) all.append(some, count);
    return all;
  }

 private:
  std::FILE* file_;
};

// What the program (subwords_program.cc) says to `input`. `name` is for messages.
std::string ask(const std::vector<std::string>& arguments, const std::string& input, const std::string& name) {
  Scratch in, out, errors;
  in.write(input);
  std::vector<std::string> texts{program()};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.number(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.number(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors.number(), STDERR_FILENO);
  pid_t child = 0;
  const int failure = posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) throw Error(fmt::format("subwords: {} cannot be started: {}", texts[0], std::strerror(failure)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::string why = errors.read();
    why = why.substr(0, why.find('\n'));
    throw Error(fmt::format("{}: subwords: {}", name, why.empty() ? "SentencePiece gave up" : why));
  }
  return out.read();
}

std::string with_spaces(const std::string& piece) {
  std::string text;
  for (std::size_t at = 0; at < piece.size();) {
    const bool here = std::string_view(piece).substr(at).starts_with(space);
    text += here ? ' ' : piece[at];
    at += here ? space.size() : 1;
  }
  return text;
}

std::string as_lines(const std::vector<std::string>& sentences) {
  std::string all;
  for (const std::string& sentence : sentences) {
    if (sentence.find('\n') != std::string::npos) throw Error("subwords: a sentence is one line");
    all += sentence;
    all += '\n';
  }
  return all;
}

}  // namespace

std::shared_ptr<const Subwords> Subwords::learned(const std::vector<std::string>& sentences, std::int64_t pieces,
                                                  const std::string& name) {
  return std::make_shared<const Subwords>(ask({"learn", std::to_string(pieces)}, as_lines(sentences), name), name);
}

Subwords::Subwords(std::string model, const std::string& name) : model_(std::move(model)), name_(name) {
  std::istringstream said(ask({"encode"}, fmt::format("{}\n{}", model_.size(), model_), name_));
  std::string line;
  std::getline(said, line);
  pieces_.resize(std::stoul(line));
  for (std::string& piece : pieces_) std::getline(said, piece);
}

std::vector<std::vector<std::int64_t>> Subwords::encode(const std::vector<std::string>& sentences) const {
  std::istringstream said(ask({"encode"}, fmt::format("{}\n{}{}", model_.size(), model_, as_lines(sentences)), name_));
  std::string line;
  for (std::size_t i = 0; i < pieces_.size() + 1; ++i) std::getline(said, line);
  std::vector<std::vector<std::int64_t>> all;
  while (all.size() < sentences.size() && std::getline(said, line)) {
    std::istringstream numbers(line);
    all.emplace_back();
    for (std::int64_t number = 0; numbers >> number;) all.back().push_back(number);
  }
  if (all.size() != sentences.size()) throw Error(fmt::format("{}: subwords: SentencePiece gave up", name_));
  return all;
}

std::string Subwords::decode(const std::int64_t* numbers, std::int64_t count) const {
  std::string text;
  for (std::int64_t i = 0; i < count && numbers[i] != end; ++i) {
    if (numbers[i] == padding || numbers[i] == begin) continue;
    text += numbers[i] == unknown ? " \u2047 " : with_spaces(pieces_.at(static_cast<std::size_t>(numbers[i])));
  }
  return text.starts_with(' ') ? text.substr(1) : text;
}

}  // namespace ogee::data
