package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/pushlane/pushlane/host"
	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/hostlog"
	"github.com/pushlane/pushlane/host/internal/notify"
	"github.com/pushlane/pushlane/host/internal/problem"
)

func serveCommand(p *program) *cobra.Command {
	var idle time.Duration
	var policyFile string
	cmd := &cobra.Command{
		Use: "serve", Short: "run the resident host: hooks, queue, scheduled lanes and the page", Args: exactly(0),
		Long: `serve keeps repositories, plugins and the run store open and answers hooks on a unix socket
in the state folder. On a server it also processes the queue, starts scheduled lanes and
serves the page. On a developer's machine the hooks start it with --idle:
PUSHLANE_RESIDENT=off prevents that, PUSHLANE_RESIDENT=1h sets the idle time.`,
		Example: "  pushlane serve --policy /etc/pushlane/config.toml",
		RunE: func(cmd *cobra.Command, _ []string) error {
			policy, err := p.servePolicy(policyFile)
			if err != nil {
				return err
			}
			h, err := host.Open(policy, warmInstances)
			if err != nil {
				return err
			}
			defer h.Close(context.WithoutCancel(cmd.Context()))
			log := hostlog.New(p.err, policy.LogLevel, policy.LogFormat)
			r := &host.Resident{Host: h, Log: log, Idle: idle, Server: idle == 0}
			if r.Server {
				stop, err := startServer(cmd.Context(), h, policy, log)
				if err != nil {
					return err
				}
				defer stop()
			}
			err = r.Serve(cmd.Context())
			if errors.Is(err, host.ErrRunning) && idle > 0 {
				return nil // started by two hooks at once
			}
			return err
		},
	}
	cmd.Flags().DurationVar(&idle, "idle", 0, "exit after this time without a call; 0: never")
	cmd.Flags().StringVar(&policyFile, "policy", "",
		"policy `FILE` of the server; files in the home folder and variables are then ignored")
	return cmd
}

func (p *program) servePolicy(file string) (config.Policy, error) {
	if file == "" {
		return config.Load(p.getenv)
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return config.Policy{}, err
	}
	return config.LoadServer(p.serverEnv(file))
}

// startServer starts the parts of a server's host other than its queue: the page
// and notifications.
func startServer(ctx context.Context, h *host.Host, policy config.Policy, log *logrus.Logger) (stop func(), err error) {
	st, err := h.Store(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.Files().StoreLoss(); err != nil {
		problem.Write(log.Out, err)
	}
	if errs := policy.CheckFiles(); len(errs) > 0 {
		return nil, errs[0]
	}
	teller, err := notify.New(notify.Config{URL: policy.URL, Statuses: policy.Statuses, Webhooks: policy.Webhooks,
		Notes:    policy.Notes,
		NotesKey: policy.NotesKey, OTLP: policy.OTLP, Names: policy.RepositoryNames()}, st, log)
	if err != nil {
		return nil, err
	}
	for _, line := range teller.Warnings() {
		log.Warn(line)
	}
	h.Observe(teller)
	stopPage, err := startPage(ctx, h, policy, teller.Metrics(), log)
	if err != nil {
		return nil, err
	}
	working, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		teller.Run(working)
	}()
	return func() {
		stopPage()
		cancel()
		<-done
	}, nil
}
