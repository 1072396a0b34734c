// Kafka as the suite over every sink meets it.
#pragma once

#include <memory>

#include "tests/support/contract_targets.h"

namespace spool::testing {

// A topic of its own on the broker that the whole program shares, through SASL_SSL.
std::unique_ptr<ContractTarget> MakeKafkaTarget();

}  // namespace spool::testing
