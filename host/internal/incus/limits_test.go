package incus

import (
	"strings"
	"testing"
)

func TestProjectLimits(t *testing.T) {
	const all = "limits.containers=48 limits.memory=92GiB limits.processes=98304 limits.disk=1984GiB"
	for name, test := range map[string]struct {
		cores, memory uint64
		driver        string
		config        map[string]string
		want          string
	}{
		"none": {2, 23<<30 + 5, "btrfs", nil, all},
		"all": {2, 23 << 30, "btrfs", map[string]string{"limits.containers": "1", "limits.memory": "1GiB",
			"limits.processes": "1", "limits.disk": "1GiB"}, ""},
		"instances": {2, 23 << 30, "btrfs", map[string]string{"limits.instances": "9", "limits.memory": "1GiB",
			"limits.processes": "1"}, "limits.disk=1984GiB"},
		"no disk in a dir": {2, 23 << 30, "dir", map[string]string{"limits.containers": "1", "limits.memory": "1GiB"},
			"limits.processes=98304"},
		"a small machine": {1, 1 << 30, "zfs", map[string]string{"limits.containers": "1", "limits.processes": "1",
			"limits.disk": "1GiB"}, "limits.memory=64GiB"},
	} {
		if got := strings.Join(missingLimits(projectLimits(test.cores, test.memory, test.driver), test.config),
			" "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
