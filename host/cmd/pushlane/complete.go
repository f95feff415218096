package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/console"
	"github.com/pushlane/pushlane/host/internal/plugins"
)

// completer lists what an argument may be; what cannot be read has no names.
type completer func(cmd *cobra.Command, begun string) ([]string, error)

// complete has the shell offer runs, lanes and pinned plugins of the repository
// for the arguments that name one.
func complete(p *program, root *cobra.Command) {
	for path, names := range map[string]completer{
		"runs": p.runNames, "show": p.runNames, "cancel": p.runNames, "rerun": p.runNames, "log": p.logNames,
		"artifact ls": p.logNames, "artifact get": p.logNames,
		"plugin update": p.pluginNames, "plugin approve": p.pluginNames, "plugin remove": p.pluginNames,
		"plugin verify": p.pluginNames,
	} {
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
				if len(args) > 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return offer(names, cmd, begun)
			}
		}
	}
	if run, _, err := root.Find([]string{"run"}); err == nil {
		lane := func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			return offer(p.laneNames, cmd, begun)
		}
		_ = run.RegisterFlagCompletionFunc("lane", lane) // it fails where there is no such flag
	}
}

// offer keeps the names that go on from what was begun. Cobra runs no
// PersistentPreRunE for a completion, so -C is heeded here.
func offer(names completer, cmd *cobra.Command, begun string) ([]string, cobra.ShellCompDirective) {
	if dir, _ := cmd.Flags().GetString("C"); dir != "" && os.Chdir(dir) != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	all, err := names(cmd, begun)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var fitting []string
	for _, name := range all {
		if strings.HasPrefix(name, begun) {
			fitting = append(fitting, name)
		}
	}
	return fitting, cobra.ShellCompDirectiveNoFileComp
}

// offeredRuns is how many runs are offered, the newest first.
const offeredRuns = 20

// runNames are the numbers of runs, each with what it was.
func (p *program) runNames(cmd *cobra.Command, _ string) (names []string, err error) {
	err = p.withHost(cmd, func(h *host.Host) error {
		runs, err := console.RecentRuns(cmd.Context(), h, p.call("manual"), offeredRuns)
		for _, r := range runs {
			names = append(names, fmt.Sprintf("%d\t%s, %s", r.Number, r.State, r.Gate))
		}
		return err
	})
	return names, err
}

// logNames are runs, and behind the colon of one its lanes.
func (p *program) logNames(cmd *cobra.Command, begun string) (names []string, err error) {
	number, _, lanes := strings.Cut(begun, ":")
	if !lanes {
		return p.runNames(cmd, begun)
	}
	err = p.withHost(cmd, func(h *host.Host) error {
		logs, err := console.Logs(cmd.Context(), h, p.call("manual"), number)
		for _, l := range logs {
			names = append(names, fmt.Sprintf("%s:%s\t%s", number, l.Lane, l.State))
		}
		return err
	})
	return names, err
}

func (p *program) laneNames(cmd *cobra.Command, _ string) (names []string, err error) {
	err = p.withHost(cmd, func(h *host.Host) error {
		policy, err := p.call("manual").Policy()
		if err != nil {
			return err
		}
		answer, err := console.ExplainLanes(cmd.Context(), h, policy, p.call("manual"),
			console.LanesQuestion{Gate: "pre-push"})
		for _, l := range answer.Lanes {
			names = append(names, l.ID)
		}
		return err
	})
	return names, err
}

func (p *program) pluginNames(cmd *cobra.Command, _ string) ([]string, error) {
	lock, err := plugins.OpenLock(cmd.Context(), p.call("manual"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, locked := range lock.Plugins {
		names = append(names, locked.Name+"\t"+locked.PluginVer)
	}
	return names, nil
}
