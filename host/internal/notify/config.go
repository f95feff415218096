package notify

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// Config says whom to tell. The zero value tells no one.
type Config struct {
	URL      string // of our own page, for links; "" none
	Statuses []Status
	Webhooks []Webhook
	Notes    bool   // refs/notes/pushlane
	NotesKey string // SSH private key file to sign notes with; "" unsigned
	OTLP     string // OTLP/HTTP endpoint for spans, "https://collector:4318"; "" none

	Names map[string]string // configured name by a repository's full path
}

// Status is a forge that shows commit statuses.
type Status struct {
	// full path of the git directory, in which * is any text; the name of a [[repository]]; "*" for all
	Repo string `koanf:"repo"`
	Kind string `koanf:"kind"` // gitea (also Forgejo), github or gitlab
	API  string `koanf:"api"`  // "https://gitea.example.org/api/v1"
	// "owner/name"; a "*" in it is for what the * of repo does, or for the repository's configured name
	Project   string `koanf:"project"`
	TokenFile string `koanf:"token_file"` // file that holds the token
}

// Webhook is an address that receives events.
type Webhook struct {
	URL        string   `koanf:"url"`
	SecretFile string   `koanf:"secret_file"` // file that holds the secret that messages are signed with
	Events     []string `koanf:"events"`      // of Events; none: all
}

// Events are the names of the events of webhooks.
func Events() []string { return []string{"run.queued", "run.started", "run.ended"} }

func (c Config) check() error {
	for _, s := range c.Statuses {
		if err := s.check(); err != nil {
			return fmt.Errorf("cannot send statuses to %s: %w", s.API, err)
		}
	}
	for _, w := range c.Webhooks {
		if err := w.check(); err != nil {
			return fmt.Errorf("cannot use webhook %s: %w", w.URL, err)
		}
	}
	if c.NotesKey != "" {
		if _, err := readKey(c.NotesKey); err != nil {
			return fmt.Errorf("cannot sign notes: %w", err)
		}
	}
	if c.OTLP != "" {
		if err := checkURL(c.OTLP); err != nil {
			return fmt.Errorf("cannot send spans: %w", err)
		}
	}
	return nil
}

func (s Status) check() error {
	if !slices.Contains([]string{"gitea", "github", "gitlab"}, s.Kind) {
		return fmt.Errorf("kind is %q, want gitea, github or gitlab", s.Kind)
	}
	if s.Repo == "" {
		return errors.New(`repo is empty, want a repository's name or "*"`)
	}
	if s.Project == "" {
		return errors.New("project is empty")
	}
	owner, name, _ := strings.Cut(s.Project, "/")
	if s.Kind != "gitlab" && !strings.Contains(s.Project, "*") && (owner == "" || name == "" ||
		strings.Contains(name, "/")) {
		return fmt.Errorf("project is %q, want owner/name", s.Project)
	}
	if _, err := readSecret(s.TokenFile); err != nil {
		return err
	}
	return checkURL(s.API)
}

func (w Webhook) check() error {
	for _, e := range w.Events {
		if !slices.Contains(Events(), e) {
			return fmt.Errorf("unknown event %q, want one of %s", e, strings.Join(Events(), ", "))
		}
	}
	if w.SecretFile != "" {
		if _, err := w.signer(); err != nil {
			return err
		}
	}
	return checkURL(w.URL)
}

// project is where the forge keeps a repository; false: the status is not for
// it. A repository is known by its path or its configured name, never by its
// folder's name, which anyone who may make a repository chooses.
func (s Status) project(c Config, run store.Run) (string, bool) {
	name := c.Names[run.RepoKey]
	star, ok := name, name != "" && s.Repo == name
	switch before, after, wild := strings.Cut(s.Repo, "*"); {
	case ok:
	case s.Repo == "*":
		ok = true
	case wild:
		rest, begins := strings.CutPrefix(run.RepoKey, before)
		if star, ok = strings.CutSuffix(rest, after); !begins || star == "" {
			return "", false
		}
	default:
		ok = filepath.IsAbs(s.Repo) && filepath.Clean(s.Repo) == run.RepoKey
	}
	if !ok || strings.Contains(s.Project, "*") && star == "" {
		return "", false
	}
	return strings.ReplaceAll(s.Project, "*", star), true
}

// Unknown lists what is wrong with the repositories that statuses name: one
// that is neither a path nor a configured name gets none.
func (c Config) Unknown() []string {
	var all []string
	names := slices.Collect(maps.Values(c.Names))
	for _, s := range c.Statuses {
		if s.Repo != "*" && !filepath.IsAbs(s.Repo) && !slices.Contains(names, s.Repo) {
			all = append(all,
				fmt.Sprintf("[[status]] repo = %q is neither a full path nor the name of a [[repository]]: it has no statuses",
					s.Repo))
		}
	}
	return all
}

// checkURL requires https for other machines: messages are signed or contain a
// token.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil {
		return err
	}
	ip := net.ParseIP(u.Hostname())
	here := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && here) {
		return nil
	}
	return fmt.Errorf("%q is not an https address", text)
}

func readSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if text := strings.TrimSpace(string(data)); err == nil && text == "" {
		return "", fmt.Errorf("%s is empty", path)
	} else if err == nil {
		return text, nil
	}
	return "", err
}
