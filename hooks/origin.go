package hooks

import (
	"context"
	"net/url"
	"path/filepath"
	"strings"
)

// Origin is the address of the remote "origin" in the repository's own configuration, without a user or password.
// It is empty where there is none, and for a relative path, which leads elsewhere from another clone.
func (r *Repo) Origin(ctx context.Context) (string, error) {
	c, err := r.git.config(ctx)
	if err != nil {
		return "", err
	}
	return absoluteURL(c.last("remote.origin.url")), nil
}

// absoluteURL leaves out the user of an address; "" where the address is not the same from everywhere.
func absoluteURL(text string) string {
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" && u.Scheme != "file" {
			return ""
		}
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		return u.String()
	}
	if filepath.IsAbs(text) {
		return filepath.Clean(text)
	}
	if host, path, ok := strings.Cut(text, ":"); ok && path != "" && host != "" && !strings.Contains(host, "/") {
		return text // host:path, as ssh has it
	}
	return ""
}
