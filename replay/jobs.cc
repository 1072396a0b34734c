#include "replay/jobs.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "replay/job.h"
#include "replay/job_record.h"
#include "replay/selection.h"
#include "spool/records.h"

namespace spool {
namespace {

constexpr Millis kStopGrace{5000};

std::string NewId() {
  constexpr std::string_view kDigits = "0123456789abcdefghijklmnopqrstuvwxyz";
  uint64_t random = RandomUint64();
  std::string id = "r-";
  for (int i = 0; i < 6; ++i) {
    id += kDigits[random % kDigits.size()];
    random /= kDigits.size();
  }
  return id;
}

bool NewerFirst(const ReplayStatus& a, const ReplayStatus& b) {
  return a.created != b.created ? a.created > b.created : a.id > b.id;
}

void AddTo(std::map<std::string, ReplayTotals>& totals, const ReplayStatus& job) {
  ReplayTotals& sum = totals[job.request.target];
  sum.target = job.request.target;
  sum.delivered += job.delivered;
  sum.rejected += job.rejected;
  sum.evicted += job.evicted;
}

class ReplayJobsImpl final : public ReplayJobs {
 public:
  ReplayJobsImpl(Journal& journal, FindTarget find_target, const Clock& clock,
                 ReplayOptions options)
      : journal_(journal), find_target_(std::move(find_target)), clock_(clock), options_(options) {}
  ~ReplayJobsImpl() override { Stop(RealClock().Steady() + kStopGrace); }

  Status Load();

  void Stop(SteadyTime deadline) override;
  Result<ReplayPlan> Plan(const ReplayRequest& request) override;
  Result<ReplayStatus> Start(const ReplayRequest& request) override;
  std::vector<ReplayTotals> Totals() const override;
  std::vector<ReplayStatus> List() const override;
  Result<ReplayStatus> Get(std::string_view id) const override;
  Status Pause(std::string_view id) override;
  Status Resume(std::string_view id) override;
  Status Cancel(std::string_view id) override;
  void Renew(std::string_view target) override;

 private:
  using JobPtr = std::shared_ptr<ReplayJob>;

  // A place among the running jobs, held until the job itself counts.
  class Place {
   public:
    explicit Place(ReplayJobsImpl& jobs) : jobs_(jobs) {}
    ~Place() {
      const std::lock_guard lock(jobs_.mutex_);
      --jobs_.starting_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    ReplayJobsImpl& jobs_;
  };
  Result<std::unique_ptr<Place>> TakePlace(bool for_new_job);

  Result<JobPtr> Find(std::string_view id) const;
  std::vector<JobPtr> All() const;
  Result<JobPtr> Create(ReplayStatus status);
  void Forget();
  // Renew passes by a job that is only just made or resumed. Called once it is among the others,
  // with the count as it was before its target was looked up.
  void RenewSince(uint64_t renewals, ReplayJob& job) {
    if (renewals_ != renewals) job.Renew(find_target_(job.target()));
  }

  Journal& journal_;
  const FindTarget find_target_;
  const Clock& clock_;
  const ReplayOptions options_;
  std::atomic<uint64_t> renewals_{0};

  mutable std::mutex mutex_;  // guards what follows; held across no call into another room
  std::map<std::string, JobPtr, std::less<>> jobs_;
  std::set<std::string> foreign_;               // ids whose record cannot be read: left alone
  std::map<std::string, ReplayTotals> before_;  // what jobs had done when this was opened
  std::map<std::string, ReplayTotals> gone_;    // what those had done that were forgotten since
  int starting_ = 0;
  bool stopped_ = false;

  std::mutex forgetting_;  // one at a time
  std::stop_source stop_scans_;
};

Status ReplayJobsImpl::Load() {
  const auto records = journal_.records().List(kReplayPrefix);
  if (!records) return Fail("cannot read the replay jobs", records.error());
  for (const auto& [key, value] : *records) {
    const std::string id = key.substr(kReplayPrefix.size());
    auto status = DecodeReplay(value);
    if (!status || status->id != id) {
      foreign_.insert(id);
      log::Error("The record of a replay job cannot be read; it is left as it is and not run.",
                 {{"replay", id}});
      continue;
    }
    jobs_.emplace(id, std::make_shared<ReplayJob>(journal_, clock_, std::move(*status)));
  }
  // Left by a crash between the two steps of forgetting a job.
  for (const CursorStatus& cursor : journal_.Cursors()) {
    if (!cursor.name.starts_with(kReplayPrefix) || cursor.open) continue;
    const std::string id = cursor.name.substr(kReplayPrefix.size());
    if (jobs_.contains(id) || foreign_.contains(id)) continue;
    if (Status removed = journal_.RemoveCursor(cursor.name); !removed) return removed;
  }
  const std::vector<CursorStatus> cursors = journal_.Cursors();
  for (const auto& [id, job] : jobs_) AddTo(before_, job->Snapshot(cursors));
  for (const auto& [id, job] : jobs_) {
    const bool runs = job->state() == ReplayState::kRunning;
    job->Open(runs ? find_target_(job->target()) : std::nullopt);
  }
  Forget();
  return {};
}

void ReplayJobsImpl::Stop(SteadyTime deadline) {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stop_scans_.request_stop();
  const std::vector<JobPtr> jobs = All();
  for (const JobPtr& job : jobs) job->BeginStop();
  for (const JobPtr& job : jobs) job->EndStop(deadline);
}

std::vector<ReplayJobsImpl::JobPtr> ReplayJobsImpl::All() const {
  const std::lock_guard lock(mutex_);
  std::vector<JobPtr> jobs;
  for (const auto& [id, job] : jobs_) jobs.push_back(job);
  return jobs;
}

Result<ReplayJobsImpl::JobPtr> ReplayJobsImpl::Find(std::string_view id) const {
  const std::lock_guard lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) {
    return Fail(Code::kNotFound, "there is no replay \"" + std::string(id) + "\"");
  }
  return found->second;
}

Result<std::unique_ptr<ReplayJobsImpl::Place>> ReplayJobsImpl::TakePlace(bool for_new_job) {
  const std::lock_guard lock(mutex_);
  if (stopped_) return Fail(Code::kUnavailable, "the replays are being stopped");
  int running = starting_;
  int unended = starting_;
  for (const auto& [id, job] : jobs_) {
    const ReplayState state = job->state();
    if (state == ReplayState::kRunning) ++running;
    if (state == ReplayState::kRunning || state == ReplayState::kPaused) ++unended;
  }
  if (running >= options_.running_max) {
    return Fail(Code::kBusy,
                std::to_string(running) + " replays are running, which is the most at one time");
  }
  if (for_new_job && unended >= std::max(options_.kept_max, options_.running_max)) {
    return Fail(Code::kBusy, "too many replays are paused; cancel or resume some");
  }
  ++starting_;
  return std::make_unique<Place>(*this);
}

Result<ReplayPlan> ReplayJobsImpl::Plan(const ReplayRequest& request) {
  const auto found = find_target_(request.target);
  if (!found) {
    return Fail(Code::kNotFound, "there is no target \"" + request.target + "\"");
  }
  if (!(request.events_per_second >= 0)) {
    return Fail(Code::kInvalid, "the rate of a replay must not be negative");
  }
  const auto match = CompileMatch(request);
  if (!match) return tl::unexpected(match.error());
  const auto range = ResolveRange(journal_, request);
  if (!range) return tl::unexpected(range.error());
  return CountSelected(journal_, found->router, *match, *range, stop_scans_.get_token());
}

Result<ReplayStatus> ReplayJobsImpl::Start(const ReplayRequest& request) {
  // First the cheap refusal: counting reads the whole range.
  const auto place = TakePlace(true);
  if (!place) return tl::unexpected(place.error());
  const auto plan = Plan(request);
  if (!plan) return tl::unexpected(plan.error());
  ReplayStatus status;
  status.request = request;
  status.range = plan->range;
  status.total = plan->total;
  status.created = clock_.Now();
  if (plan->total == 0) {
    status.state = ReplayState::kDone;
    status.finished = status.created;
  }
  auto job = Create(std::move(status));
  if (!job) return tl::unexpected(job.error());
  Forget();
  log::Info("A replay begins.", {{"replay", (*job)->id()},
                                 {"target", request.target},
                                 {"first", plan->range.first.value},
                                 {"end", plan->range.end.value},
                                 {"events", plan->total}});
  // Not as it was before the count, which may have taken long.
  const uint64_t renewals = renewals_;
  (*job)->Open(find_target_(request.target));
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) jobs_.emplace((*job)->id(), *job);
  }
  RenewSince(renewals, **job);
  return (*job)->Snapshot(journal_.Cursors());
}

// Makes the job's record under an id that nobody has.
Result<ReplayJobsImpl::JobPtr> ReplayJobsImpl::Create(ReplayStatus status) {
  while (true) {
    status.id = NewId();
    const std::string key = std::string(kReplayPrefix) + status.id;
    const auto there = journal_.records().Get(key);
    if (!there) return tl::unexpected(there.error());
    if (there->has_value()) continue;
    const auto record = EncodeReplay(status);
    if (!record) return tl::unexpected(record.error());
    if (Status put = journal_.records().Put(key, *record); !put) {
      return Fail("cannot record the replay", put.error());
    }
    return std::make_shared<ReplayJob>(journal_, clock_, std::move(status));
  }
}

// Drops the oldest ended jobs beyond kept_max.
void ReplayJobsImpl::Forget() {
  const std::lock_guard one(forgetting_);
  std::vector<ReplayStatus> ended;
  for (const JobPtr& job : All()) {
    ReplayStatus status = job->Snapshot({});
    if (status.finished) ended.push_back(std::move(status));
  }
  const size_t kept = static_cast<size_t>(std::max(options_.kept_max, 0));
  if (ended.size() <= kept) return;
  std::sort(ended.begin(), ended.end(), NewerFirst);
  for (size_t i = kept; i < ended.size(); ++i) {
    const std::string key = std::string(kReplayPrefix) + ended[i].id;
    if (Status removed = journal_.records().Remove(key); !removed) {
      log::Warn("An old replay job could not be forgotten.",
                {{"replay", ended[i].id}, {"error", removed.error().message}});
      return;
    }
    JobPtr last;  // let go of outside of the lock
    const std::lock_guard lock(mutex_);
    const auto found = jobs_.find(ended[i].id);
    last = std::move(found->second);
    jobs_.erase(found);
    AddTo(gone_, ended[i]);
  }
}

std::vector<ReplayStatus> ReplayJobsImpl::List() const {
  const std::vector<CursorStatus> cursors = journal_.Cursors();
  std::vector<ReplayStatus> list;
  for (const JobPtr& job : All()) list.push_back(job->Snapshot(cursors));
  std::sort(list.begin(), list.end(), NewerFirst);
  return list;
}

std::vector<ReplayTotals> ReplayJobsImpl::Totals() const {
  const std::vector<CursorStatus> cursors = journal_.Cursors();
  std::map<std::string, ReplayTotals> sums;
  std::map<std::string, ReplayTotals> before;
  std::vector<JobPtr> jobs;
  {
    // Together, or a job that is just being forgotten would count twice or not at all.
    const std::lock_guard lock(mutex_);
    sums = gone_;
    before = before_;
    for (const auto& [id, job] : jobs_) jobs.push_back(job);
  }
  for (const JobPtr& job : jobs) AddTo(sums, job->Snapshot(cursors));
  std::vector<ReplayTotals> out;
  for (auto& [target, sum] : sums) {
    const ReplayTotals& old = before[target];
    out.push_back({target, sum.delivered - std::min(sum.delivered, old.delivered),
                   sum.rejected - std::min(sum.rejected, old.rejected),
                   sum.evicted - std::min(sum.evicted, old.evicted)});
  }
  return out;
}

Result<ReplayStatus> ReplayJobsImpl::Get(std::string_view id) const {
  const auto job = Find(id);
  if (!job) return tl::unexpected(job.error());
  return (*job)->Snapshot(journal_.Cursors());
}

Status ReplayJobsImpl::Pause(std::string_view id) {
  const auto job = Find(id);
  if (!job) return tl::unexpected(job.error());
  return (*job)->Pause();
}

Status ReplayJobsImpl::Resume(std::string_view id) {
  const auto job = Find(id);
  if (!job) return tl::unexpected(job.error());
  if ((*job)->state() != ReplayState::kPaused) return (*job)->Resume(std::nullopt);
  const auto place = TakePlace(false);
  if (!place) return tl::unexpected(place.error());
  const uint64_t renewals = renewals_;
  if (Status resumed = (*job)->Resume(find_target_((*job)->target())); !resumed) return resumed;
  RenewSince(renewals, **job);
  return {};
}

Status ReplayJobsImpl::Cancel(std::string_view id) {
  const auto job = Find(id);
  if (!job) return tl::unexpected(job.error());
  return (*job)->Cancel();
}

void ReplayJobsImpl::Renew(std::string_view target) {
  ++renewals_;
  for (const JobPtr& job : All()) {
    if (job->target() == target) job->Renew(find_target_(target));
  }
}

}  // namespace

Result<std::unique_ptr<ReplayJobs>> ReplayJobs::Open(Journal& journal, FindTarget find_target,
                                                     const Clock& clock, ReplayOptions options) {
  auto jobs = std::make_unique<ReplayJobsImpl>(journal, std::move(find_target), clock, options);
  if (Status loaded = jobs->Load(); !loaded) return tl::unexpected(loaded.error());
  return jobs;
}

}  // namespace spool
