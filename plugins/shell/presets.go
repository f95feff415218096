package main

import (
	"errors"
	"strconv"

	"github.com/pushlane/pushlane/sdk"
)

// preset is what one tool needs so that it finds what it downloaded before.
type preset struct {
	caches []sdk.Cache
	env    map[string]string
}

func presetOf(name string) (preset, bool) {
	one := func(path string, variables ...string) preset {
		p := preset{caches: []sdk.Cache{{Name: name, Path: path}}, env: map[string]string{}}
		for _, v := range variables {
			p.env[v] = path
		}
		return p
	}
	switch name {
	case "npm":
		return one("/var/cache/npm", "npm_config_cache"), true
	case "pip":
		return one("/var/cache/pip", "PIP_CACHE_DIR"), true
	case "cargo":
		return one("/var/cache/cargo", "CARGO_HOME"), true
	case "apt":
		return one("/var/cache/apt/archives"), true
	case "go": // the volumes that the plugin go has, too
		const build, mod = "/var/cache/go-build", "/var/cache/go-mod"
		return preset{caches: []sdk.Cache{{Name: "go-build", Path: build}, {Name: "go-mod", Path: mod}},
			env: map[string]string{"GOCACHE": build, "GOMODCACHE": mod}}, true
	}
	return preset{}, false
}

// addPresets adds the caches of tools to a container. A variable that the lane sets keeps the lane's value.
func addPresets(c *sdk.Container, names []string) error {
	for _, name := range names {
		p, known := presetOf(name)
		if !known {
			return errors.New("setting cache: there is no preset " + strconv.Quote(name) + ", want npm, go, pip, cargo or apt")
		}
		c.Caches = append(c.Caches, p.caches...)
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		for variable, value := range p.env {
			if _, set := c.Env[variable]; !set {
				c.Env[variable] = value
			}
		}
	}
	return nil
}
