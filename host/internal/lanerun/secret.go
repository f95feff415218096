package lanerun

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/problem"
	"github.com/pushlane/pushlane/host/internal/secret"
	"github.com/pushlane/pushlane/sdk"
)

// secret reads a secret of this host for a lane run that may use it. Its bytes
// go into a container or a request's header, and out of nothing that a plugin
// or a person reads.
func (l *access) secret(name string) ([]byte, error) {
	if !l.permits.reaches("secret", name) {
		return nil, l.outside("secret", name)
	}
	value, err := l.policy().SecretStore().Read(name)
	if err != nil {
		return nil, problem.WithHint(fmt.Errorf("cannot read secret %q: %w", name, err),
			"store it as the user of this host: pushlane secret set "+name)
	}
	l.mask(value)
	return value, nil
}

// mask keeps a secret out of what this lane run says from now on: its lines, and
// the whole in base64 and as a part of an address.
func (l *access) mask(value []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, whole := string(value), value[:len(value)/3*3] // what follows changes no whole group of base64
	forms := append(strings.Split(text, "\n"), url.QueryEscape(text), url.PathEscape(text),
		base64.RawStdEncoding.EncodeToString(whole), base64.RawURLEncoding.EncodeToString(whole),
		base64.RawStdEncoding.EncodeToString(value), base64.RawURLEncoding.EncodeToString(value))
	for _, form := range forms { // logs are lines
		if form = strings.TrimSpace(form); len(form) >= secret.Min && !slices.Contains(l.masked, form) {
			l.masked = append(l.masked, form)
		}
	}
	// One that holds another comes before it.
	slices.SortStableFunc(l.masked, func(a, b string) int { return len(b) - len(a) })
}

// unmasked removes secrets from text. It is for the output of containers that
// were given them: it prevents accidents, not attacks, because a program that has
// the bytes can write them backwards.
func (l *access) unmasked(text string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, secret := range l.masked {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return text
}

// hide removes secrets from what a plugin says: it may have read them in the
// files that its containers left.
func (l *access) hide(said *Result) {
	said.Reason = l.unmasked(said.Reason)
	for i := range said.Findings {
		said.Findings[i].Message = l.unmasked(said.Findings[i].Message)
	}
	for i := range said.progress {
		said.progress[i] = l.unmasked(said.progress[i])
	}
}

// SecretNames are the secrets that a container asks for, as files and as
// variables.
func SecretNames(c sdk.Container) []string {
	names := slices.Concat(c.Secrets, slices.Collect(maps.Values(c.SecretEnv)))
	slices.Sort(names)
	return slices.Compact(names)
}

// allowSecrets refuses secrets that the lane run does not reach, and variables
// where the policy wants files.
func (l *access) allowSecrets(c sdk.Container) error {
	for _, name := range SecretNames(c) {
		if !l.permits.reaches("secret", name) {
			return l.outside("secret", name)
		}
	}
	if len(c.SecretEnv) > 0 && !l.policy().SecretVariables {
		name := slices.Min(slices.Collect(maps.Values(c.SecretEnv)))
		return problem.WithHint(fmt.Errorf(
			"plugin %q asks for secret %q as a variable, which the policy of this host does not allow", l.lane().Plugin, name),
			"read it from /run/secrets/"+name+", or have the host's owner set `secret_variables = true` in "+
				l.j.Policy.File())
	}
	return nil
}

// containerSecrets are the secrets a container asks for, by name.
func (l *access) containerSecrets(names []string) (map[string][]byte, error) {
	if len(names) == 0 {
		return nil, nil
	}
	l.dependsOutside("it uses secrets")
	all := map[string][]byte{}
	for _, name := range names {
		value, err := l.secret(name)
		if err != nil {
			return nil, err
		}
		all[name] = value
	}
	return all, nil
}
