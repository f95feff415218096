package host

import (
	"context"
	"time"

	"github.com/pushlane/pushlane/host/internal/config"
	"github.com/pushlane/pushlane/host/internal/incus"
)

// IncusConfig says which Incus a policy means and what of it is the host's of its
// state folder.
func IncusConfig(p config.Policy) incus.Config { return (&Host{state: p.State}).incusConfig(p) }

// incusConfig says which Incus the policy means and what of it is this host's.
func (h *Host) incusConfig(p config.Policy) incus.Config {
	return incus.Config{URL: p.IncusURL, Socket: p.IncusSocket, Cert: p.IncusCert, Key: p.IncusKey,
		ServerCert: p.IncusServerCert,
		Project:    p.IncusProject, Pool: p.IncusPool, Owner: owner(h.state), Hosts: h.marks()}
}

// incusClient connects once per Incus.
func (h *Host) incusClient(ctx context.Context, p config.Policy) (*incus.Client, error) {
	if err := h.markAlive(); err != nil {
		return nil, err
	}
	config := h.incusConfig(p)
	h.connecting.Lock() // an Incus that does not answer keeps no one else waiting
	defer h.connecting.Unlock()
	if c := h.incus[config]; c != nil {
		return c, nil
	}
	c, err := incus.Connect(context.WithoutCancel(ctx), config)
	if err != nil {
		return nil, err
	}
	h.incus[config] = c
	h.outage.Answered(c.Met(), time.Now())
	h.sweeps.Go(func() { // what an earlier, killed host left behind; a failure here is gc's to report
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
		defer cancel()
		c.Sweep(ctx)
	})
	return c, nil
}

const sweepTime = time.Minute
