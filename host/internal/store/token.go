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

// ErrNoToken is returned for a token that is not in the store.
var ErrNoToken = errors.New("there is no token of that name")

// ErrTokenName is given for a second token of one name.
var ErrTokenName = errors.New("a token of that name already exists")

// AddToken keeps a token. Its name must be new.
func (s *Store) AddToken(ctx context.Context, t Token) error {
	verb := "add token " + t.Name
	if t.Name == "" {
		return s.writeError("add a token", errors.New("it has no name"))
	}
	if t.Repositories != nil && strings.Join(t.Repositories, "") == "" {
		return s.writeError(verb, errors.New("its repositories have no keys"))
	}
	keys := strings.Join(t.Repositories, "\x00")
	added, err := s.touch(ctx, verb, `INSERT INTO tokens (name, scope, repositories, hash, created) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (name) DO NOTHING`, t.Name, t.Scope, keys, t.Hash[:], millis(orNow(t.Created)))
	if err == nil && added == 0 {
		err = s.writeError(verb, ErrTokenName)
	}
	return err
}

// TokenByHash finds the token whose sha256 this is, or gives ErrNoToken. The
// comparison is of digests, so its time tells nothing about tokens.
func (s *Store) TokenByHash(ctx context.Context, hash [32]byte) (Token, error) {
	list, err := s.tokens(ctx, ` WHERE hash = ?`, hash[:])
	if err == nil && len(list) == 0 {
		return Token{}, ErrNoToken
	}
	if err != nil {
		return Token{}, fmt.Errorf("cannot look up a token: %w", err)
	}
	return list[0], nil
}

// Tokens lists all tokens by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	list, err := s.tokens(ctx, ` ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	return list, nil
}

func (s *Store) tokens(ctx context.Context, condition string, args ...any) ([]Token, error) {
	found, err := s.reading(ctx).rows(`SELECT name, scope, repositories, hash, created FROM tokens`+condition, args...)
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

// DropToken forgets a token: from now on it lets no one in.
func (s *Store) DropToken(ctx context.Context, name string) error {
	verb := "drop token " + name
	dropped, err := s.touch(ctx, verb, `DELETE FROM tokens WHERE name = ?`, name)
	if err == nil && dropped == 0 {
		err = s.writeError(verb, ErrNoToken)
	}
	return err
}
