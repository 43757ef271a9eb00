#include "lab/board.h"

#include <fmt/format.h>

#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <vector>

#include "ogee/ogee.h"

namespace ogee::lab {
namespace {

std::string named(const std::string& key) { return "ogee/" + key; }

}  // namespace

struct Board::State {
  c10::intrusive_ptr<c10d::TCPStore> store;
};

Board::Board(const Rank& rank, bool serving) : state_(std::make_unique<State>()) {
  c10d::TCPStoreOptions options;
  options.port = rank.port;
  options.isServer = serving;
  options.waitWorkers = false;
  options.timeout = std::chrono::seconds(60);
  try {
    state_->store = c10::make_intrusive<c10d::TCPStore>(rank.address, options);
  } catch (const std::exception& error) {
    const std::string what = error.what();
    throw Error(fmt::format("{}:{}: {} ({})", rank.address, rank.port,
                            serving ? "cannot be served to the other ranks" : "rank 0 cannot be reached",
                            what.substr(0, what.find('\n'))));
  }
}
Board::~Board() = default;

void Board::set(const std::string& key, const std::string& value) {
  state_->store->set(named(key), std::vector<std::uint8_t>(value.begin(), value.end()));
}
bool Board::has(const std::string& key) { return state_->store->check({named(key)}); }
std::optional<std::string> Board::get(const std::string& key) {
  if (!has(key)) return std::nullopt;
  const std::vector<std::uint8_t> value = state_->store->get(named(key));
  return std::string(value.begin(), value.end());
}
void Board::put(const std::string& key, const nlohmann::ordered_json& value) {
  state_->store->set(named(key), nlohmann::ordered_json::to_cbor(value));
}
std::optional<nlohmann::ordered_json> Board::take(const std::string& key) {
  if (!has(key)) return std::nullopt;
  return nlohmann::ordered_json::from_cbor(state_->store->get(named(key)));
}
void Board::erase(const std::string& key) { state_->store->deleteKey(named(key)); }

}  // namespace ogee::lab
