package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host/internal/printable"
	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/report"
	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/web/api"
)

// away is a host that a command reaches over its JSON API instead of the state
// folder of this machine: --url or PUSHLANE_URL, with PUSHLANE_TOKEN.
type away struct {
	url, repo string
}

func (a *away) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.url, "url", "",
		"use the host whose page is at `URL` (or PUSHLANE_URL), with the token in PUSHLANE_TOKEN")
	cmd.Flags().StringVar(&a.repo, "repo", "",
		"with --url: `NAME` of the repository there; default: the last part of origin's address")
}

// client is the API that a command uses; ok is false if it uses the state folder
// of this machine.
func (a *away) client(ctx context.Context, p *program) (c api.Client, repo string, ok bool, err error) {
	address := a.url
	if address == "" {
		address = p.getenv("PUSHLANE_URL")
	}
	if address == "" {
		return c, "", false, nil
	}
	repo = a.repo
	if repo == "" {
		out, err := exec.CommandContext(ctx, "git", "remote", "get-url", "origin").Output()
		if err != nil {
			return c, "", true, problem.WithHint(fmt.Errorf(
				"cannot determine the repository: there is no remote origin"), "name it with --repo NAME")
		}
		repo = strings.TrimSuffix(path.Base(strings.TrimSpace(string(out))), ".git")
	}
	return api.Client{URL: address, Token: p.getenv("PUSHLANE_TOKEN")}, repo, true, nil
}

// numberOf reads the number of a run there: "12", "#12", or "last".
func numberOf(ctx context.Context, c api.Client, repo, which string) (int64, error) {
	if which == "last" {
		runs, err := c.Runs(ctx, repo, "", "", 0)
		if err != nil || len(runs) == 0 {
			return 0, err
		}
		return runs[0].Number, nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(which, "#"), 10, 64)
	if err != nil {
		return 0, wrongUse(fmt.Errorf("cannot find run %q: with --url a run is a number or last", which))
	}
	return n, nil
}

// withRun does something with one run of another host.
func (a *away) withRun(ctx context.Context, p *program, which string,
	do func(c api.Client, repo string, number int64) error) (bool, error) {
	c, repo, ok, err := a.client(ctx, p)
	if !ok || err != nil {
		return ok, err
	}
	number, err := numberOf(ctx, c, repo, which)
	if err != nil {
		return true, err
	}
	return true, do(c, repo, number)
}

func (p *program) printJSON(v any) error { return report.Indented(p.out, v) }

// runs lists the runs of another host.
func (a *away) runs(ctx context.Context, p *program, limit int, asJSON bool) (bool, error) {
	c, repo, ok, err := a.client(ctx, p)
	if !ok || err != nil {
		return ok, err
	}
	all, err := c.Runs(ctx, repo, "", "", 0)
	if err != nil {
		return true, err
	}
	all = all[:min(limit, len(all))]
	if asJSON {
		return true, p.printJSON(all)
	}
	for _, r := range all {
		fmt.Fprintln(p.out, apiLine(r))
	}
	return true, nil
}

// show prints one run of another host in full.
func (a *away) show(ctx context.Context, p *program, which string, asJSON bool) (bool, error) {
	return a.withRun(ctx, p, which, func(c api.Client, repo string, number int64) error {
		r, err := c.Run(ctx, repo, number)
		if err != nil {
			return err
		}
		if asJSON {
			return p.printJSON(r)
		}
		fmt.Fprintln(p.out, apiLine(r))
		for _, l := range r.LaneRuns {
			fmt.Fprintf(p.out, "  %-9s  %s  %s\n", l.State, printable.Clean(l.Lane), printable.Clean(l.Message))
			for _, f := range l.Findings {
				fmt.Fprintf(p.out, "    %s:%d: %s: %s\n", printable.Clean(f.Path), f.Line, f.Level, printable.Clean(f.Message))
			}
			for _, a := range l.Stored() {
				fmt.Fprintf(p.out, "    artifact %s  %s\n", printable.Clean(a.Shown()), printable.Bytes(a.Size))
			}
		}
		fmt.Fprintln(p.out, "decisions:")
		for _, e := range r.Events {
			fmt.Fprintf(p.out, "  %s %s %s: %s\n", e.At.Format("15:04:05.000"), printable.Clean(e.Lane), e.Kind,
				printable.Clean(e.Message))
		}
		return nil
	})
}

// apiLine is a run in one line.
func apiLine(r runjson.Run) string {
	line := fmt.Sprintf("#%d  %-9s  %-12s  %s", r.Number, r.State, r.Gate, r.Queued.Local().Format("2006-01-02 15:04:05"))
	for _, u := range r.Updates {
		line += "  " + printable.Clean(strings.TrimPrefix(u.Ref, "refs/heads/")) + " " + u.New[:min(7, len(u.New))]
	}
	return line + fmt.Sprintf("  %d of %d passed", r.Counts.Passed, r.Counts.Lanes)
}

// log prints a lane's log of another host.
func (a *away) log(ctx context.Context, p *program, which string) (bool, error) {
	run, lane, _ := strings.Cut(which, ":")
	return a.withRun(ctx, p, run, func(c api.Client, repo string, number int64) error {
		if lane == "" {
			return wrongUse(fmt.Errorf("with --url, log takes RUN:LANE"))
		}
		return c.Log(ctx, repo, number, lane, p.out)
	})
}
