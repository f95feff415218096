package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/gate"
)

// hookCommand is what pushlane-hook executes if no resident host answers: it
// judges in this process and starts a resident for the next push.
func hookCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use: "hook GATE [ARG…]", Short: "judge the updates that git passes to a hook", Hidden: true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongUse(errors.New("hook takes the name of a gate"))
			}
			outlivePipes()
			call := p.call(args[0])
			call.Args = args[1:]
			if args[0] == "proc-receive" {
				return p.procReceive(call)
			}
			var err error
			if call.Stdin, err = gate.ReadRefLines(p.in); err != nil {
				return err
			}
			return p.judge(cmd.Context(), call, !call.Receives())
		},
	}
}

// outlivePipes makes a write to a closed pipe fail instead of ending this
// process: the verdict does not depend on whether anyone reads the output.
func outlivePipes() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// procReceive answers git ref by ref with what pre-receive decided.
func (p *program) procReceive(call gate.Call) error {
	policy, err := config.LoadServer(p.getenv)
	if err != nil {
		return err
	}
	return host.ProcReceive(call, policy, p.in, p.out)
}

// judge runs one call inline.
func (p *program) judge(ctx context.Context, call gate.Call, leaveResident bool) error {
	h, policy, err := p.host()
	if err != nil {
		return err
	}
	defer h.Close(context.WithoutCancel(ctx))
	if leaveResident {
		startResident(policy.State, p.getenv("PUSHLANE_RESIDENT"))
	}
	p.exit = h.Judge(ctx, call, p.output())
	return nil
}

// warmInstances is how many instances of one plugin may wait for the next
// push: as many as the last push ran, up to this. Each takes about 3 MB.
const warmInstances = 10

const defaultIdle = 10 * time.Minute

// maxHostLog is the size in bytes beyond which a host's own log is renamed to
// host.log.1, replacing the previous one.
const maxHostLog = 8 << 20

// startResident starts a resident host in its own session. A failure does not
// fail the push: the next one is judged in the hook's process again. setting is
// PUSHLANE_RESIDENT: "", "off" or a duration.
func startResident(state, setting string) {
	idle := defaultIdle
	if d, err := time.ParseDuration(setting); err == nil {
		idle = d
	} else if setting != "" {
		return // "off"
	}
	exe, err := os.Executable()
	if err != nil {
		return
	}
	if info, err := os.Stat(filepath.Join(state, "host.log")); err == nil && info.Size() > maxHostLog {
		_ = os.Rename(filepath.Join(state, "host.log"), filepath.Join(state, "host.log.1"))
	}
	log, err := os.OpenFile(filepath.Join(state, "host.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer log.Close()
	cmd := exec.Command(exe, "serve", "--idle", idle.String()) // outlives this process: no context
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.Env = residentEnv(os.Environ())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		cmd.Process.Release()
	}
}

// residentEnv leaves out the variables of one call: every call has its own.
func residentEnv(env []string) []string {
	call := gate.Call{Env: env}
	keep := []string{}
	for _, key := range []string{"HOME", "PATH", "USER", "LANG", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
		"PUSHLANE_STATE", "PUSHLANE_CONFIG", "TMPDIR"} {
		if v := call.Getenv(key); v != "" {
			keep = append(keep, key+"="+v)
		}
	}
	return keep
}
