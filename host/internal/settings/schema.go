package settings

import (
	"fmt"
	"net/url"
	"strings"
)

// Bounds of a schema. Checking settings takes time like the schema with all
// its references written out: sixty lines that each refer twice to the next
// one take years, and nothing can interrupt that.
const (
	maxSchemaDepth = 64
	maxSchemaParts = 10_000
	schemaDraft    = "https://json-schema.org/draft/2020-12/schema"
)

// unfolding walks over a schema as if its references were written out.
type unfolding struct {
	root  any
	parts int
}

func (u *unfolding) walk(v any, depth int) error {
	if u.parts++; u.parts > maxSchemaParts {
		return fmt.Errorf("it has more than %d parts with its references expanded", maxSchemaParts)
	}
	if depth > maxSchemaDepth {
		return fmt.Errorf("it is nested deeper than %d, references included", maxSchemaDepth)
	}
	switch v := v.(type) {
	case []any:
		for _, part := range v {
			if err := u.walk(part, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for key, part := range v {
			if err := u.keyword(key, part, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// keyword: what else could refer to some place is refused, so that no
// reference is missed.
func (u *unfolding) keyword(key string, v any, depth int) error {
	text, isText := v.(string)
	switch key {
	case "$ref":
		if isText {
			return u.follow(text, depth)
		}
	case "$schema":
		if isText && strings.TrimSuffix(text, "#") != schemaDraft {
			return fmt.Errorf("it is of %q, this host reads %s", text, schemaDraft)
		}
	case "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor":
		if isText {
			return fmt.Errorf("it uses %s; a schema may refer to its parts only by $ref and a path", key)
		}
	}
	return u.walk(v, depth+1)
}

func (u *unfolding) follow(ref string, depth int) error {
	path, inside := strings.CutPrefix(ref, "#")
	if !inside {
		return fmt.Errorf("it refers to %s; a schema must not refer to other documents", ref)
	}
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	at := u.root
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if path != "" {
			at = inner(at, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
	}
	return u.walk(at, depth+1) // one that leads nowhere is for the compiler to tell
}

// inner is what a part of a reference's path leads to; nil: nowhere.
func inner(v any, key string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[key]
	case []any:
		var i int
		if _, err := fmt.Sscanf(key, "%d", &i); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}
