package incus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lxc/incus/v6/shared/api"

	"github.com/pushlane/pushlane/host/internal/oci"
)

// guest is what pushlane's own steps use in containers of an image.
type guest struct {
	shell string // that runs pushlane's scripts
	own   bool   // shell is pushlane's: it puts its own programs before those of PATH
	run   *oci.Run
}

// plainGuest is of an image that has a shell of its own.
func plainGuest() guest { return guest{shell: "/bin/sh"} }

// guest reads what an image says about itself. Images that were made of an OCI
// image have pushlane's kit.
func (m *Images) guest(ctx context.Context, fingerprint string) (guest, error) {
	m.mu.Lock()
	known, ok := m.guests[fingerprint]
	m.mu.Unlock()
	if ok {
		return known, nil
	}
	image, err := await(ctx, func() (*api.Image, error) { i, _, err := m.conn.srv.GetImage(fingerprint); return i, err })
	if err != nil {
		return guest{}, broke("look at image "+short(fingerprint, 12), err)
	}
	g := plainGuest()
	if image.Properties[oci.PropertyKit] != "" {
		g = guest{shell: oci.KitShell, own: true}
	}
	if image.Properties[oci.PropertyRun] != "" {
		g.run = &oci.Run{}
		if err := json.Unmarshal([]byte(image.Properties[oci.PropertyRun]), g.run); err != nil {
			return guest{}, failed("use image "+short(fingerprint, 12), fmt.Errorf("its description is damaged: %w", err),
				"remove it, it is pulled again when a lane needs it: pushlane image rm "+short(fingerprint, 12))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.guests[fingerprint] = g
	return g, nil
}

// script is a shell script of pushlane's own, run as root.
func (g guest) script(text string, args ...string) command {
	cmd := command{cwd: "/", argv: append([]string{g.shell, "-c", text}, args...)}
	if g.own {
		cmd.env = map[string]string{"PATH": oci.KitPath + ":/usr/sbin:/usr/bin:/sbin:/bin", "PUSHLANE_SH": g.shell}
	}
	return cmd
}

// complete adds what the image says to the plan: its environment below what the
// lane says; where the lane names no command, its entry, folder and user.
func (g guest) complete(p *plan) error {
	if g.run != nil {
		for _, pair := range g.run.Env {
			name, value, _ := strings.Cut(pair, "=")
			_, lanes := p.Env[name]
			_, ours := p.env[name]
			if lanes || ours && name != "PATH" && name != "LANG" || !envForm.MatchString(name) {
				continue
			}
			p.env[name] = value
		}
	}
	if len(p.Command) > 0 {
		return nil
	}
	if g.run == nil || len(g.run.Entrypoint)+len(g.run.Cmd) == 0 {
		return refused(p.ID, errors.New("it has no command, and neither has its image"))
	}
	p.Command = append(append([]string{}, g.run.Entrypoint...), g.run.Cmd...)
	if p.Cwd == "" {
		p.cwd = or(g.run.WorkingDir, "/")
	}
	if p.User != "" {
		return nil
	}
	if g.run.UID < 0 {
		return refused(p.ID, fmt.Errorf("its image runs as user %q, which is not a user of the image",
			short(g.run.User, 80)))
	}
	p.uid, p.gid = uint32(g.run.UID), uint32(g.run.GID)
	return nil
}
