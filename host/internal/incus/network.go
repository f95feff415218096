package incus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
)

// Proxy is where a container with a list of names finds its network: an HTTP proxy at a unix socket of this machine.
type Proxy struct {
	Socket   string // path
	UID, GID int    // as whom Incus connects to it
}

// proxyAddress is where the container finds the proxy. Its own loopback interface is the only one that it has.
const proxyAddress = "127.0.0.1:3128"

var errNoBridge = errors.New("this host does not allow network access")

// checkNetwork refuses a network that the host does not give.
func (p *plan) checkNetwork() error {
	if p.Network && !p.Max.Proxied && len(p.Max.Networks) == 0 {
		return above{errNoBridge}
	}
	return nil
}

// networkDevices are the devices through which the container reaches anything.
func (p plan) networkDevices() map[string]map[string]string {
	switch {
	case !p.Network:
		return nil
	case p.Max.Proxied:
		return map[string]map[string]string{"network": {"type": "proxy", "bind": "instance",
			"listen": "tcp:" + proxyAddress, "connect": "unix:" + p.Proxy.Socket,
			"security.uid": strconv.Itoa(p.Proxy.UID), "security.gid": strconv.Itoa(p.Proxy.GID)}}
	}
	return map[string]map[string]string{"eth0": {"type": "nic", "network": p.Max.Networks[0], "name": "eth0"}}
}

const (
	caFile  = "/work/ca.crt"
	aptFile = "/work/apt.conf"
)

// networkEnv are the variables from which programs learn of the proxy and of the host's authorities.
func (p *plan) networkEnv() map[string]string {
	env := map[string]string{}
	if !p.Network {
		env["npm_config_fetch_retries"] = "0" // it would wait for over a minute
		return env
	}
	set := func(value string, names ...string) {
		for _, name := range names {
			env[name] = value
		}
	}
	if p.Max.Proxied {
		set("http://"+proxyAddress, "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
		set("localhost,127.0.0.1,::1", "NO_PROXY", "no_proxy")
		set("1", "NODE_USE_ENV_PROXY")
	}
	if len(p.CA) > 0 {
		set(caFile, "SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
			"PIP_CERT", "CARGO_HTTP_CAINFO", "NIX_SSL_CERT_FILE")
		set(aptFile, "APT_CONFIG")
	}
	return env
}

// authoritiesScript writes standard input to the file that the variables name.
const authoritiesScript = `set -e
umask 022
cat >` + caFile + `
printf 'Acquire::https::CAInfo "` + caFile + `";\n' >` + aptFile + `
`

// giveAuthorities puts the host's authorities where networkEnv says.
func (b *box) giveAuthorities(ctx context.Context, p plan) error {
	if !p.Network || len(p.CA) == 0 {
		return nil
	}
	exit, err := b.exec(ctx, command{cwd: "/", argv: []string{"/bin/sh", "-c", authoritiesScript},
		stdin: bytes.NewReader(p.CA)})
	if err == nil && exit != 0 {
		err = fmt.Errorf("exit status %d", exit)
	}
	if err != nil {
		return broke("give the authorities to "+b.name, err)
	}
	return nil
}

// proxyHere refuses a proxy for an Incus on another machine: it could not connect to the socket.
func (c *Client) proxyHere(p plan) error {
	if !p.Network || !p.Max.Proxied || c.conn.cfg.URL == "" {
		return nil
	}
	return failed(fmt.Sprintf("start container %q", short(p.ID, 64)),
		fmt.Errorf("a network that is a list of names needs an Incus on this machine, and this one is at %s", c.conn.cfg.URL),
		"grant the lane a bridge, network = true, or run the host on the machine of Incus")
}

// CheckProxies says whether containers can have a list of names as their network.
func (c *Client) CheckProxies(ctx context.Context) Checked {
	if c.conn.cfg.URL != "" {
		return Checked{Name: "network", Warn: true,
			Message: "network.hosts of the policy has no effect: this Incus is not on this machine",
			Hint:    "lanes with network = true work: a bridge of Incus"}
	}
	project, err := c.conn.project(ctx)
	if err != nil {
		return missing("network", broke("read project "+c.conn.cfg.Project, err))
	}
	if project.Config["restricted"] == "true" && project.Config["restricted.devices.proxy"] != "allow" {
		return Checked{Name: "network", Warn: true,
			Message: fmt.Sprintf("project %s has no proxies: a lane whose network is a list of names cannot run",
				c.conn.cfg.Project),
			Hint: fmt.Sprintf("incus project set %s restricted.devices.proxy=allow", c.conn.cfg.Project)}
	}
	return Checked{Name: "network", Message: "lanes can be granted a list of names as their network"}
}
