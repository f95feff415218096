// Package histories attacks a server's gate with generated histories of
// pushes. A history is a bare repository on disk, a policy, and some pushes
// whose ref lines may lie: about old values, by aliases, by what comes back
// after a rewind. After every push a model says what the gate must never let
// in, and which honest pushes it must not refuse.
//
// The model knows trees, commits and refs, and the rules that the
// documentation gives. It shares no code with the gate.
package histories
