#pragma once

#include "analytics/applications.h"
#include "base/result.h"
#include "server/config.h"

namespace millstream::server {

// Sees to it that the SQL applications of the configuration exist as it has them, and run: creates,
// updates or starts what is not so. Waits for the catalog and, to update one that runs, for its start.
// An error names the place in the configuration.
base::Status StartConfiguredApplications(const Config& config,
                                         analytics::Applications& applications);

}  // namespace millstream::server
