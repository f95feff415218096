package doctor

import (
	"github.com/pushlane/pushlane/host/internal/config"
)

// checkFiles is CheckFiles for doctor.
func checkFiles(policy config.Policy) []Check {
	var checks []Check
	for _, err := range policy.CheckFiles() {
		checks = append(checks, bad("files", err, ""))
	}
	if len(checks) == 0 {
		return []Check{good("files", "no file that the policy names can be changed by others")}
	}
	return checks
}

// Unusable is what doctor says of a policy or a state folder that no host
// can be opened with.
func Unusable(err error) Check { return bad("policy", err, "check the policy") }
