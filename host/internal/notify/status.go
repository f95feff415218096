package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/pushlane/pushlane/host/internal/runjson"
	"github.com/pushlane/pushlane/host/internal/store"
)

// statusBody is one commit status on its way.
type statusBody struct {
	SHA         string // what was pushed: a commit, or a tag of one
	Ref         string
	State       string // ours
	Context     string
	Description string
	URL         string
}

const (
	maxStatuses    = 100 // of one run: a mirror may push thousands of refs
	maxDescription = 140 // characters, what GitHub takes
)

// statuses are those of a run's commits, each commit once, at every forge that
// has the repository. Failed are those of unprotected refs that another run has
// failed.
func (t *Teller) statuses(run store.Run, link string, failed map[string]store.State) []store.Delivery {
	var list []store.Delivery
	for _, s := range t.config.Statuses {
		project, ok := s.project(t.config, run)
		if !ok {
			continue
		}
		for _, u := range heads(run) {
			state, says := stateOf(run, u), describe(run)
			if worse := failed[u.New]; worse != "" && contextOf(run, u) == unprotectedContext && state != worse {
				state, says = worse, "another run of this commit failed"
			}
			list = append(list, store.Delivery{Target: "status " + s.API + " " + project, Kind: string(state),
				Body: mustJSON(statusBody{
					SHA: u.New, Ref: u.Ref, State: string(state), Context: contextOf(run, u),
					Description: runjson.Short(says, maxDescription), URL: link})})
		}
	}
	return list
}

// withStatuses adds the statuses of a run. Both gates of a ref that is not
// protected share one context, which the second would overwrite: it says what
// all runs of the commit come to.
func (t *Teller) withStatuses(ctx context.Context, list []store.Delivery, run store.Run,
	link string) ([]store.Delivery, error) {
	heads := map[string]store.State{}
	for _, u := range run.Updates {
		if !run.State.Final() || contextOf(run, u) != unprotectedContext {
			continue
		}
		v, known, err := t.store.Verdicts().Of(ctx, run.RepoKey, u.Ref, u.New)
		if err != nil {
			return list, err
		}
		if known && v.State == store.Failed {
			heads[u.New] = v.State
		}
	}
	return append(list, t.statuses(run, link, heads)...), nil
}

// unprotectedContext is the context of statuses for unprotected refs.
const unprotectedContext = "pushlane/unprotected"

// contextOf names what judged: a forge that requires a context of ours is never
// satisfied by what a branch's own lanes say.
func contextOf(run store.Run, u store.Update) string {
	if run.ProtectedLanes(u) {
		return "pushlane/" + run.Gate
	}
	return unprotectedContext
}

// heads are the updates that have something to show, each object once for what
// protected lanes say of it and once for the others.
func heads(run store.Run) []store.Update {
	var list []store.Update
	seen := map[string]bool{}
	for _, u := range run.Updates {
		key := u.New + contextOf(run, u)
		if len(list) < maxStatuses && !seen[key] && !isZero(u.New) {
			seen[key] = true
			list = append(list, u)
		}
	}
	return list
}

// stateOf is what the run says of one update's object: of the lanes of all its
// updates of that object that are protected as it is.
func stateOf(run store.Run, u store.Update) store.State {
	if !run.State.Final() || len(run.Updates) == 1 {
		return run.State
	}
	state := store.Passed
	for _, l := range store.Latest(run.Lanes) {
		of := run.Updates[max(0, l.Update)]
		if !l.Required || of.New != u.New || run.ProtectedLanes(of) != run.ProtectedLanes(u) {
			continue
		}
		switch l.State {
		case store.Failed:
			return store.Failed
		case store.Broken, store.Cancelled:
			state = l.State
		}
	}
	return state
}

func isZero(object string) bool { return strings.Trim(object, "0") == "" }

// describe is the run in the few words that a forge shows.
func describe(run store.Run) string {
	lanes := store.Latest(run.Lanes)
	switch {
	case run.State == store.Queued:
		return fmt.Sprintf("run #%d is queued", run.Number)
	case run.State == store.Running:
		return fmt.Sprintf("run #%d is running: %s", run.Number, counted(len(lanes)))
	case len(lanes) == 0 && run.Message != "":
		return fmt.Sprintf("run #%d: %s", run.Number, run.Message)
	}
	passed, not := 0, []string{}
	for _, l := range lanes {
		switch store.State(l.State) {
		case store.Passed:
			passed++
		case store.Failed, store.Broken:
			not = append(not, l.Lane)
		}
	}
	text := fmt.Sprintf("run #%d: %d of %s passed", run.Number, passed, counted(len(lanes)))
	if len(not) > 0 {
		text += "; not: " + strings.Join(not, ", ")
	}
	return text
}

func counted(lanes int) string {
	if lanes == 1 {
		return "1 lane"
	}
	return fmt.Sprintf("%d lanes", lanes)
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
	run, err := t.runOf(ctx, d.Run)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(t.config.Statuses, func(s Status) bool {
		project, ok := s.project(t.config, run)
		return ok && target == s.API+" "+project
	})
	if i < 0 {
		return permanentError{fmt.Errorf("the forge at %s is no longer in the policy", target)}
	}
	var b statusBody
	if err := json.Unmarshal(d.Body, &b); err != nil {
		return permanentError{err}
	}
	if outdated, err := t.outdated(ctx, run, b); outdated || err != nil {
		return err
	}
	if err := t.refused(ctx, run, &b); err != nil {
		return err
	}
	object := b.SHA
	if b.SHA, err = statusCommit(ctx, run.RepoKey, b.SHA); err != nil {
		return err
	}
	if b.SHA != object { // of a tag, also what its commit met
		if err := t.refused(ctx, run, &b); err != nil {
			return err
		}
	}
	return t.postStatus(ctx, t.config.Statuses[i], target, b)
}

// outdated reports whether a newer run has its word on the same commit of the
// same ref: a message that was held up does not take it back.
func (t *Teller) outdated(ctx context.Context, run store.Run, b statusBody) (bool, error) {
	newer, err := t.store.Runs(ctx, store.Filter{RepoKey: run.RepoKey, Ref: b.Ref, Gate: run.Gate})
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(newer, func(r store.Run) bool {
		return r.ID > run.ID && taken(r, r.State.Final()) &&
			slices.ContainsFunc(r.Updates, func(u store.Update) bool { return u.Ref == b.Ref && u.New == b.SHA })
	}), nil
}

// refused keeps a branch's own lanes from calling good what a protected ref has
// refused.
func (t *Teller) refused(ctx context.Context, run store.Run, b *statusBody) error {
	if b.Context != unprotectedContext || b.State != string(store.Passed) {
		return nil
	}
	by, found, err := t.store.RefusedAt(ctx, run.RepoKey, b.SHA)
	if found {
		b.State = string(store.Failed)
		b.Description = runjson.Short(fmt.Sprintf("run #%d: a protected ref refused it in run #%d",
			run.Number, by.Number), maxDescription)
	}
	return err
}

func (t *Teller) postStatus(ctx context.Context, s Status, target string, b statusBody) error {
	_, project, _ := strings.Cut(target, " ")
	req, err := s.request(ctx, project, b)
	if err != nil {
		return err
	}
	a, err := t.post(req)
	if err != nil {
		return err
	}
	return s.verdict(req.URL.Host, a)
}

// verdict interprets the responses of forges: for a commit that they do not have,
// perhaps not yet, and for a state that is already set, which GitLab refuses.
func (s Status) verdict(host string, a answer) error {
	err := a.verdict(host)
	switch {
	case err == nil:
	case s.Kind == "gitlab" && a.code == http.StatusBadRequest && strings.Contains(a.text, "Cannot transition status"):
		return nil
	case a.code == http.StatusNotFound, s.Kind == "github" && a.code == http.StatusUnprocessableEntity &&
		strings.Contains(a.text, "No commit found"):
		return missingError{err}
	}
	return err
}

// request is the forge's own call.
func (s Status) request(ctx context.Context, project string, b statusBody) (*http.Request, error) {
	token, err := readSecret(s.TokenFile)
	if err != nil {
		return nil, err
	}
	body := map[string]string{"state": stateAt(s.Kind, b.State), "context": b.Context, "description": b.Description}
	if b.URL != "" {
		body["target_url"] = b.URL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address(project, b.SHA),
		bytes.NewReader(mustJSON(body)))
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

func (s Status) address(project, sha string) string {
	api := strings.TrimSuffix(s.API, "/")
	if s.Kind == "gitlab" {
		return api + "/projects/" + url.PathEscape(project) + "/statuses/" + sha
	}
	owner, name, _ := strings.Cut(project, "/")
	return api + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/statuses/" + sha
}
