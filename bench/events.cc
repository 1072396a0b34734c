#include "bench/events.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace spool::bench {
namespace {

struct Trouble {
  const char* reason;
  const char* message;
  const char* type;
};
constexpr std::array<Trouble, 6> kTroubles{{
    {"Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "Warning"},
    {"BackOff", "Back-off restarting failed container in pod", "Warning"},
    {"FailedMount", "MountVolume.SetUp failed for volume: secret not found", "Warning"},
    {"Pulled", "Container image already present on machine", "Normal"},
    {"Created", "Created container", "Normal"},
    {"Killing", "Stopping container", "Normal"},
}};
constexpr std::array<const char*, 5> kNamespaces{"payments", "checkout", "search", "kube-system",
                                                 "monitoring"};
constexpr std::array<const char*, 6> kApps{"api", "web", "worker", "indexer", "gateway", "cache"};

}  // namespace

std::string EventMaker::Hex(size_t digits) {
  std::string text;
  while (text.size() < digits) {
    char part[17];
    std::snprintf(part, sizeof(part), "%016llx", static_cast<unsigned long long>(random_()));
    text += part;
  }
  text.resize(digits);
  return text;
}

std::string EventMaker::Uid() {
  return Hex(8) + "-" + Hex(4) + "-4" + Hex(3) + "-a" + Hex(3) + "-" + Hex(12);
}

EventMaker::Pod EventMaker::NewPod() {
  Pod pod;
  pod.namespace_ = kNamespaces[Below(kNamespaces.size())];
  pod.name = std::string(kApps[Below(kApps.size())]) + "-" + Hex(9) + "-" + Hex(5);
  pod.uid = Uid();
  pod.host = "worker-" + std::to_string(10 + Below(90));
  pod.address = "10." + std::to_string(Below(256)) + "." + std::to_string(Below(256)) + "." +
                std::to_string(Below(256));
  pod.container = Hex(32);
  pod.events_left = 4 + Below(5);
  return pod;
}

K8sEvent EventMaker::Next() {
  constexpr size_t kPodsAtATime = 40;
  if (pods_.empty()) pods_.resize(kPodsAtATime);
  Pod& pod = pods_[Below(pods_.size())];
  if (pod.events_left == 0) pod = NewPod();
  --pod.events_left;
  if (Below(20) == 0) ++seconds_;
  const Trouble& trouble = kTroubles[Below(kTroubles.size())];
  K8sEvent event;
  event.uid = Uid();
  event.namespace_ = pod.namespace_;
  event.name = pod.name;
  event.reason = trouble.reason;
  char time[32];
  std::snprintf(time, sizeof(time), "2026-03-14T%02d:%02d:%02dZ",
                static_cast<int>(seconds_ / 3600 % 24), static_cast<int>(seconds_ / 60 % 60),
                static_cast<int>(seconds_ % 60));
  const std::string& host = pod.host;
  const std::string count = std::to_string(1 + Below(99));
  ++version_;
  const std::string head =
      R"({"kind":"Event","apiVersion":"v1","metadata":{"name":")" + event.name + ".18b2" + Hex(12) +
      R"(","namespace":")" + event.namespace_ + R"(","uid":")" + event.uid +
      R"(","resourceVersion":")" + std::to_string(version_) + R"(","creationTimestamp":")" + time +
      R"("},"involvedObject":{"kind":"Pod","namespace":")" + event.namespace_ + R"(","name":")" +
      event.name + R"(","uid":")" + pod.uid + R"(","apiVersion":"v1","resourceVersion":")" +
      std::to_string(version_ - Below(5000)) +
      R"(","fieldPath":"spec.containers{app}"},"reason":")" + event.reason + R"(","message":")" +
      trouble.message;
  const std::string tail =
      R"(","source":{"component":"kubelet","host":")" + host + R"("},"firstTimestamp":")" + time +
      R"(","lastTimestamp":")" + time + R"(","count":)" + count + R"(,"type":")" + trouble.type +
      R"(","eventTime":null,"reportingComponent":"kubelet","reportingInstance":")" + host + R"("})";
  // The message says which container, and is as long as is missing.
  std::string rest = " (container " + pod.address + " id " + pod.container;
  if (head.size() + tail.size() + rest.size() > kEventBytes) std::abort();
  constexpr std::string_view kProse =
      "; last state terminated, the kubelet will try again after its usual delay";
  for (size_t i = 0; head.size() + tail.size() + rest.size() < kEventBytes; ++i) {
    rest += kProse[i % kProse.size()];
  }
  event.json = head + rest + tail;
  return event;
}

}  // namespace spool::bench
