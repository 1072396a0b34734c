#include "tests/support/power_history.h"

#include <algorithm>
#include <cstdint>
#include <set>
#include <sstream>

#include "base/hash.h"

namespace spool::testing {

uint64_t PowerHistory::HashOf(const nlohmann::json& data) { return FastHash64(data.dump()); }

FoundEvent PowerHistory::FoundOf(uint64_t number, const PowerBatch& batch, uint64_t data_hash) {
  FoundEvent event;
  if (number >= batch.first && number - batch.first < batch.second) event.number = number;
  event.stream = PowerStreamOf(number);
  event.hash = data_hash;
  return event;
}

void PowerHistory::Send(const PowerBatch& batch, uint64_t begun) {
  SentRequest request;
  request.begun = begun;
  for (uint64_t n = batch.first; n < batch.first + batch.second; ++n) {
    request.events.push_back({n, PowerStreamOf(n), HashOf(PowerDataOf(n, batch))});
    hashes_[n] = request.events.back().hash;
  }
  requests_[batch.first] = history_.requests.size();
  history_.requests.push_back(std::move(request));
}

void PowerHistory::Hear(const std::string& line) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  ++tick_;
  if (word == "d") {
    for (std::string pair; in >> pair;) {
      Delivery delivery;
      char colon = 0;
      std::istringstream(pair) >> delivery.number >> colon >> delivery.sequence;
      delivery.hash = hashes_[delivery.number];
      history_.deliveries["hook"].push_back(delivery);
      ++delivered_;
    }
    return;
  }
  PowerBatch batch;
  in >> batch.first >> batch.second;
  if (word == "b" && in) {
    Send(batch, tick_);
    open_[batch.first] = batch.second;
    sent_ += batch.second;
    return;
  }
  const auto at = requests_.find(batch.first);
  if (!in || at == requests_.end() || (word != "a" && word != "r")) {
    if (unreadable_.empty()) unreadable_ = line;
    return;
  }
  open_.erase(batch.first);
  SentRequest& request = history_.requests[at->second];
  request.ended = tick_;
  if (word == "r") {
    request.outcome = SentRequest::Outcome::kRefused;
    ++refused_;
    return;
  }
  request.outcome = SentRequest::Outcome::kAcknowledged;
  in >> request.stored >> request.duplicates >> request.first >> request.last;
  history_.synced = std::max(history_.synced, request.begun);
  acknowledged_ += batch.second;
}

void PowerHistory::HearFile(uint64_t number, uint64_t sequence) {
  history_.deliveries["file"].push_back({number, sequence, hashes_[number]});
  ++delivered_;
}

void PowerHistory::BeginLife() {
  in_doubt_ += open_.size();
  doubt_.swap(open_);
  open_.clear();
  began_.push_back(++tick_);
  history_.restarts.push_back(tick_);
}

std::vector<PowerBatch> PowerHistory::TakeInDoubt() {
  constexpr size_t kMost = 6;
  std::vector<PowerBatch> again;
  for (const auto& [first, count] : doubt_) {
    if (again.size() == kMost) break;
    again.emplace_back(first, count);
    for (uint64_t n = first; n < first + count; ++n) history_.gone.erase(n);
  }
  doubt_.clear();
  return again;
}

void PowerHistory::Complete(uint64_t number, const PowerBatch& batch) {
  const uint64_t life = number / kNumbersALife;
  if (requests_.contains(batch.first) || life + 1 >= began_.size() || batch.second > 1000) return;
  Send(batch, began_[life + 1]);
}

std::vector<Violation> PowerHistory::JudgeAndSettle(const Found& found) {
  std::vector<Violation> violations = Judge(history_, found, SIZE_MAX);
  if (violations.empty()) {
    Settle(found);
    Forget(found);
  }
  return violations;
}

// What was found once is visible, hence durable: it must be found ever after.
void PowerHistory::Settle(const Found& found) {
  history_.places.clear();
  for (const FoundEvent& event : found.events) history_.places[event.number] = event.sequence;
  for (SentRequest& request : history_.requests) {
    if (request.outcome == SentRequest::Outcome::kAcknowledged) continue;
    const bool there = history_.places.contains(request.events.front().number);
    if (there) {
      request.outcome = SentRequest::Outcome::kAcknowledged;
      request.ended = tick_;
      request.duplicates = static_cast<uint32_t>(request.events.size());
    } else {
      for (const SentEvent& event : request.events) history_.gone.insert(event.number);
    }
  }
  for (const auto& [name, stream] : found.streams) history_.evicted[name] = stream.evicted;
}

void PowerHistory::Forget(const Found& found) {
  const uint64_t before = life() < 2 ? 0 : began_[life() - 1];
  std::erase_if(history_.requests, [&](const SentRequest& request) {
    return request.begun < before &&
           std::none_of(request.events.begin(), request.events.end(), [&](const SentEvent& event) {
             return history_.places.contains(event.number);
           });
  });
  requests_.clear();
  for (size_t i = 0; i < history_.requests.size(); ++i) {
    requests_[history_.requests[i].events.front().number] = i;
  }
  for (auto& [target, deliveries] : history_.deliveries) {
    std::set<uint64_t> forgotten;
    std::erase_if(deliveries, [&](const Delivery& delivery) {
      const auto stream = found.streams.find(PowerStreamOf(delivery.number));
      const bool gone = stream != found.streams.end() && delivery.sequence < stream->second.first;
      if (gone) forgotten.insert(delivery.number);
      return gone;
    });
    history_.forgotten[target] += forgotten.size();
  }
}

}  // namespace spool::testing
