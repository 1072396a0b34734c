// Every kind of target that a sink delivers to, as a test meets it: real receivers on loopback
// that can be taken down, hung, and made to refuse.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "forward/sink.h"

namespace spool::testing {

// Events and what they look like rendered. Views stay valid while it lives; not movable.
class ContractBatch {
 public:
  // `count` events numbered from `first`, each body at least `size` bytes.
  explicit ContractBatch(size_t count, size_t size = 0, size_t first = 0);
  ContractBatch(const ContractBatch&) = delete;
  ContractBatch& operator=(const ContractBatch&) = delete;

  std::span<const Message> messages() const { return messages_; }
  const std::vector<std::string>& bodies() const { return bodies_; }
  const std::vector<EventView>& events() const { return events_; }
  std::vector<EventView>& events() { return events_; }
  size_t size() const { return bodies_.size(); }

 private:
  std::vector<std::string> bodies_;
  std::vector<EventView> events_;
  std::vector<Message> messages_;
};

// A receiver. What a kind cannot do stops the test (SPOOL_ASSERT): the suites list who can what.
class ContractTarget {
 public:
  virtual ~ContractTarget() = default;
  // Configured to deliver here. The target must outlive it.
  virtual std::unique_ptr<Sink> NewSink() = 0;
  // Bodies of the events that arrived, in their order, also those before a restart.
  virtual std::vector<std::string> Received() = 0;

  virtual void Down();  // nobody is there any more
  virtual void Up();
  virtual Verdict verdict_when_down() const { return Verdict::kRetry; }
  virtual void Hang();  // takes connections and bytes, never answers
  virtual void Unhang();
  virtual void RefuseCredentials();
  virtual void AcceptCredentials();
  virtual void LimitSize(size_t bytes);  // of one request
  virtual void Flaky();  // fails now and then from here on, before or after taking an event
  virtual void Steady();
};

// "null", "stdout", "file", "webhook", "webhook_parallel", "webhook_batch", "webhook_lines",
// "nats", "kafka".
std::unique_ptr<ContractTarget> MakeContractTarget(const std::string& kind);

// Makes attempts as a pump would until every event is settled, or `attempts` are over. Returns the
// bodies that the sink called delivered (or duplicate), in order.
std::vector<std::string> DeliverAll(Sink& sink, const ContractBatch& batch, int attempts = 200);

// A directory of its own, removed with all that is in it.
class ContractDir {
 public:
  ContractDir();
  ~ContractDir();
  ContractDir(const ContractDir&) = delete;
  ContractDir& operator=(const ContractDir&) = delete;
  const std::string& path() const { return path_; }
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& content) const;

 private:
  std::string path_;
};

}  // namespace spool::testing
