package incus

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lxc/incus/v6/shared/api"
)

// Labels of every container, as Incus configuration keys.
const (
	labelOwner    = "user.pushlane.owner"    // the host's name
	labelHost     = "user.pushlane.host"     // the process: boot id, pid and start time
	labelRun      = "user.pushlane.run"      // run's id in the host's store
	labelLane     = "user.pushlane.lane"     // repo@abc1234:lane
	labelAttempt  = "user.pushlane.attempt"  // from 1
	labelDeadline = "user.pushlane.deadline" // RFC 3339, UTC
	labelSpec     = "user.pushlane.spec"     // sha256 of what was asked for
)

// Swept is a container that Sweep removed.
type Swept struct {
	Name, Lane, Why string
}

// Sweep removes this owner's containers whose deadline has passed or whose
// host process is gone.
func (c *Client) Sweep(ctx context.Context) ([]Swept, error) {
	all, err := c.server.GetInstances(api.InstanceTypeContainer)
	if err != nil {
		return nil, unreachable(c.config, err)
	}
	var swept []Swept
	for _, inst := range all {
		why := c.abandoned(inst)
		if why == "" {
			continue
		}
		if err := c.remove(ctx, inst.Name); err != nil {
			return swept, fmt.Errorf("cannot remove container %s: %w", inst.Name, err)
		}
		swept = append(swept, Swept{Name: inst.Name, Lane: inst.Config[labelLane], Why: why})
	}
	return swept, nil
}

// abandoned says why an instance may go, or "" when it must stay.
func (c *Client) abandoned(inst api.Instance) string {
	if inst.Config[labelOwner] != c.config.Owner {
		return ""
	}
	deadline, err := time.Parse(time.RFC3339, inst.Config[labelDeadline])
	if err == nil && time.Now().After(deadline) {
		return "its deadline has passed"
	}
	if host := inst.Config[labelHost]; host != "" && !alive(host) {
		return "its host process is gone"
	}
	return ""
}

// thisProcess names this process so that a later one with the same pid, or a
// later boot, is not taken for it.
func thisProcess() string { return describe(os.Getpid()) }

func describe(pid int) string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // the command's name may hold anything
	fields := strings.Fields(rest)
	if i := strings.LastIndex(string(stat), ") "); i >= 0 {
		fields = strings.Fields(string(stat)[i+2:])
	}
	if len(fields) < 20 {
		return ""
	}
	return fmt.Sprintf("%s %s %d %s", strings.TrimSpace(string(boot)), space, pid, fields[19])
}

// alive reports whether the process of a label still runs. One of another
// process id space cannot be seen from here and counts as alive; its deadline
// takes it.
func alive(label string) bool {
	parts := strings.Fields(label)
	self := strings.Fields(thisProcess())
	if len(parts) != 4 || len(self) != 4 {
		return true
	}
	if parts[0] != self[0] {
		return false
	}
	if parts[1] != self[1] {
		return true
	}
	pid, err := strconv.Atoi(parts[2])
	return err == nil && describe(pid) == label
}
