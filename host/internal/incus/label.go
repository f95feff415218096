package incus

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"time"
)

// Labels on every instance and volume that pushlane makes.
const (
	labelOwner    = "user.pushlane.owner"    // machine and user, or Config.Owner
	labelProcess  = "user.pushlane.process"  // of whom it is to die with; see processLabel
	labelRun      = "user.pushlane.run"      // run's id in the host's store
	labelLane     = "user.pushlane.lane"     // the lane run's address, repo@abc1234:lane
	labelAttempt  = "user.pushlane.attempt"  // from 1
	labelDeadline = "user.pushlane.deadline" // RFC 3339, UTC
	labelSpec     = "user.pushlane.spec"     // sha256 of what was asked of Incus, less the labels
	labelTree     = "user.pushlane.tree"     // of a source volume: the tree's id
	labelReady    = "user.pushlane.ready"    // of a source volume: "true" once it is whole
	labelBytes    = "user.pushlane.bytes"    // of a source volume: its size as tar
	labelUsed     = "user.pushlane.used"     // of a volume: when it was last taken, RFC 3339
	labelCache    = "user.pushlane.cache"    // of a cache volume: zone and name
)

// defaultOwner is this machine and this user: users of one Incus do not sweep
// each other's containers, whose processes they may be unable to see.
func defaultOwner() string {
	machine, err := os.ReadFile("/etc/machine-id")
	if err != nil || len(machine) < 32 {
		name, _ := os.Hostname()
		machine = []byte(name)
	}
	return digest("owner", strings.TrimSpace(string(machine)))[:12] + "-" + strconv.Itoa(os.Getuid())
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:])
}

// processLabel names this process so that no later one can be taken for it:
// boot id, namespace of process ids, process id, start time.
func processLabel() string {
	return strings.Join([]string{bootID(), pidNamespace(), strconv.Itoa(os.Getpid()), startTime("self")}, "/")
}

func bootID() string {
	data, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data))
}

func pidNamespace() string {
	link, _ := os.Readlink("/proc/self/ns/pid")
	return strings.Trim(strings.TrimPrefix(link, "pid:"), "[]")
}

// startTime is field 22 of /proc/<pid>/stat, counted after the name's last
// bracket because a name may hold anything; empty when there is no process.
func startTime(pid string) string {
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return ""
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}

// orphaned says why a label's process no longer cares, or nothing: a process
// in another namespace or on another machine is left to its deadline.
func orphaned(label string) string {
	parts := strings.Split(label, "/")
	if len(parts) != 4 || parts[0] == "" {
		return ""
	}
	switch {
	case parts[0] != bootID():
		return "" // another machine, or this one before a restart: the deadline decides
	case parts[1] != pidNamespace():
		return ""
	case startTime(parts[2]) == parts[3]:
		return ""
	}
	return "its process " + parts[2] + " is gone"
}

// overdue says by how much a deadline label has passed, or nothing. A label
// that cannot be read is not acted on.
func overdue(label string, now time.Time) string {
	deadline, err := time.Parse(time.RFC3339, label)
	if err != nil || now.Before(deadline) {
		return ""
	}
	return "its deadline passed " + now.Sub(deadline).Round(time.Second).String() + " ago"
}
