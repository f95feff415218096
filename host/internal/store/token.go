package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Token grants its bearer access. Only its digest is stored.
type Token struct {
	Name         string
	Scope        string
	Repositories []string  // keys of those it is for; nil: all
	Hash         [32]byte  // sha256 of the token
	Created      time.Time // zero, when it is added: now
}

// Tokens are those of the store.
type Tokens struct{ db *database }

// Tokens are those that grant access to the API and the page.
func (s *Store) Tokens() *Tokens { return &Tokens{s.db} }

// ErrNoToken is returned for a token that is not in the store.
var ErrNoToken = errors.New("there is no token of that name")

// ErrTokenName is given for a second token of one name.
var ErrTokenName = errors.New("a token of that name already exists")

// Add keeps a token. Its name must be new.
func (s *Tokens) Add(ctx context.Context, t Token) error {
	verb := "add token " + t.Name
	if t.Name == "" {
		return s.db.writeError("add a token", errors.New("it has no name"))
	}
	if t.Repositories != nil && strings.Join(t.Repositories, "") == "" {
		return s.db.writeError(verb, errors.New("its repositories have no keys"))
	}
	keys := strings.Join(t.Repositories, "\x00")
	added, err := s.db.touch(ctx, verb, `INSERT INTO tokens (name, scope, repositories, hash, created)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING`, t.Name, t.Scope, keys, t.Hash[:], millis(orNow(t.Created)))
	if err == nil && added == 0 {
		err = s.db.writeError(verb, ErrTokenName)
	}
	return err
}

// ByHash finds the token whose sha256 this is, or gives ErrNoToken. The
// comparison is of digests, so its time tells nothing about tokens.
func (s *Tokens) ByHash(ctx context.Context, hash [32]byte) (Token, error) {
	list, err := s.find(ctx, ` WHERE hash = ?`, hash[:])
	if err == nil && len(list) == 0 {
		return Token{}, ErrNoToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("cannot look up a token: %w", err)
	}
	return list[0], nil
}

// List lists all tokens by name.
func (s *Tokens) List(ctx context.Context) ([]Token, error) {
	list, err := s.find(ctx, ` ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	return list, nil
}

func (s *Tokens) find(ctx context.Context, condition string, args ...any) ([]Token, error) {
	found, err := s.db.reading(ctx).rows(`SELECT name, scope, repositories, hash, created FROM tokens`+condition, args...)
	return collect(found, err, func(row *rows) (t Token, err error) {
		var hash []byte
		var keys string
		err = row.Scan(&t.Name, &t.Scope, &keys, &hash, stamp{&t.Created})
		if keys != "" {
			t.Repositories = strings.Split(keys, "\x00")
		}
		copy(t.Hash[:], hash)
		return t, err
	})
}

// Drop forgets a token: from now on it lets no one in.
func (s *Tokens) Drop(ctx context.Context, name string) error {
	verb := "drop token " + name
	dropped, err := s.db.touch(ctx, verb, `DELETE FROM tokens WHERE name = ?`, name)
	if err == nil && dropped == 0 {
		err = s.db.writeError(verb, ErrNoToken)
	}
	return err
}
