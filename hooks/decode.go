package hooks

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
	gitobject "github.com/go-git/go-git/v5/plumbing/object"
)

var errHeader = errors.New("its header is malformed")

// commitHead is the header of a commit as far as its committer, in slices of
// the commit.
type commitHead struct {
	ancestry          []byte // the lines of tree and parents
	author, committer []byte // what their lines say
}

// cutCommit is stricter than go-git, which takes a header that ends early and
// passes over a line that is out of place, a parent's among them. The first
// line names the tree, parents come before people, ids are whole, and nothing
// else comes before the committer.
//
// What follows the committer is not for go-git: it puts a signature together
// line by line, in a time that grows with the square of its length.
func cutCommit(data []byte) (h commitHead, err error) {
	at, people := 0, false
	for line := range bytes.Lines(data) {
		first := at == 0
		at += len(line)
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		word, value, _ := bytes.Cut(line, []byte(" "))
		switch key := string(word); {
		case !whole, first != (key == "tree"):
			return h, errHeader
		case first, key == "parent":
			if people || !isID(value) {
				return h, errHeader
			}
			h.ancestry = data[:at]
		case key == "author":
			if !people {
				h.author, people = value, true
			}
		case key == "committer":
			h.committer = value
			return h, nil
		default:
			return h, errHeader
		}
	}
	return h, errHeader
}

// node reads of a commit what a walk over thousands needs. It is the one reading
// of commits that is not go-git's, which would take a fifth of the walk's time;
// where git has written a commit-graph, go-git reads that instead.
func (e *encoded) node() (*node, error) {
	h, err := cutCommit(e.data)
	if err != nil {
		return nil, fmt.Errorf("commit %s cannot be read: %w", e.id, err)
	}
	n := &node{id: e.id, time: stampTime(string(h.committer))}
	for line := range bytes.Lines(h.ancestry) {
		word, value, _ := bytes.Cut(line, []byte(" "))
		id := plumbing.NewHash(string(value[:len(ZeroID)]))
		if string(word) == "tree" {
			n.tree = id
		} else {
			n.parents = append(n.parents, id)
		}
	}
	return n, nil
}

// decodeCommit has go-git decode a commit, without its message. The committer's
// time is ours: go-git reads none where two blanks come before it or the mail is
// missing, and git does.
func (s *store) decodeCommit(e *encoded) (c *gitobject.Commit, time int64, err error) {
	h, err := cutCommit(e.data)
	if err == nil {
		c, err = gitobject.DecodeCommit(s, &encoded{object{plumbing.CommitObject, h.ancestry}, e.id})
	}
	if err != nil {
		return nil, 0, fmt.Errorf("commit %s cannot be read: %w", e.id, err)
	}
	return c, stampTime(string(h.committer)), nil
}

// decodeAuthor is a commit's author, "Name <mail>"; a line without a mail counts
// as a whole, where go-git reads nothing out of it.
func decodeAuthor(e *encoded) (string, error) {
	h, err := cutCommit(e.data)
	if err != nil {
		return "", fmt.Errorf("commit %s cannot be read: %w", e.id, err)
	}
	var author gitobject.Signature
	if author.Decode(h.author); author.Name == "" && author.Email == "" {
		person, _ := cutMail(string(h.author))
		return person, nil
	}
	return author.String(), nil
}

// decodeTag has go-git decode the three lines that every tag begins with.
func (s *store) decodeTag(id plumbing.Hash) (*gitobject.Tag, error) {
	e, err := s.typed(plumbing.TagObject, id)
	if err != nil {
		return nil, err
	}
	at := 0
	rest := e.data
	for _, key := range []string{"object ", "type ", "tag "} {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole || !bytes.HasPrefix(line, []byte(key)) {
			return nil, fmt.Errorf("tag %s cannot be read: %w", id, errHeader)
		}
		at, rest = at+len(line)+1, after
	}
	t, err := gitobject.DecodeTag(s, &encoded{object{plumbing.TagObject, e.data[:at]}, id})
	if err != nil {
		return nil, fmt.Errorf("tag %s cannot be read: %w", id, err)
	}
	return t, nil
}
