// Package hooks reads what git passes to hooks: which refs a push changes and what
// the pushed trees contain. It installs and uninstalls the hooks.
//
// # One push
//
//	updates, err := hooks.ReadUpdates(os.Stdin, "pre-push")      // every ref line
//	repo, err := hooks.Open(ctx, hooks.Env{})                    // as this hook sees it
//	err = repo.SetBases(ctx, updates, os.Args[1], os.Args[2])    // what each is counted from
//	changes, err := repo.Listing().Changes(ctx, u.Base, u.New)   // one Listing per push, one call per update
//	tree, err := repo.Tree(ctx, u.New)                           // what is judged: never the work tree
//
// At pre-receive and post-receive the last two arguments of SetBases are "".
// At pre-commit there are no updates: WriteTree gives the tree that the commit
// will hold, and it is compared with HeadTree.
//
// Nothing here turns "could not be read" into "nothing there". An object that
// is missing, a directory that cannot be parsed, a line that is not understood
// and a format that is not known are errors, and a gate that gets one refuses.
// Where the user can fix it, some error in the chain has a method
// Hint() string with the command that does. Text from a push is quoted in
// messages.
//
// # Bounds
//
// What one push can make this package do is bounded, in numbers and in bytes:
// ref lines, paths that differ, the length of a path, entries of trees that
// are compared or held at once, parents of commits, authors and messages,
// temporary files (see Spool). What is beyond a bound is an error that names
// it; nothing is cut off.
//
// # The object view
//
// A Repo looks for objects in this order: the quarantine or whatever else
// GIT_OBJECT_DIRECTORY names, else the repository's own objects; then the
// directories of GIT_ALTERNATE_OBJECT_DIRECTORIES; then those that
// info/alternates names, five levels deep. In each it reads all packs that
// have an index, by whatever name, and loose objects. Replacement refs and
// grafts are not followed: what is judged is what was pushed. The commit-graph
// file is used for ancestry where there is one.
//
// Packs are read here rather than by go-git's object storage, which knows one
// object directory, packs called pack-* only, one caller at a time, and holds
// every index in memory. What reads them is a go-git storer.EncodedObjectStorer
// that refuses to write, so go-git's packages work on it. go-git decodes commits
// and tags, after checks that are stricter than its own, and supplies the
// object types, loose objects, deltas, configuration and the commit-graph
// reader. Trees and what differs between them are read here: host/RATIONALE.md
// has the figures. A blob above 1 MiB is
// streamed, a large one that is stored as a delta by way of temporary files
// without a name, so that memory does not grow with what is pushed.
//
// A Repo is safe for concurrent use and can stay open in a resident
// process: objects that are added later are found, and files that git removes meanwhile
// are still read. It holds at most 16 MiB of objects. The Repo of a push in
// quarantine must be opened with that hook's environment and is of no use
// after the push.
//
// Refused with a *FormatError: SHA-256 object ids, the reftable ref storage,
// and extensions that are not known. Shallow clones end at their edge without
// an error. In a partial clone an object that was not fetched is a
// *MissingError; pushlane does not fetch. Trees that git itself refuses to
// check out (a name such as ".." or ".git", an entry twice or out of order)
// are refused, and so is a ref that names a blob: it has no tree that a lane
// could judge.
//
// # What is installed
//
// Install writes one file per gate into the hooks folder that all worktrees
// share, if git looks there and no other hook is at the gate. The file has
// three lines, for example
//
//	#!/bin/sh
//	# pushlane hook 2, runs /usr/local/bin/pushlane-hook (take it out with: pushlane uninstall)
//	PUSHLANE_HOOK=$0; export PUSHLANE_HOOK; [ -x '/usr/local/bin/pushlane-hook' ] && exec …
//
// and the rest, after the program's arguments, prints that the program is missing
// and exits with status 1: a hook that cannot run its program refuses. It calls the program with the
// gate's name, then git's own arguments, with git's standard input, and with
// its own path in PUSHLANE_HOOK.
//
// Where a hook is at the gate already, or core.hooksPath is set, nothing is
// moved or written there. The files go into pushlane/hooks in the git directory,
// core.hooksPath is set to that folder (relative, so that a repository can be
// moved; pushlane/linked.config has it for linked worktrees), and the program
// runs the existing hook first, by the path that git would have used, as
// --earlier says: with git's arguments, input and environment. Its status is
// final unless it is 0. Hooks that are not gates are passed on. The key
// pushlane.hooksPath has what core.hooksPath was before.
//
// pushlane/remotes notes which URL each remote had; see Known.
//
// # How to remove it
//
// pushlane uninstall, or by hand: set core.hooksPath to what pushlane.hooksPath
// says, or unset it, remove the sections pushlane and includeIf
// "gitdir:./worktrees/" of the configuration and the folder pushlane in the git
// directory; without such a folder remove the hook file. A hook
// <hook>.pushlane-kept of an earlier version is renamed back to <hook>.
package hooks
