// Package histories attacks a server's gate with generated histories of
// pushes. A history is a bare repository on disk, a policy, and some pushes
// whose ref lines may be false: about old values, through aliases, or by commits
// that come back after a rewind. After every push a model decides what the gate
// must never accept, and which honest pushes it must not refuse.
//
// The model implements trees, commits and refs, and the documented rules. It shares
// no code with the gate.
package histories
