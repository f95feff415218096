package incus

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pushlane/pushlane/host/internal/alive"
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
	p := alive.Self()
	return strings.Join([]string{p.Boot, strings.Trim(strings.TrimPrefix(p.Space, "pid:"), "[]"), strconv.Itoa(p.PID),
		p.Start}, "/")
}

// processOf reads what processLabel wrote.
func processOf(label string) (alive.Process, bool) {
	parts := strings.Split(label, "/")
	if len(parts) != 4 || parts[0] == "" {
		return alive.Process{}, false
	}
	pid, err := strconv.Atoi(parts[2])
	return alive.Process{PID: pid, Start: parts[3], Boot: parts[0], Space: "pid:[" + parts[1] + "]"}, err == nil
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

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
