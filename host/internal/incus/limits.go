package incus

import (
	"context"
	"fmt"
	"strings"

	"github.com/lxc/incus/v6/shared/api"
)

// projectLimits are what everything in a project may ask for together. It is
// the sum of what containers may take and not of what they do take, so it is
// far above the machine: a wall against what does not end. install.sh derives
// them in the same way.
func projectLimits(cores, memory uint64, driver string) []string {
	containers := 32 + 8*cores
	limits := []string{
		fmt.Sprintf("limits.containers=%d", containers),
		fmt.Sprintf("limits.memory=%dGiB", max(64, memory>>30*4)),
		fmt.Sprintf("limits.processes=%d", containers*2048),
	}
	if driver != "dir" { // which has no limits on disk
		limits = append(limits, fmt.Sprintf("limits.disk=%dGiB", containers*20+1024))
	}
	return limits
}

// missingLimits leaves out what a project has.
func missingLimits(limits []string, config map[string]string) []string {
	var missing []string
	for _, limit := range limits {
		key, _, _ := strings.Cut(limit, "=")
		if config[key] == "" && !(key == "limits.containers" && config["limits.instances"] != "") {
			missing = append(missing, limit)
		}
	}
	return missing
}

// limits: pushlane limits every container itself; a project without limits
// lacks the second wall, as it does without restrictions.
func (c *checks) limits(ctx context.Context) Checked {
	project, err := c.conn.project(ctx)
	if err != nil {
		return missing("limits", broke("read project "+c.conn.cfg.Project, err))
	}
	driver := "dir"
	pool, err := c.conn.pool(ctx)
	if err == nil { // checkPool says what is wrong with it
		driver = pool.Driver
	}
	var cores, memory uint64
	machine, err := await(ctx, func() (*api.Resources, error) { return c.conn.srv.GetServerResources() })
	if err == nil { // a restricted certificate may not ask
		cores, memory = machine.CPU.Total, machine.Memory.Total
	}
	lacks := missingLimits(projectLimits(cores, memory, driver), project.Config)
	if len(lacks) == 0 {
		return Checked{Name: "limits",
			Message: fmt.Sprintf("project %s has limits on containers, memory, processes%s", c.conn.cfg.Project,
				diskWord(driver))}
	}
	var keys []string
	for _, limit := range lacks {
		key, _, _ := strings.Cut(limit, "=")
		keys = append(keys, key)
	}
	return Checked{Name: "limits", Warn: true,
		Message: fmt.Sprintf("project %s lacks %s", c.conn.cfg.Project, strings.Join(keys, ", ")),
		Hint:    fmt.Sprintf("incus project set %s %s", c.conn.cfg.Project, strings.Join(lacks, " "))}
}

func diskWord(driver string) string {
	if driver == "dir" {
		return ""
	}
	return " and disk"
}
