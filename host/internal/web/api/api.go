// Package api has the JSON types of the page's API and a client for it.
// openapi.json describes the API.
package api

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/pushlane/pushlane/host/internal/bounded"
	"github.com/pushlane/pushlane/host/internal/runjson"
)

// Description is the OpenAPI 3.1 document of the API.
//
//go:embed openapi.json
var Description []byte

// Repository is one guarded repository.
type Repository struct {
	Name   string `json:"name"`           // in addresses, such as "app" or "alice/app"
	Path   string `json:"path,omitempty"` // its git directory on the host, for scope admin
	Served bool   `json:"guarded"`
	Runs   int    `json:"runs"`
}

// Client asks a host's page.
type Client struct {
	URL   string // "https://ci.example.org"
	Token string // "" where none is needed
	HTTP  *http.Client
}

// StatusError is an answer that is not a success.
type StatusError struct {
	Status  int
	Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the host responded with %d: %s", e.Status, e.Message)
}

// Runs lists runs, the newest first; before is the ID of the run to go on from.
func (c Client) Runs(ctx context.Context, repo, branch, state string, before int64) ([]runjson.Run, error) {
	q := url.Values{}
	for key, value := range map[string]string{"branch": branch, "state": state} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if before > 0 {
		q.Set("before", strconv.FormatInt(before, 10))
	}
	var all []runjson.Run
	return all, c.json(ctx, http.MethodGet, "/repositories/"+url.PathEscape(repo)+"/runs?"+q.Encode(), nil, &all)
}

// Run reads one run in full.
func (c Client) Run(ctx context.Context, repo string, number int64) (runjson.Run, error) {
	var run runjson.Run
	return run, c.json(ctx, http.MethodGet, runPath(repo, number), nil, &run)
}

// Cancel asks for a run's end.
func (c Client) Cancel(ctx context.Context, repo string, number int64) (runjson.Run, error) {
	var run runjson.Run
	return run, c.json(ctx, http.MethodPost, runPath(repo, number)+"/cancel", nil, &run)
}

// Rerun queues a run again and returns the new one.
func (c Client) Rerun(ctx context.Context, repo string, number int64, failedOnly bool) (runjson.Run, error) {
	var run runjson.Run
	return run, c.json(ctx, http.MethodPost, runPath(repo, number)+"/rerun", map[string]bool{"failed_only": failedOnly},
		&run)
}

// Log copies a lane's log as text.
func (c Client) Log(ctx context.Context, repo string, number int64, lane string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, runPath(repo, number)+"/lanes/"+url.PathEscape(lane)+"/log", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// Artifact copies one artifact of a run. What is shorter or longer than was stored
// is an error.
func (c Client) Artifact(ctx context.Context, repo string, number int64, a runjson.Artifact, w io.Writer) error {
	q := url.Values{"name": {a.Name}, "update": {strconv.Itoa(a.Update)}, "attempt": {strconv.Itoa(a.Attempt)}}
	resp, err := c.do(ctx, http.MethodGet,
		runPath(repo, number)+"/lanes/"+url.PathEscape(a.Lane)+"/artifact?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	n, err := io.Copy(w, bounded.Reader(resp.Body, a.Size))
	if err == nil && n < a.Size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func runPath(repo string, number int64) string {
	return fmt.Sprintf("/repositories/%s/runs/%d", url.PathEscape(repo), number)
}

// Most that is read of what a host answers, bytes.
const (
	maxAnswer = 64 << 20
	maxFault  = 1 << 20
)

func (c Client) json(ctx context.Context, method, path string, body, into any) error {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(bounded.Reader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("cannot read the host's response: %w", err)
	}
	return nil
}

func (c Client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+"/api/v1"+path,
		bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("cannot reach the host: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the host: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	var said struct{ Error string }
	err = json.NewDecoder(bounded.Reader(resp.Body, maxFault)).Decode(&said)
	return nil, errors.Join(&StatusError{resp.StatusCode, said.Error}, err)
}
