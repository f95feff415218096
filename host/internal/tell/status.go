package tell

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/pushlane/pushlane/host/internal/store"
)

// statusBody is one commit status on its way.
type statusBody struct {
	SHA         string
	State       string // ours
	Context     string
	Description string
	URL         string
}

// statuses are the statuses of a run's commits at one forge, each commit once.
func statuses(page string, s Status, run store.Run) []store.Delivery {
	var list []store.Delivery
	seen := map[string]bool{}
	for _, u := range run.Updates {
		if seen[u.New] || strings.Trim(u.New, "0") == "" {
			continue
		}
		seen[u.New] = true
		list = append(list, store.Delivery{Target: "status " + s.API + " " + s.project(run), Kind: string(run.State), Body: mustJSON(statusBody{
			SHA: u.New, State: string(run.State), Context: "pushlane/" + run.Gate, Description: describe(run), URL: runURL(page, run)})})
	}
	return list
}

func (s Status) project(run store.Run) string {
	if s.Project != "" {
		return s.Project
	}
	return run.RepoName
}

// describe is the run in the few words a forge shows.
func describe(run store.Run) string {
	passed := 0
	lanes := latest(run)
	var not []string
	for _, l := range lanes {
		if l.State == string(store.Passed) {
			passed++
		} else if l.State == string(store.Failed) || l.State == string(store.Broken) {
			not = append(not, l.Lane)
		}
	}
	text := fmt.Sprintf("run #%d: %d of %d lanes passed", run.Number, passed, len(lanes))
	if len(not) > 0 {
		text += "; not: " + strings.Join(not, ", ")
	}
	if len(text) > 140 { // what GitHub takes
		text = text[:137] + "..."
	}
	return text
}

// stateAt is our state in a forge's words.
func stateAt(kind, state string) string {
	words := map[string][2]string{ // gitea and github; gitlab
		"queued": {"pending", "pending"}, "running": {"pending", "running"}, "passed": {"success", "success"},
		"failed": {"failure", "failed"}, "broken": {"error", "failed"}, "cancelled": {"error", "canceled"},
	}
	if kind == "gitlab" {
		return words[state][1]
	}
	return words[state][0]
}

func (t *Teller) sendStatus(ctx context.Context, target string, d store.Delivery) error {
	api, project, _ := strings.Cut(target, " ")
	for _, s := range t.config.Statuses {
		if s.API != api || s.Project != "" && s.Project != project {
			continue
		}
		var b statusBody
		if err := json.Unmarshal(d.Body, &b); err != nil {
			return permanentError{err}
		}
		req, err := s.request(ctx, project, b)
		if err != nil {
			return err
		}
		return t.post(req)
	}
	return permanentError{fmt.Errorf("the forge at %s is not in the policy any more", api)}
}

// request is the forge's own call.
func (s Status) request(ctx context.Context, project string, b statusBody) (*http.Request, error) {
	token, err := readSecret(s.TokenFile)
	if err != nil {
		return nil, err
	}
	address := strings.TrimSuffix(s.API, "/")
	body := map[string]string{"state": stateAt(s.Kind, b.State), "context": b.Context, "description": b.Description}
	if b.URL != "" {
		body["target_url"] = b.URL
	}
	switch s.Kind {
	case "gitlab":
		address += "/projects/" + url.PathEscape(project) + "/statuses/" + b.SHA
		body["name"] = b.Context
	default:
		address += "/repos/" + project + "/statuses/" + b.SHA
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(mustJSON(body)))
	if err != nil {
		return nil, permanentError{err}
	}
	req.Header.Set("Content-Type", "application/json")
	switch s.Kind {
	case "gitea":
		req.Header.Set("Authorization", "token "+token)
	case "github":
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/vnd.github+json")
		req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	case "gitlab":
		req.Header.Set("PRIVATE-TOKEN", token)
	}
	return req, nil
}
